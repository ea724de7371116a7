package lab

import (
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// A call that looks again and again has not returned yet, as one that sleeps.
func TestNotYetDoesNotMindHowACallWaits(t *testing.T) {
	l := New(t)
	r, w := pipe(t, l)
	var stop atomic.Bool
	spins := l.Call("spins", func() error {
		for !stop.Load() {
		}
		return nil
	})
	spins.NotYet("nobody has told it to stop")
	stop.Store(true)
	spins.Returns(nil)
	reads := l.Call("Read()", func() error { _, err := r.Read(make([]byte, 1)); return err })
	reads.NotYet("nothing was written")
	_, err := w.Write([]byte{0})
	require.NoError(t, err)
	reads.Returns(nil)
}
