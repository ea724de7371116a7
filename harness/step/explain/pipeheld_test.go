package explain_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/explain/testdata/chapter"
	"ipcworkbook/harness/step/procfs"
)

// handsOver starts a consumer as a test does, and keeps the descriptor that it
// was given: 4 is the end that the consumer does not have.
var handsOver = helper("hands over", func() {
	unix.CloseOnExec(4)
	unix.CloseOnExec(5)
	startConsumer(os.Getenv("THEN"))
	unix.Read(5, make([]byte, 1)) // the word that never comes
})

func startConsumer(helper string) {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	_, err = os.StartProcess(exe, []string{exe}, &os.ProcAttr{
		Files: []*os.File{null, null, os.NewFile(6, "dump"), os.NewFile(3, "end")},
		Env:   []string{"HANG_HELPER=" + helper, "IPC_ROLE=consumer", "GOTRACEBACK=all"},
	})
	if err != nil {
		panic(err)
	}
}

func TestTheParentKeepsTheOtherEnd(t *testing.T) {
	for name, by := range map[string]string{"read-parent": rawRecv, "write-parent": rawSend} {
		t.Run(name, func(t *testing.T) {
			r, w := pipe(t)
			ends := []int{r, w}
			if by == rawSend {
				ends = []int{w, r}
			}
			dump, err := os.CreateTemp(t.TempDir(), "dump")
			require.NoError(t, err)
			defer dump.Close()
			parent := start(t, "the test", handsOver, []string{"THEN=" + by, "IPC_CONTROL=5"}, ends[0], ends[1], control(t), int(dump.Fd()))
			closeNow(t, r, w)
			ps := family(t, parent, "consumer")
			require.NoError(t, unix.Kill(ps[1].PID, unix.SIGQUIT))
			eventually(t, "the consumer has dumped", func() bool {
				p, err := procfs.Read(ps[1].PID)
				return err == nil && p.Zombie
			})
			text, err := os.ReadFile(dump.Name())
			require.NoError(t, err)
			e := explained(explain.Case{
				Processes: ps, Dumps: map[int][]byte{ps[1].PID: text},
				Folder: chapterFolder, After: 2 * time.Second,
			})
			golden(t, name, e.Text)
		})
	}
}

func TestASiblingInheritedTheWriteEnd(t *testing.T) {
	r, w := pipe(t)
	other, _ := pipe(t)
	consumer := start(t, "consumer", rawRecv, nil, r)
	server := start(t, "server", rawRecv, nil, other, w)
	closeNow(t, r, w)
	explains(t, "read-sibling", consumer, server)
}

var (
	fifoRead = helper("fifo read", func() { fifo(func(f *os.File) { chapter.NewConn(f).Recv() }) })
	fifoHold = helper("fifo hold", func() { fifo(func(*os.File) { unix.Read(3, make([]byte, 1)) }) })
)

// fifo makes the FIFO anew, as if nobody had, and opens it for both, so that the
// open does not wait.
func fifo(use func(*os.File)) {
	path := os.Getenv("FIFO")
	os.Remove(path)
	unix.Mkfifo(path, 0o600)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		panic(err)
	}
	use(f)
	runtime.KeepAlive(f)
}

func TestTwoFIFOsOfOneName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.fifo")
	env := []string{"FIFO=" + path}
	t.Run("both are open", func(t *testing.T) {
		consumer := start(t, "consumer", fifoRead, env)
		hang(t, consumer)
		producer := start(t, "producer", fifoHold, append(env, "IPC_CONTROL=3"), control(t))
		explains(t, "read-fifo-anew", consumer, producer)
	})
	t.Run("both are being opened", func(t *testing.T) {
		os.Remove(path)
		require.NoError(t, unix.Mkfifo(path, 0o600))
		consumer := start(t, "consumer", openRead, env)
		hang(t, consumer)
		os.Remove(path)
		require.NoError(t, unix.Mkfifo(path, 0o600))
		producer := start(t, "producer", openWrite, env)
		explains(t, "open-anew", consumer, producer)
	})
	t.Run("removed", func(t *testing.T) {
		os.Remove(path)
		require.NoError(t, unix.Mkfifo(path, 0o600))
		consumer := start(t, "consumer", openRead, env)
		hang(t, consumer)
		os.Remove(path)
		explains(t, "open-removed", consumer)
	})
}

func TestReadOfAFIFOThatIsOpenForBoth(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.fifo")
	require.NoError(t, unix.Mkfifo(path, 0o600))
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	consumer := start(t, "consumer", rawRecv, nil, fd)
	closeNow(t, fd)
	explains(t, "read-fifo-both", consumer)
}

// The number of an inode is free when its last user is gone, and ext4(5) gives it
// to the next file: here, to a FIFO of somebody else.
func TestANumberIsNotUsedAgainWhileAHangIsExplained(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.fifo")
	consumer := start(t, "consumer", fifoRead, []string{"FIFO=" + path})
	hang(t, consumer)
	ps := read(t, consumer)
	require.NoError(t, os.Remove(path))
	dumped := dumps(t, ps, false, consumer)
	for i := range 20 {
		other := filepath.Join(dir, fmt.Sprint(i))
		require.NoError(t, unix.Mkfifo(other, 0o600))
		f, err := os.OpenFile(other, os.O_RDWR, 0)
		require.NoError(t, err)
		defer f.Close()
	}
	e := explained(explain.Case{Processes: ps, Dumps: dumped, Folder: chapterFolder, After: 2 * time.Second})
	require.Contains(t, e.Text, "<- itself")
	require.NotContains(t, e.Text, "no process of this step")
}
