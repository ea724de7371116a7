package gauge

import (
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// confidence is that of every interval.
const confidence = 0.95

// LeastRounds is how many values the interval of a median needs: with five, both
// ends of the interval are beyond the smallest and the largest of them.
const LeastRounds = 6

// median returns the median of some values and its confidence interval. Nothing
// is assumed of how they are spread. Where there are too few for an interval, it
// is all there is.
func median(values []float64) (center, low, high float64) {
	if len(values) == 0 {
		return 0, 0, 0
	}
	s := benchmath.AssumeNothing.Summary(benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds), confidence)
	center, low, high = s.Center, s.Lo, s.Hi
	if math.IsInf(low, 0) || math.IsNaN(low) {
		low = slices.Min(values)
	}
	if math.IsInf(high, 0) || math.IsNaN(high) {
		high = slices.Max(values)
	}
	return center, low, high
}

// measureOf sums up what one contestant did. The reference's turns of the same
// rounds are what its ratio is to. Asked is how many messages a turn has: one that
// is too slow for that sends less, and its whole turn is reckoned up.
func measureOf(turns, reference []turn, asked int) Measure {
	var m Measure
	var ratios []float64
	used := PerMessage{}
	for i, t := range turns {
		m.Samples = append(m.Samples, t.perMessage())
		m.Wholes = append(m.Wholes, t.Whole+t.perMessage()*float64(asked-t.Messages))
		if i < len(reference) && t.perMessage() > 0 {
			ratios = append(ratios, reference[i].perMessage()/t.perMessage())
		}
		n := float64(t.Messages * len(turns))
		used.Reads += float64(t.Usage.Reads) / n
		used.Writes += float64(t.Usage.Writes) / n
		used.Waits += float64(t.Usage.Waits) / n
		used.CPU += t.Usage.CPU / n
		used.Memory += float64(t.Usage.Memory) / n
	}
	if used != (PerMessage{}) {
		m.PerMessage = &used
	}
	m.Median, m.Low, m.High = median(m.Samples)
	m.Whole, _, _ = median(m.Wholes)
	m.Ratio, m.RatioLow, m.RatioHigh = median(ratios)
	return m
}
