package lab

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Futexes that processes share are shown, those of the runtime are not.
func TestSharedFutexesAreHeld(t *testing.T) {
	l := New(t)
	calls := l.Calls()
	p := l.Start(wakes, calls.HandOver())
	calls.Of(p)
	var where []string
	for n, held := 0, true; held; n++ {
		held = calls.Hold(n)
		where = append(where, calls.String())
		calls.Go()
		p.Report(new(bool))
	}
	require.Equal(l, []string{"held before futex(wake)", "held before futex(wait), after futex(wake)", "at rest, after futex(wake), futex(wait)"}, where)
	p.Kill()
}

var wakes = NewRole("wakes nobody", func(c *Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	var word uint32
	for {
		c.Wait()
		const privateWake = futexPrivate | 1
		futex(&word, privateWake, 1)
		futex(&word, 1, 1)
		futex(&word, 0, 1) // the word has another value: it does not wait
		c.Report(true)
	}
})

func futex(word *uint32, operation, value uintptr) {
	unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), operation, value, 0, 0, 0)
}

// All calls of a thread are counted, and none of another one.
func TestAllCallsOfAThread(t *testing.T) {
	l := New(t)
	calls := l.Calls()
	p := l.Start(asksForItself, calls.HandOver())
	calls.Of(p)
	p.Report(new(bool)) // its preparations are over
	for _, n := range []int{0, 3} {
		calls.Passed()
		p.Go()
		p.Report(new(bool))
		require.Len(l, calls.Passed(), n)
	}
	p.Kill()
}

var asksForItself = NewRole("asks for itself", func(c *Child) error {
	runtime.LockOSThread()
	if err := c.ShowAllCalls(); err != nil {
		return err
	}
	c.Report(true)
	c.Wait()
	c.Report(true)
	c.Wait()
	for range 3 {
		unix.Getppid()
	}
	c.Report(true)
	c.Wait()
	return nil
})

// The eventfds of a program are shown, and that of the runtime's poller is not.
func TestEventfdsAreHeld(t *testing.T) {
	l := New(t)
	calls := l.Calls()
	p := l.Start(ringsABell, calls.HandOver())
	calls.Of(p)
	require.True(t, calls.Hold(0))
	require.Equal(t, "held before write(eventfd)", calls.String())
	require.True(t, calls.HoldNext())
	require.False(t, calls.HoldNext(), "what comes after read: %s", calls)
	p.Report(new(bool))
	require.Equal(t, []string{"write(eventfd)", "read(eventfd)"}, calls.Passed())
	p.Kill()
}

var ringsABell = NewRole("rings a bell", func(c *Child) error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return err
	}
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for {
		c.Wait()
		one := []byte{1, 0, 0, 0, 0, 0, 0, 1}
		if _, err := unix.Write(fd, one); err != nil {
			return err
		}
		if _, err := unix.Read(fd, one); err != nil {
			return err
		}
		c.Report(true)
	}
})
