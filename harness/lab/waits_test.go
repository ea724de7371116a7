package lab

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
