package lab

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/verdict"
)

// While one thread is held another one of its process goes on.
func TestOneThreadIsHeldAlone(t *testing.T) {
	l := New(t)
	calls := l.Calls()
	p := l.Start(readsInTwo, calls.HandOver())
	calls.Alone()
	calls.Of(p)
	where := []string{}
	for n, held := 0, true; held; n++ {
		held = calls.Hold(n)
		where = append(where, calls.String())
		p.Go()
		var other string
		p.Report(&other)
		require.Equal(l, "the other one has read", other)
		calls.Go()
		p.Report(new(bool))
	}
	require.Equal(l, []string{"held before read(eventfd)", "held before read(eventfd), after read(eventfd)", "at rest, after read(eventfd), read(eventfd)"}, where)
	p.Kill()
}

var readsInTwo = NewRole("reads in two goroutines", func(c *Child) error {
	first, err := unix.Eventfd(1000, unix.EFD_CLOEXEC|unix.EFD_SEMAPHORE)
	if err != nil {
		return err
	}
	if err := c.ShowCalls(); err != nil {
		return err
	}
	read := func() error { _, err := unix.Read(first, make([]byte, 8)); return err }
	for {
		c.Wait()
		done := make(chan error)
		go func() { done <- errors.Join(read(), read()) }()
		c.Wait()
		if err := errors.Join(read(), read()); err != nil {
			return err
		}
		c.Report("the other one has read")
		if err := <-done; err != nil {
			return err
		}
		c.Report(true)
	}
})

// A process that waits is held at a call after it was woken.
func TestWhoIsWokenIsHeld(t *testing.T) {
	l := New(t)
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_SEMAPHORE)
	require.NoError(l, err)
	bell := os.NewFile(uintptr(fd), "bell")
	defer bell.Close()
	calls := l.Calls()
	p := l.Start(waitsForABell, Give("bell", bell), calls.HandOver())
	calls.Of(p)
	for n, want := range []string{"held before read(eventfd)", "held before write(eventfd), after read(eventfd)", "at rest, after read(eventfd), write(eventfd)"} {
		p.Blocks("nobody rings")
		calls.Arm(n)
		_, err := unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		require.NoError(l, err)
		require.Equal(l, n < 2, calls.Held())
		require.Equal(l, want, calls.String())
		calls.Go()
		p.Report(new(bool))
	}
	p.Kill()
}

var waitsForABell = NewRole("waits for a bell", func(c *Child) error {
	fd := int(c.File("bell").Fd())
	own, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return err
	}
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for {
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1); err == unix.EINTR {
			continue
		}
		if _, err := unix.Read(fd, make([]byte, 8)); err != nil {
			return err
		}
		if _, err := unix.Write(own, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
			return err
		}
		c.Report(true)
	}
})

// What looks again and again neither sleeps nor returns.
func TestSleepsOrReturns(t *testing.T) {
	l := New(t)
	release := make(chan struct{})
	call := l.Call("a call", func() error { <-release; return nil })
	call.SleepsOrReturns("nobody lets it go")
	close(release)
	call.ReturnsSoon(nil)
	call.SleepsOrReturns("it has returned")
	stop := make(chan struct{})
	restless := l.Call("Get(): why?", func() error {
		for {
			select {
			case <-stop:
				return nil
			case <-time.After(time.Millisecond):
			}
		}
	})
	failed := step(t, func(l *Lab) {
		(&Call{lab: l, what: restless.what, done: restless.done}).SleepsOrReturns("it may not go on")
	})
	require.Len(t, failed, 1)
	require.Equal(t, verdict.Wrong, failed[0].Verdict)
	require.Equal(t, "Get()", failed[0].Call)
	close(stop)
	restless.Returns(nil)
}

// A raw system call is hidden from Go's scheduler. To its monitor thread the goroutine runs, and
// so it looks every 10 ms. All the same who is held so is at rest.
func TestWhoIsHeldInARawCallIsAtRest(t *testing.T) {
	l := New(t)
	calls := l.Calls()
	p := l.Start(writesRawly, calls.HandOver())
	calls.Of(p)
	require.True(l, calls.Hold(0))
	require.True(l, l.Rests())
	require.Equal(l, []int{p.PID()}, heldNow.pids())
	calls.Go()
	require.Empty(l, heldNow.pids())
	p.Report(new(bool))
	p.Kill()
}

var writesRawly = NewRole("writes rawly", func(c *Child) error {
	// Set by hand it is not looked up any more: the monitor thread would read a file for that, and be
	// held, too.
	runtime.GOMAXPROCS(2)
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return err
	}
	if err := c.ShowCalls(); err != nil {
		return err
	}
	c.Wait()
	one := uint64(1)
	unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), 8)
	c.Report(true)
	c.Wait()
	return nil
})
