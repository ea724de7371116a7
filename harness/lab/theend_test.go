package lab

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Where the last writer has gone, a call that sleeps over the end, or asks for it again
// and again, is told so at once.
func TestTheEndIsReturned(t *testing.T) {
	for name, pause := range map[string]time.Duration{"sleeps": time.Second, "asks": 0} {
		t.Run(name, func(t *testing.T) {
			stop := make(chan struct{})
			defer close(stop)
			found := failing(t, func(l *Lab) {
				r, w, err := os.Pipe()
				require.NoError(t, err)
				l.CloseAtEnd(r, w)
				require.NoError(t, w.Close())
				l.Call("Recv(): a reason", func() error {
					for {
						select {
						case <-stop:
							return nil
						case <-time.After(pause):
						}
						if _, err := r.Read(make([]byte, 1)); err != io.EOF {
							return err // the test has ended, and closed it
						}
					}
				}).ReturnsTheEnd(r)
			})
			require.Contains(t, found, "no process has the write end any more")
			require.Contains(t, found, "tried again?")
			require.NotContains(t, found, "A reason")
		})
	}
	l := New(t)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	l.CloseAtEnd(r, w)
	call := l.Call("Read()", func() error { _, err := r.Read(make([]byte, 1)); return err })
	require.NoError(t, w.Close())
	call.ReturnsTheEnd(r)
}
