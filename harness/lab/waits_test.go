package lab

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// What looks again and again waits as well as what sleeps in one call.
func TestWaitTakesWhatLooksAgain(t *testing.T) {
	l := New(t)
	stop := make(chan struct{})
	looks := l.Call("looks()", func() error {
		for {
			select {
			case <-stop:
				return errors.New("stopped")
			case <-time.After(time.Millisecond):
			}
		}
	})
	sleeps := l.Call("sleeps()", func() error { <-stop; return nil })
	l.Wait("nobody has stopped them", looks, sleeps)
	close(stop)
	looks.ReturnsAnError()
	sleeps.Returns(nil)
	require.Empty(t, l.failures)
}

// A call that should fail, and waits instead, is the failure: not a hang.
func TestFailsSoonTellsWhoWaits(t *testing.T) {
	l := New(t)
	l.Call("fails()", func() error { return errors.New("closed") }).FailsSoon()
	require.Empty(t, l.failures)

	stop := make(chan struct{})
	defer close(stop)
	found := failing(t, func(l *Lab) {
		l.Call("waits(): does it block?", func() error { <-stop; return nil }).FailsSoon()
	})
	require.Contains(t, found, "expected: an error")
	require.Contains(t, found, "it waits and does not return")
}

// A call that pauses is found asleep also where a look at the whole step takes longer than
// its pauses, as it does on a slow machine. Here there are many threads to be looked at.
func TestAPauseIsFoundWhereALookTakesLong(t *testing.T) {
	l := New(t)
	pids := []int{os.Getpid()}
	for range 6 {
		var ready bool
		p := l.Start(hasManyThreads)
		p.Report(&ready)
		pids = append(pids, p.PID())
		defer p.Kill()
	}
	stop := make(chan struct{})
	pauses := l.Call("pauses()", func() error {
		for {
			begun := time.Now()
			procfs.Look(pids)
			pause := 2*time.Since(begun) + 40*time.Millisecond // three looks take longer, however busy the machine is now
			select {
			case <-stop:
				return nil
			case <-time.After(pause):
			}
		}
	})
	pauses.Blocks("nobody has stopped it")
	close(stop)
	pauses.Returns(nil)
}

var hasManyThreads = NewRole("has many threads", func(c *Child) error {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	var started sync.WaitGroup
	for range 100 {
		started.Add(1)
		go func() {
			runtime.LockOSThread()
			started.Done()
			unix.Read(fds[0], make([]byte, 1))
		}()
	}
	started.Wait()
	c.Report(true)
	c.Wait()
	return nil
})
