package lab

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Who pauses between two looks sleeps, also when the pause is short. Who only asks
// does not, and neither does one that lets others run.
func TestSleepsTellsAPauseFromNone(t *testing.T) {
	l := New(t)
	pauses := l.Start(looksAgain, Tell("pause", time.Millisecond.String()))
	pauses.Sleeps("pauses()")
	require.Empty(t, l.failures)
	pauses.Kill()

	found := failing(t, func(l *Lab) {
		l.Start(looksAgain, Tell("pause", "0s")).Sleeps("burns(): is there a pause?")
	})
	require.Contains(t, found, "expected: it sleeps in between")
	require.Contains(t, found, "Is there a pause?")
}

var looksAgain = NewRole("looks again", func(c *Child) error {
	pause, err := time.ParseDuration(c.Text("pause"))
	if err != nil {
		return err
	}
	for {
		<-time.After(pause)
	}
})
