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
