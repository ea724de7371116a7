package lab

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Who sleeps runs nothing, who burns is seen to burn, and who wakes up to sleep
// again is seen to wake up.
func TestRanCountsWhatAProcessRuns(t *testing.T) {
	l := New(t)
	idle, busy, restless := l.Start(waits), l.Start(burnsAndWaits), l.Start(napsAndWaits)
	l.settled()
	before := idle.Ran()
	busyBefore, restlessBefore := busy.Ran(), restless.Ran()
	busy.Go()
	restless.Go()
	var done bool
	busy.Report(&done)
	restless.Report(&done)
	ran := idle.Ran().Since(before)
	require.Less(t, ran.CPU, time.Millisecond)
	require.Less(t, ran.Wakes, 3)
	require.GreaterOrEqual(t, busy.Ran().Since(busyBefore).CPU, 20*time.Millisecond)
	require.GreaterOrEqual(t, restless.Ran().Since(restlessBefore).Wakes, 50)
	idle.Exit()
	busy.Exit()
	restless.Exit()
}

// settled waits until all processes rest.
func (l *Lab) settled() { settle() }

var burnsAndWaits = NewRole("burns", func(c *Child) error {
	c.Wait()
	c.Burn(20 * time.Millisecond)
	c.Report(true)
	c.Wait()
	return nil
})

var napsAndWaits = NewRole("naps", func(c *Child) error {
	c.Wait()
	for range 50 {
		time.Sleep(100 * time.Microsecond)
	}
	c.Report(true)
	c.Wait()
	return nil
})
