package lab

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A process that always moves makes no call that could be held, and reports nothing: neither is
// waited for without end.
func TestWhoNeverRestsIsNotWaitedFor(t *testing.T) {
	found := failing(t, func(l *Lab) {
		calls := l.Calls()
		p := l.Start(neverRests, calls.HandOver())
		calls.Of(p)
		require.False(t, calls.Hold(0))
		require.Equal(t, "never at rest", calls.String())
		calls.Reports("done", "what it reports: does it look again and again?")
	})
	for _, words := range []string{"it was:   never at rest", "got:      it goes on and on, and does not report", "Does it look again and again?"} {
		require.Contains(t, found, words)
	}
}

var neverRests = NewRole("never rests", func(c *Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for c.Wait(); ; {
		time.Sleep(time.Millisecond)
	}
})
