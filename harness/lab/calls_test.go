package lab

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/seccomp"
)

// A program looks at a file's size, and then reads it. In between it can be changed.
func TestHoldingAProcessBetweenItsCalls(t *testing.T) { holdBetweenCalls(t, looksAndReads) }

// So it is with a kernel before Linux 5.19, which knows no call that waits through signals.
func TestHoldingAProcessUnderAnOlderKernel(t *testing.T) {
	kept := killable
	t.Cleanup(func() {
		killable = kept
		require.False(t, killable() && t.Skipped(), "without the flag of Linux 5.19 no process was held")
	})
	killable = func() bool { return false }
	t.Setenv("GODEBUG", "asyncpreemptoff=0")
	holdBetweenCalls(t, looksAndReadsThere)
}

func holdBetweenCalls(t *testing.T, role *Role) {
	l := New(t)
	path := l.Path("file")
	calls := l.Calls()
	p := l.Start(role, Tell("path", path), calls.HandOver())
	calls.Of(p)
	var where, got []string
	for n, held := 0, true; held; n++ {
		require.NoError(l, os.WriteFile(path, []byte("old"), 0o600))
		held = calls.Hold(n)
		require.NoError(l, os.WriteFile(path, []byte("newer"), 0o600))
		where = append(where, calls.String())
		calls.Go()
		var text string
		p.Report(&text)
		got = append(got, text)
	}
	name := l.base(path)
	require.Equal(l, []string{
		"held before openat()",
		"held before fstat(" + name + "), after openat()",
		"held before pread(" + name + "), after openat(), fstat(" + name + ")",
		"at rest, after openat(), fstat(" + name + "), pread(" + name + ")",
	}, where)
	require.Equal(l, []string{"newer", "newer", "new", "old"}, got, "what it read")
	p.Kill()
}

// Who is held waits for the test: with nothing else that moves all is at rest, and that is
// said. From the first signal on that meets it, such as the runtime's own, the kernel shows
// the state of a wait for a disk.
func TestWhoIsHeldIsAtRest(t *testing.T) {
	l := New(t)
	path := l.Path("file")
	require.NoError(l, os.WriteFile(path, nil, 0o600))
	calls := l.Calls()
	p := l.Start(looksAndReads, Tell("path", path), calls.HandOver())
	calls.Of(p)
	for n := range 3 {
		require.True(l, calls.Hold(n))
		p.Interrupt(n)
		release := make(chan struct{})
		call := l.Call("a call", func() error { <-release; return nil })
		call.Blocks("another process is held")
		close(release)
		call.Returns(nil)
		calls.Go()
		p.Report(new(string))
	}
	p.Kill()
}

func (l *Lab) base(path string) string {
	info, err := os.Lstat(path)
	require.NoError(l, err)
	return info.Name()
}

var looksAndReadsThere = NewRole("looks and reads under an older kernel", func(c *Child) error {
	if got := os.Getenv("GODEBUG"); got != "asyncpreemptoff=0,asyncpreemptoff=1" {
		return errors.New("GODEBUG is " + got)
	}
	err := refuse(unix.EINVAL, unix.SYS_SECCOMP, jump(unix.BPF_JSET, unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV))
	if err != nil {
		return err
	}
	return looksAndReadsOn(c)
})

var looksAndReads = NewRole("looks and reads", looksAndReadsOn)

func looksAndReadsOn(c *Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for {
		c.Wait()
		fd, err := unix.Open(c.Text("path"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		var info unix.Stat_t
		if err := unix.Fstat(fd, &info); err != nil {
			return err
		}
		text := make([]byte, info.Size)
		if _, err := unix.Pread(fd, text, 0); err != nil {
			return err
		}
		unix.Close(fd)
		c.Report(string(text))
	}
}

// A call that waits is not held, and what it waits for comes.
func TestAProcessThatWaitsIsNotHeld(t *testing.T) {
	l := New(t)
	var fds [2]int // os.Pipe makes them non-blocking
	require.NoError(l, unix.Pipe2(fds[:], unix.O_CLOEXEC))
	r, w := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	defer w.Close()
	calls := l.Calls()
	p := l.Start(readsOne, HandOver("r", r), calls.HandOver())
	calls.Of(p)
	require.True(l, calls.Hold(0), "before the read")
	calls.Go()
	p.Blocks("nothing was written")
	_, err := w.Write([]byte("x"))
	require.NoError(l, err)
	calls.Reports("x", "read")

	require.False(l, calls.Hold(1), "when it waits in read")
	require.Contains(l, calls.String(), "at rest, after read(pipe)")
	_, err = w.Write([]byte("y"))
	require.NoError(l, err)
	calls.Go()
	calls.Reports("y", "read")
	require.True(l, calls.Hold(0), "before the next read")
	p.Kill() // also a process that is held
}

var readsOne = NewRole("reads one byte at a time", func(c *Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for {
		c.Wait()
		b := make([]byte, 1)
		if _, err := unix.Read(c.given.Files["r"], b); err != nil {
			return err
		}
		c.Report(string(b))
	}
})

// It can be held at one call after the other.
func TestHoldingAProcessAtEachCall(t *testing.T) {
	l := New(t)
	path := l.Path("file")
	require.NoError(l, os.WriteFile(path, []byte("old"), 0o600))
	calls := l.Calls()
	p := l.Start(looksAndReads, Tell("path", path), calls.HandOver())
	calls.Of(p)
	var where []string
	for held := calls.Hold(0); held; held = calls.HoldNext() {
		where = append(where, calls.String())
	}
	calls.Go()
	var text string
	p.Report(&text)
	require.Equal(l, "old", text)
	name := l.base(path)
	require.Equal(l, []string{
		"held before openat()",
		"held before fstat(" + name + "), after openat()",
		"held before pread(" + name + "), after openat(), fstat(" + name + ")",
	}, where)
	p.Kill()
}

// A filter that asks may still be there for a moment when it was given up.
func TestAFilterOfAnotherIsWaitedFor(t *testing.T) {
	t.Cleanup(func() { require.False(t, t.Skipped(), "no process was held beside a filter that is given up") })
	l := New(t)
	calls := l.Calls()
	p := l.Start(wasAsked, calls.HandOver())
	calls.Of(p)
	require.True(l, calls.Hold(0))
	calls.Go()
	p.Exit()
}

var wasAsked = NewRole("has a filter that asks already", func(c *Child) error {
	listener, err := setFilter([]unix.SockFilter{seccomp.Give(unix.SECCOMP_RET_ALLOW)}, asks)
	if err != nil {
		return err
	}
	looks := 0
	anotherAsks = func() {
		if looks++; looks == 3 {
			unix.Close(listener)
		}
	}
	if err := c.ShowCalls(); err != nil {
		return err
	}
	c.Wait()
	_, err = os.Stat("/")
	c.Wait()
	return err
})
