package lab

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/residue"
	"ipcworkbook/harness/verdict"
)

// fake is a test that is run to see how it ends.
type fake struct {
	testing.TB
	ends []func()
}

func (f *fake) Name() string      { return "fake" }
func (f *fake) Cleanup(g func())  { f.ends = append(f.ends, g) }
func (f *fake) Output() io.Writer { return io.Discard }
func (f *fake) Fail()             {}
func (f *fake) FailNow()          { runtime.Goexit() }
func (f *fake) Skip(...any)       { runtime.Goexit() }

// step runs a step to its end and returns its failures.
func step(t *testing.T, body func(l *Lab)) []failure {
	t.Helper()
	f := &fake{TB: t}
	l := New(f)
	done := make(chan struct{})
	go func() { // FailNow ends the goroutine
		defer close(done)
		body(l)
	}()
	<-done
	for _, end := range f.ends {
		end()
	}
	return l.failures
}

// leaves are the ways to leave one thing of each kind, and what is said of it.
var leaves = []struct {
	kind   string
	leave  func(l *Lab) error
	says   string // a regular expression
	reason string
}{
	{"System V queue", func(l *Lab) error { return sysv(unix.SYS_MSGGET, l.Key(), unix.IPC_CREAT|0o600, 0) },
		`^System V queue \d+ \(key 0x[0-9a-f]+\), 0 messages$`, "msgctl(2)"},
	{"semaphore set", func(l *Lab) error { return sysv(unix.SYS_SEMGET, l.Key(), 3, unix.IPC_CREAT|0o600) },
		`^System V semaphore set \d+ \(key 0x[0-9a-f]+\), 3 semaphores$`, "semctl(2)"},
	{"segment", func(l *Lab) error { return segment(l.Key()) },
		`^System V shared memory \d+ \(key 0x[0-9a-f]+\), 100 bytes, made by the test \(pid \d+\)$`, "shmctl(2)"},
	{"segment of a child", func(l *Lab) error { return l.Start(leavesASegment).Wait() },
		`^System V shared memory \d+ \(IPC_PRIVATE\), 100 bytes, made by producer \(pid \d+\)$`, "shmctl(2)"},
	{"POSIX queue", func(l *Lab) error { return posixQueue(l.Name("jobs")) },
		`^POSIX queue /ipc-\d+-[0-9a-f]{8}-jobs, 0 messages$`, "mq_unlink(3)"},
	{"shared memory", func(l *Lab) error { return os.WriteFile("/dev/shm"+l.Name("ring"), []byte("x"), 0o600) },
		`^POSIX shared memory /dev/shm/ipc-\d+-[0-9a-f]{8}-ring, 1 byte$`, "shm_unlink(3)"},
	{"named semaphore", func(l *Lab) error {
		return os.WriteFile("/dev/shm/sem."+l.Name("lock")[1:], make([]byte, 32), 0o600)
	}, `^POSIX semaphore /dev/shm/sem\.ipc-\d+-[0-9a-f]{8}-lock, 32 bytes$`, "sem_unlink(3)"},
	{"socket file", func(l *Lab) error { return bind(l.Path("a.sock") + ".tmp") },
		`^the socket file /.*/t\d+/a\.sock\.tmp$`, "The kernel does not remove the file of a socket"},
	{"FIFO", func(l *Lab) error { return unix.Mkfifo(l.Path("in")+".old", 0o600) },
		`^the FIFO /.*/t\d+/in\.old$`, "A FIFO stays"},
	{"file beside a path", func(l *Lab) error { return os.WriteFile(l.Path("state")+".lock", nil, 0o600) },
		`^the file /.*/t\d+/state\.lock, 0 bytes$`, "If you make a file"},
	{"zombie", func(l *Lab) error { return exec.Command("true").Start() },
		`^true \(pid \d+\), a process that has ended$`, "wait4(2)"},
	{"temporary file", func(l *Lab) error { return os.WriteFile(filepath.Join(os.TempDir(), "frame"), nil, 0o600) },
		`^the file /.*/frame, 0 bytes$`, "If you make a file"},
	{"temporary folder", func(l *Lab) error { return os.Mkdir(filepath.Join(os.TempDir(), "spool"), 0o700) },
		`^the folder /.*/spool$`, "temporary folder"},
	{"descriptor", func(l *Lab) error { _, err := unix.Open("/dev/null", unix.O_CLOEXEC, 0); return err },
		`^fd \d+ is /dev/null$`, "What the package opens it closes"},
}

// Each kind of thing that is left makes a step that was right "residue", with the
// likeliest reason. It is removed: the next step in the process begins clean.
func TestWhatIsLeftIsResidue(t *testing.T) {
	for _, k := range leaves {
		t.Run(k.kind, func(t *testing.T) {
			before := residue.OpenDescriptors()
			failures := step(t, func(l *Lab) { require.NoError(l, k.leave(l)) })
			require.Len(t, failures, 1)
			f := failures[0]
			require.Equal(t, verdict.Residue, f.Verdict, f.text())
			require.Equal(t, "after the step", f.Call)
			require.Len(t, f.Detail, 2)
			require.Regexp(t, regexp.MustCompile(`that were not (open|there) before it:$`), f.Detail[0])
			require.Regexp(t, k.says, f.Detail[1])
			require.Contains(t, f.Reason, k.reason)
			for _, open := range residue.OpenDescriptors().Since(before) {
				require.NoError(t, unix.Close(open.ID))
			}
			require.Empty(t, step(t, func(*Lab) {}), "the next step")
		})
	}
}

// Several things are one list, and each reason is given once.
func TestAllThatIsLeftIsOneList(t *testing.T) {
	failures := step(t, func(l *Lab) {
		for range 2 {
			require.NoError(l, segment(l.Key()))
		}
		require.NoError(l, posixQueue(l.Name("jobs")))
	})
	require.Len(t, failures, 1)
	require.Len(t, failures[0].Detail, 4)
	require.Equal(t, "things are still there that were not there before it:", failures[0].Detail[0])
	require.Equal(t, 2, strings.Count(failures[0].Reason, "\n")+1)
}

// What may stay is no residue: the file of a path, and the content of Dir. Nor is
// what was removed in time. A failed test is not blamed for what it left as well,
// and that is removed all the same.
func TestWhatIsNoResidue(t *testing.T) {
	require.Empty(t, step(t, func(l *Lab) {
		require.NoError(l, bind(l.Path("a.sock")))
		require.NoError(l, os.WriteFile(filepath.Join(l.Dir(), "notes"), nil, 0o600))
		name := "/dev/shm" + l.Name("ring")
		require.NoError(l, os.WriteFile(name, nil, 0o600))
		require.NoError(l, os.Remove(name))
	}))
	var path string
	failures := step(t, func(l *Lab) {
		path = "/dev/shm" + l.Name("ring")
		require.NoError(l, os.WriteFile(path, nil, 0o600))
		require.Equal(l, 1, 2, "one")
	})
	require.Len(t, failures, 1)
	require.Equal(t, verdict.Wrong, failures[0].Verdict)
	require.NoFileExists(t, path)
}

// Names and keys are new each time; a path is the same for the same name.
func TestNamesKeysAndPaths(t *testing.T) {
	require.Empty(t, step(t, func(l *Lab) {
		require.NotEqual(l, l.Name("jobs"), l.Name("jobs"))
		require.NotEqual(l, l.Key(), l.Key())
		require.Positive(l, l.Key())
		require.Equal(l, l.Path("a"), l.Path("a"))
		require.Equal(l, filepath.Dir(l.Path("a")), filepath.Dir(l.Path("b")))
	}))
	for _, body := range []func(l *Lab){
		func(l *Lab) { l.Name("a/b") },
		func(l *Lab) { l.Path("../a") },
	} {
		failures := step(t, body)
		require.Len(t, failures, 1)
		require.Equal(t, verdict.Fault, failures[0].Verdict)
	}
	step(t, func(l *Lab) {
		room := 107 - len(l.Path("a")) + 1
		require.NoError(t, bind(l.SocketPath(strings.Repeat("a", room))), "the longest address there is")
	})
	step(t, func(l *Lab) {
		defer func() { require.Contains(t, l.missing, "at most 107 bytes") }()
		l.SocketPath(strings.Repeat("a", 108))
		t.Error("a longer path was returned")
	})
}

// In namespaces of its own all that is there is the step's, whatever its name.
// Without them what bears no name of the step is left alone.
func TestWithAndWithoutNamespaces(t *testing.T) {
	other := fmt.Sprintf("other-%d", os.Getpid())
	for mode, env := range map[string]string{"alone": "", "together": "1"} {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestLeavesTwo$", "-test.v")
		for _, entry := range os.Environ() {
			if !strings.HasPrefix(entry, "IPC_") {
				cmd.Env = append(cmd.Env, entry)
			}
		}
		cmd.Env = append(cmd.Env, "LAB_OTHER="+other, verdict.EnvTogether+"="+env)
		out, _ := cmd.CombinedOutput() // it fails: that is what is looked at
		stays := os.Remove("/dev/shm/"+other) == nil
		text := string(out)
		require.Contains(t, text, "residue: after the step\n", mode)
		require.Regexp(t, `POSIX shared memory /dev/shm/ipc-\d+-[0-9a-f]{8}-ring, 0 bytes`, text)
		if strings.Contains(text, "together\n") {
			require.NotContains(t, text, other)
			require.True(t, stays, "it is not the step's")
			continue
		}
		require.Contains(t, text, "POSIX shared memory /dev/shm/"+other+", 0 bytes")
		require.False(t, stays, "it was in the step's own namespace")
	}
}

// TestLeavesTwo is run by the test above.
func TestLeavesTwo(t *testing.T) {
	other := os.Getenv("LAB_OTHER")
	if other == "" {
		return // it is no test of its own
	}
	l := New(t)
	if os.Getenv(verdict.EnvAlone) == "" {
		fmt.Println("together")
	}
	require.NoError(l, os.WriteFile("/dev/shm"+l.Name("ring"), nil, 0o600))
	require.NoError(l, os.WriteFile("/dev/shm/"+other, nil, 0o600))
}

var leavesASegment = NewRole("producer", func(*Child) error { return segment(unix.IPC_PRIVATE) })

func segment(key int) error {
	_, err := unix.SysvShmGet(key, 100, unix.IPC_CREAT|0o600)
	return err
}

func sysv(call uintptr, a, b, c int) error {
	if _, _, errno := unix.Syscall(call, uintptr(a), uintptr(b), uintptr(c)); errno != 0 {
		return errno
	}
	return nil
}

func posixQueue(name string) error {
	text, err := unix.BytePtrFromString(name[1:])
	if err != nil {
		return err
	}
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(text)), unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return unix.Close(int(fd))
}

func bind(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrUnix{Name: path})
}

// A Close that has to wait for a call under way does not hide the failure.
func TestAFailureIsNotHiddenByACloseThatWaits(t *testing.T) {
	never := make(chan struct{})
	defer close(never)
	failures := step(t, func(l *Lab) {
		l.CloseAtEnd(waitsFor(never))
		require.Equal(l, 1, 2, "one")
	})
	require.Len(t, failures, 1)
	require.Equal(t, "one", failures[0].Call)
}

type waitsFor chan struct{}

func (w waitsFor) Close() error { <-w; return nil }
