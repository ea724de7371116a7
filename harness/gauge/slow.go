package gauge

import (
	"fmt"
	"strings"

	"ipcworkbook/harness/figure"
)

// slowness says how slow a benchmark is, and what it does more often than the
// reference: the likeliest reason.
func slowness(b Benchmark) string {
	yours, reference := b.Measured[Yours], b.Measured[Reference]
	unit := "message"
	if b.Kind == PingPong {
		unit = "message there and back"
	}
	lines := []string{
		fmt.Sprintf("For each %s your code takes %s, the reference %s: that is %s of its speed.",
			unit, figure.Time(yours.Median), figure.Time(reference.Median), figure.Ratio(b.Ratio, b.Gate)),
		fmt.Sprintf("At least %.2f is asked for.", b.Gate),
	}
	if more := moreOften(yours.PerMessage, reference.PerMessage); more != "" {
		lines = append(lines, "", more)
	}
	return strings.Join(lines, "\n")
}

// moreOften compares what both do for each message.
func moreOften(yours, reference *PerMessage) string {
	if yours == nil || reference == nil {
		return ""
	}
	var lines []string
	for _, c := range []struct {
		yours, reference float64
		what, reason     string
	}{
		{yours.Reads, reference.Reads, "read calls", "A system call costs more than the bytes that it moves: ask for many bytes at once."},
		{yours.Writes, reference.Writes, "write calls", "A system call costs more than the bytes that it moves: give it all that there is."},
		{yours.Waits, reference.Waits, "waits (a thread gave up its core)", "Each wait costs a change of context. Does it sleep for a while, where it could wait for the event itself?"},
	} {
		// Half a call more is what a mistake costs at least.
		if c.yours > 2*c.reference && c.yours > c.reference+0.5 {
			lines = append(lines, fmt.Sprintf("For each message it made %.1f %s, the reference %.1f.\n%s", c.yours, c.what, c.reference, c.reason))
		}
	}
	if len(lines) == 0 && yours.CPU > 2*reference.CPU {
		lines = append(lines, fmt.Sprintf("For each message it used %s of processor time, the reference %s.\nIs the time spent in your own code? A profile shows where: go test -bench . -cpuprofile cpu.out",
			figure.Time(yours.CPU), figure.Time(reference.CPU)))
	}
	return strings.Join(lines, "\n")
}
