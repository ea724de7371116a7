package gauge

import (
	"fmt"
	"strings"
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
			unit, Duration(yours.Median), Duration(reference.Median), below(b.Ratio, b.Gate)),
		fmt.Sprintf("At least %.2f is asked for.", b.Gate),
	}
	if more := moreOften(yours.PerMessage, reference.PerMessage); more != "" {
		lines = append(lines, "", more)
	}
	return strings.Join(lines, "\n")
}

// below is a ratio with as many digits as it takes to tell it from the gate.
func below(ratio, gate float64) string {
	text := fmt.Sprintf("%.2f", ratio)
	for n := 3; n < 9 && text == fmt.Sprintf("%.*f", n-1, gate); n++ {
		text = fmt.Sprintf("%.*f", n, ratio)
	}
	return text
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
			Duration(yours.CPU), Duration(reference.CPU)))
	}
	return strings.Join(lines, "\n")
}

// Duration is seconds with three digits and a unit that fits.
func Duration(seconds float64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"s", 1}, {"ms", 1e-3}, {"µs", 1e-6}} {
		if seconds >= u.size {
			return digits(seconds/u.size) + " " + u.name
		}
	}
	return digits(seconds*1e9) + " ns"
}

// digits is a number from 1 with three digits.
func digits(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}
