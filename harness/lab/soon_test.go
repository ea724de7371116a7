package lab

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A report that is there is taken, also when the time is over at the same moment: select
// takes either of two that are ready.
func TestAReportGoesBeforeTheClock(t *testing.T) {
	for _, wait := range []time.Duration{0, time.Nanosecond} {
		for range 1000 {
			p := &Process{reports: make(chan json.RawMessage, 1)}
			p.reports <- json.RawMessage(`1`)
			require.True(t, p.within(wait))
			require.Len(t, p.early, 1)
		}
	}
	p := &Process{reports: make(chan json.RawMessage)}
	require.False(t, p.within(0))
	require.False(t, p.within(time.Nanosecond))
	close(p.reports)
	require.True(t, p.within(0), "the end of all reports: Report tells why there is none")
	require.Empty(t, p.early)
}
