package lab

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A call that looks again and again has not returned yet, as one that sleeps.
func TestNotYetDoesNotMindHowACallWaits(t *testing.T) {
	l := New(t)
	r, w := pipe(t, l)
	stop := make(chan struct{})
	spins := l.Call("spins", func() error {
		for {
			select {
			case <-stop:
				return nil
			default:
			}
		}
	})
	spins.NotYet("nobody has told it to stop")
	close(stop)
	spins.Returns(nil)
	reads := l.Call("Read()", func() error { _, err := r.Read(make([]byte, 1)); return err })
	reads.NotYet("nothing was written")
	_, err := w.Write([]byte{0})
	require.NoError(t, err)
	reads.Returns(nil)
}
