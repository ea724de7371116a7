package gauge

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"ipcworkbook/harness/judge/gauge/figure"
)

// slowness says how slow a benchmark is, and what it does more often than the
// reference: the likeliest reason.
func slowness(b Benchmark) string {
	yours, reference := b.Measured[Yours], b.Measured[Reference]
	each := "message"
	switch b.Kind {
	case Operation:
		each = "operation"
	case Tasks:
		each = "task"
	}
	unit := each
	if b.Kind == PingPong {
		unit = "message there and back"
	}
	lines := []string{
		fmt.Sprintf("For each %s your code takes %s, the reference %s: that is %s of its speed.",
			unit, figure.Time(yours.Median), figure.Time(reference.Median), figure.Ratio(b.Ratio, b.Gate)),
		fmt.Sprintf("At least %.2f is asked for.", b.Gate),
	}
	more := moreOften(each, yours.PerMessage, reference.PerMessage)
	if b.Cores == Shared && idle(yours) > 0.5 && idle(reference) < 0.25 {
		// What follows from it is no news beside it.
		more = fmt.Sprintf("For %.0f %% of that time neither of the two processes ran.\n"+
			"Does one of them sleep for a while, where it could wait for the event itself?", 100*idle(yours))
	}
	if more != "" {
		lines = append(lines, "", more)
	}
	return strings.Join(lines, "\n")
}

// idle is the part of the time in which neither process ran, if both share a core.
// Other programs on that core count as well.
func idle(m Measure) float64 {
	if m.PerMessage == nil || m.Median <= 0 {
		return 0
	}
	return max(0, 1-m.PerMessage.CPU/m.Median)
}

// moreOften compares what both do for each message, and names what differs most:
// two things at most.
func moreOften(each string, yours, reference *PerMessage) string {
	if yours == nil || reference == nil {
		return ""
	}
	costs := []cost{
		{yours.Reads, reference.Reads, 2, "made %s read calls, the reference %s",
			"A system call costs more than the bytes that it moves: ask for many bytes at once.", figure.Digits},
		{yours.Writes, reference.Writes, 1, "made %s write calls, the reference %s",
			"A system call costs more than the bytes that it moves: give it all that there is.", figure.Digits},
		{yours.Waits, reference.Waits, 0.5, "waited %s times, the reference %s",
			"Each wait costs a change of context. Does it sleep for a while, where it could wait for the event itself?", figure.Digits},
		{yours.Memory, reference.Memory, 1024, "allocated %s bytes, the reference %s",
			"Memory has to be cleared before it is used, and collected afterwards: take no more than the message needs.", whole},
		{yours.CPU, reference.CPU, 1e-6, "used %s of processor time, the reference %s",
			"What does your code do for each message, beside passing it on?", figure.Time},
	}
	slices.SortStableFunc(costs, func(a, b cost) int { return cmp.Compare(b.factor(), a.factor()) })
	var lines []string
	for _, c := range costs {
		if c.factor() > 2 && len(lines) < 2 {
			lines = append(lines, fmt.Sprintf("For each "+each+" it "+c.what+".\n%s", c.write(c.yours), c.write(c.reference), c.reason))
		}
	}
	return strings.Join(lines, "\n")
}

// cost is something that both do for each message.
type cost struct {
	yours, reference float64
	least            float64 // what a mistake costs at least
	what, reason     string
	write            func(float64) string
}

// factor is how many times as much yours is. What is next to nothing does not count.
func (c cost) factor() float64 { return (c.yours + c.least) / (c.reference + c.least) }

func whole(x float64) string { return figure.Count(int(x + 0.5)) }
