package lab

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/residue"
	"ipcworkbook/harness/verdict"
)

// ends makes one descriptor of each mechanism.
func ends(t *testing.T, l *Lab) map[Mechanism]conn {
	t.Helper()
	fd := func(n int, err error) conn {
		require.NoError(t, err)
		f := os.NewFile(uintptr(n), "")
		l.CloseAtEnd(f)
		return f
	}
	sockets := func(kind int) conn {
		fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
		fd(fds[1], err)
		return fd(fds[0], err)
	}
	r, _ := pipe(t, l)
	fifo, file := t.TempDir()+"/fifo", t.TempDir()+"/file"
	require.NoError(t, unix.Mkfifo(fifo, 0o600))
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { tcp.Close() })
	return map[Mechanism]conn{
		Pipe:         r,
		FIFO:         fd(unix.Open(fifo, unix.O_RDWR|unix.O_CLOEXEC, 0)),
		StreamSocket: sockets(unix.SOCK_STREAM),
		PacketSocket: sockets(unix.SOCK_SEQPACKET),
		TCPSocket:    tcp.(*net.TCPListener),
		MessageQueue: fd(openQueue(t)),
		RegularFile:  fd(unix.Open(file, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)),
		Memfd:        fd(unix.MemfdCreate("memory", unix.MFD_CLOEXEC)),
		Pidfd:        fd(unix.PidfdOpen(os.Getpid(), 0)),
		Signalfd:     fd(unix.Signalfd(-1, &unix.Sigset_t{}, unix.SFD_CLOEXEC)),
		Eventfd:      fd(unix.Eventfd(0, unix.EFD_CLOEXEC)),
	}
}

func openQueue(t *testing.T) (int, error) {
	t.Helper()
	// The kernel's own names have no slash: the C library takes it away.
	name, err := unix.BytePtrFromString(fmt.Sprintf("ipc-evidence-%d", os.Getpid()))
	require.NoError(t, err)
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(name)),
		unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600, 0, 0, 0)
	require.Zero(t, errno)
	_, _, errno = unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(name)), 0, 0)
	require.Zero(t, errno)
	return int(fd), nil
}

// Each descriptor is what it is, in this process and in another, and is taken
// for nothing else.
func TestDescriptorsAreTold(t *testing.T) {
	l := New(t)
	made := ends(t, l)
	for m, end := range made {
		l.MustBe(m.name, end, m)
		p := l.Start(waits, Give("end", end))
		p.MustUse(m)
		l.MustUse(m)
		used := l.uses(p.PID(), m, p.own)
		require.Len(t, used, 1, "%v: a role has nothing of the lab's and of the runtime's: %v", m, used)
		require.Equal(t, m, used[0].Mechanism)
		if m != Signalfd { // the kernel does not tell them apart
			l.MustShare(m, p)
		}
		p.Exit()
	}
}

// What is missing is told with what was found in its place.
func TestWhatWasUsedInstead(t *testing.T) {
	l := New(t)
	p := l.Start(waits)
	require.Equal(t, "nothing of the kind", listed(l.uses(p.PID(), Pipe, p.own)))
	p.Exit()

	found := failing(t, func(l *Lab) { l.MustBe("New(): the Reader", ends(t, l)[StreamSocket], Pipe) })
	require.Regexp(t, `^New\(\): the Reader .*
  expected: a descriptor of a pipe
  got:      socket:\[\d+\], an AF_UNIX stream socket

This chapter is about pipe\(2\)\.$`, found)

	found = failing(t, func(l *Lab) {
		private(t, l)
		l.MustUse(SharedMapping)
	})
	require.Contains(t, found, "expected: it uses a shared mapping\n")
	require.Contains(t, found, "/file, a private mapping: what is written there nobody else sees")

	found = failing(t, func(l *Lab) {
		r, _ := pipe(t, l)
		_, w := pipe(t, l)
		l.MustShare(Pipe, l.Start(waits, Give("r", r)), l.Start(waits, Give("w", w)))
	})
	require.Regexp(t, `expected: they share a pipe
  got:      waits \(pid \d+\): fd 3 is pipe:\[\d+\], a pipe
            waits \(pid \d+\): fd 3 is pipe:\[\d+\], a pipe`, found)
}

// failing runs a step that fails, and returns what the learner would be told.
// The step's own end is not reached: it would fail this test.
func failing(t *testing.T, step func(l *Lab)) string {
	t.Helper()
	l := &Lab{t: noTest{t}, open: residue.OpenDescriptors()}
	done := make(chan struct{})
	go func() { defer close(done); step(l) }()
	<-done
	for _, p := range l.launched {
		p.Kill()
	}
	for _, c := range l.closers {
		c()
	}
	require.Len(t, l.failures, 1)
	f := l.failures[0].finding()
	require.Equal(t, verdict.Wrong, f.Verdict)
	return f.Message
}

// noTest ends its goroutine and fails nothing.
type noTest struct{ testing.TB }

func (noTest) Fail()    {}
func (noTest) FailNow() { runtime.Goexit() }
