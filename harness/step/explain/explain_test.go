package explain_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/explain/testdata/chapter"
	"ipcworkbook/harness/step/procfs"
)

// explains waits until the processes hang, and compares what is said about it.
func explains(t *testing.T, name string, children ...*child) explain.Explanation {
	t.Helper()
	hang(t, children...)
	return explainNow(t, name, false, children...)
}

func explainNow(t *testing.T, name string, spinning bool, children ...*child) explain.Explanation {
	t.Helper()
	ps := read(t, children...)
	e := explained(explain.Case{
		Processes: ps,
		Dumps:     dumps(t, ps, spinning, children...),
		Spinning:  spinning,
		Folder:    chapterFolder,
		After:     2 * time.Second,
	})
	golden(t, name, e.Text)
	if t.Failed() {
		for _, c := range children {
			t.Logf("dump of %d:\n%s", c.PID(), c.Stderr.Bytes())
		}
	}
	return e
}

// file makes an os.File that uses the poller, as os.Pipe does.
func file(fd int) *os.File {
	unix.SetNonblock(fd, true)
	return os.NewFile(uintptr(fd), "pipe")
}

var (
	recv       = helper("recv", func() { chapter.NewConn(file(3)).Recv() })
	rawRecv    = helper("raw recv", func() { chapter.RawRecv(3) })
	bareRecv   = helper("bare recv", func() { chapter.BareRecv(3) })
	send       = helper("send", func() { chapter.NewConn(file(3)).Send(100_000) })
	rawSend    = helper("raw send", func() { chapter.RawSend(3, 100_000) })
	unevenSend = helper("uneven send", func() {
		for {
			chapter.RawSend(3, 4097)
		}
	})
	rawPoll  = helper("poll", func() { chapter.Poll(3) })
	feeder   = helper("feeder", func() { chapter.Feeder(file(3)) })
	waitWord = helper("wait", func() { unix.Read(3, make([]byte, 1)) })
)

func TestReadNamesTheWriteEndOfTheReaderItself(t *testing.T) {
	r, w := pipe(t)
	consumer := start(t, "the test", rawRecv, nil, r, w)
	holder := start(t, "holder", waitWord, []string{"IPC_CONTROL=3"}, control(t), w)
	closeNow(t, r, w)

	e := explains(t, "read-itself", consumer, holder)

	assert.Equal(t, filepath.Join(chapterFolder, "chapter.go"), e.File)
	source, err := os.ReadFile(e.File)
	require.NoError(t, err)
	assert.Contains(t, strings.Split(string(source), "\n")[e.Line-1], "unix.Read")
}

func TestReadInThePollerIsUnderstoodToo(t *testing.T) {
	r, w := pipe(t)
	consumer := start(t, "consumer", recv, nil, r, w)
	closeNow(t, r, w)
	explains(t, "read-poller", consumer)
}

func TestReadThatPollsFirst(t *testing.T) {
	r, w := pipe(t)
	consumer := start(t, "consumer", rawPoll, nil, r, w)
	closeNow(t, r, w)
	explains(t, "read-poll", consumer)
}

func TestPollerFindsTheRightPipeAmongSeveral(t *testing.T) {
	r1, w1 := pipe(t)
	r2, w2 := pipe(t)
	consumer := start(t, "consumer", recvOfThree, nil, r1, r2, r1, w2)
	first := start(t, "first", waitWord, []string{"IPC_CONTROL=3"}, control(t), w1)
	second := start(t, "second", waitWord, []string{"IPC_CONTROL=3"}, control(t), w2)
	closeNow(t, r1, w1, r2, w2)
	explains(t, "read-several", consumer, first, second)
}

var recvOfThree = helper("recv of three", func() {
	one, two, three := file(3), file(4), file(5)
	chapter.NewConn(two).Recv()
	runtime.KeepAlive(one)
	runtime.KeepAlive(three)
})

func TestReadNamesAHolderOutsideOfTheStep(t *testing.T) {
	r, w := pipe(t)
	consumer := start(t, "consumer", rawRecv, nil, r)
	closeNow(t, r)
	explains(t, "read-outside", consumer)
	_ = w // which the test closes at its end
}

func TestReadInABareSystemCall(t *testing.T) {
	r, w := pipe(t)
	consumer := start(t, "consumer", bareRecv, nil, r, w)
	closeNow(t, r, w)
	// The runtime does not know that this thread waits, so its monitor thread
	// looks every 10 ms, and no two sights are ever the same.
	eventually(t, "it is in read", func() bool { return inCall(t, consumer, "read") })
	explainNow(t, "read-bare", false, consumer)
}

func inCall(t *testing.T, c *child, call string) bool {
	return isIn(read(t, c)[0], call)
}

func isIn(p procfs.Process, call string) bool {
	return slices.ContainsFunc(p.Threads, func(t procfs.Thread) bool { return t.Syscall == call && t.State == 'S' })
}

func TestReadOfAGoroutineThatAnotherOneWaitsFor(t *testing.T) {
	r, w := pipe(t)
	consumer := start(t, "consumer", feeder, nil, r)
	producer := start(t, "producer", waitWord, []string{"IPC_CONTROL=3"}, control(t), w)
	closeNow(t, r, w)
	explains(t, "read-feeder", consumer, producer)
}

func TestReadWithoutADump(t *testing.T) {
	for _, by := range []string{rawRecv, recv} {
		t.Run(by, func(t *testing.T) {
			r, w := pipe(t)
			deaf := start(t, "consumer", by, []string{"HANG_DEAF=1"}, r, w)
			closeNow(t, w)
			hang(t, deaf)
			e := explained(explain.Case{Processes: read(t, deaf), Folder: chapterFolder, After: time.Second})
			golden(t, "no-dump-"+map[string]string{rawRecv: "raw", recv: "poller"}[by], e.Text)
			assert.Empty(t, e.File)
		})
	}
}

// Recv asked for more than was sent, which is the usual mistake of a beginner.
func TestReadOfAMessageThatWasReadAlready(t *testing.T) {
	r, w := pipe(t)
	test := start(t, "the test", recv, nil, r)
	producer := start(t, "producer", waitWord, []string{"IPC_CONTROL=3"}, control(t), w)
	closeNow(t, r, w)
	explains(t, "read-message", test, producer)
}

func TestWriteIntoAFullPipe(t *testing.T) {
	for name, by := range map[string]string{"poller": send, "raw": rawSend, "uneven": unevenSend} {
		t.Run(name, func(t *testing.T) {
			r, w := pipe(t)
			_, err := unix.FcntlInt(uintptr(w), unix.F_SETPIPE_SZ, 65536)
			require.NoError(t, err)
			producer := start(t, "producer", by, nil, w)
			consumer := start(t, "consumer", waitWord, []string{"IPC_CONTROL=3"}, control(t), r)
			closeNow(t, r, w)
			explains(t, "write-"+name, producer, consumer)
		})
	}
}

// control is a pipe over which no word ever comes.
func control(t *testing.T) int {
	r, _ := pipe(t)
	return r
}

func TestWriteIntoAPipeThatOnlyTheWriterCouldRead(t *testing.T) {
	r, w := pipe(t)
	producer := start(t, "the test", rawSend, nil, w, r)
	closeNow(t, r, w)
	explains(t, "write-itself", producer)
}

func TestTwoReadersWaitForEachOther(t *testing.T) {
	r1, w1 := pipe(t)
	r2, w2 := pipe(t)
	left := start(t, "left", recv, nil, r1, w2)
	right := start(t, "right", rawRecv, nil, r2, w1)
	closeNow(t, r1, w1, r2, w2)
	explains(t, "ring-read", left, right)
}

func TestTwoWritersWaitForEachOther(t *testing.T) {
	r1, w1 := pipe(t)
	r2, w2 := pipe(t)
	left := start(t, "left", send, nil, w1, r2)
	right := start(t, "right", rawSend, nil, w2, r1)
	closeNow(t, r1, w1, r2, w2)
	explains(t, "ring-write", left, right)
}

var (
	openRead  = helper("open read", func() { chapter.Open(os.Getenv("FIFO"), os.O_RDONLY) })
	openWrite = helper("open write", func() { chapter.Open(os.Getenv("FIFO"), os.O_WRONLY) })
	openAgain = helper("open again", func() {
		old, _ := os.OpenFile(os.Getenv("FIFO"), os.O_RDWR, 0)
		os.Remove(os.Getenv("FIFO"))
		unix.Mkfifo(os.Getenv("FIFO"), 0o600)
		chapter.Open(os.Getenv("FIFO"), os.O_WRONLY)
		runtime.KeepAlive(old)
	})
)

func TestOpenOfAFIFO(t *testing.T) {
	for name, by := range map[string]string{"read": openRead, "write": openWrite, "again": openAgain} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.fifo")
			require.NoError(t, unix.Mkfifo(path, 0o600))
			consumer := start(t, "consumer", by, []string{"FIFO=" + path})
			explains(t, "open-"+name, consumer)
		})
	}
}

func TestBothOpenTheSameSide(t *testing.T) {
	for name, by := range map[string]string{"read": openRead, "write": openWrite} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.fifo")
			require.NoError(t, unix.Mkfifo(path, 0o600))
			consumer := start(t, "consumer", by, []string{"FIFO=" + path})
			producer := start(t, "producer", by, []string{"FIFO=" + path})
			explains(t, "open-both-"+name, consumer, producer)
		})
	}
}

var spin = helper("spin", chapter.Spin)

func TestSpin(t *testing.T) {
	c := start(t, "consumer", spin, nil)
	burns(t, c)
	explainNow(t, "spin-loop", true, c)
}

var (
	receive   = helper("receive", func() { waitSomewhere(chapter.Receive) })
	lock      = helper("lock", func() { waitSomewhere(chapter.Lock) })
	selecting = helper("select", func() { waitSomewhere(chapter.Select) })
)

// waitSomewhere keeps the runtime from ending the program with "all goroutines
// are asleep": a goroutine in a system call could still wake the others.
func waitSomewhere(f func()) {
	go unix.Read(3, make([]byte, 1))
	f()
}

func TestGoroutinesWaitForEachOther(t *testing.T) {
	for _, by := range []string{receive, lock, selecting} {
		t.Run(by, func(t *testing.T) {
			r, _ := pipe(t)
			explains(t, "goroutine-"+by, start(t, "consumer", by, nil, r))
		})
	}
}

func TestWhatMayNotBeReadIsSaid(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	p, err := procfs.Read(1)
	require.NoError(t, err)
	e := explained(explain.Case{Processes: []procfs.Process{p}, After: time.Second})
	assert.Contains(t, e.Text, "may not be read")
}
