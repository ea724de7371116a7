package report

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/judge/gauge/figure"
	"ipcworkbook/harness/verdict"
)

// chart is one table with bars.
type chart struct {
	ID, Title, Text, Head string
	Panels                []panel
}

// panel is the part of a chart that shares an axis.
type panel struct {
	Scale  scale
	Note   string
	Groups []group
}

// group is one mechanism and what each contestant made of it.
type group struct {
	Title, Detail, Anchor string
	Partial               bool
	Without               string // the contestants that are not there
	Few                   string // what the interval is where there are few rounds
	Rows                  []row

	top    float64   // the longest bar that there must be room for
	limits []float64 // what has a bar as far as there is room
}

// row is one contestant. It has bars, or says why not.
type row struct {
	Class, Name            string
	Value, Interval, Ratio string
	Bars                   []bar
	Failed                 *failed

	value, low, high float64
}

// bar is drawn on the panel's axis.
type bar struct {
	Class   string // of the contestant
	Thin    bool   // the second one of a row
	Length  template.CSS
	Whisker *whisker
	Cut     string // how far beyond the axis it goes
}

// whisker is an interval. An open one goes on beyond the axis.
type whisker struct {
	Place template.CSS
	Open  bool
}

// newWhisker is nil where the interval is not known, or not on the axis.
func newWhisker(s scale, low, high float64) *whisker {
	if !known(low, high) || low >= s.max {
		return nil
	}
	from, to := s.part(low), s.part(high)
	return &whisker{
		Place: percent("left", from) + ";" + percent("width", to-from),
		Open:  high > s.max*(1+1e-9),
	}
}

// failed stands in the place of a bar.
type failed struct {
	Mark         mark
	Text, Anchor string
}

// reading is how a chart makes a figure of a measure.
type reading struct {
	units  []figure.Unit
	figure func(b gauge.Benchmark, m gauge.Measure) (value, low, high float64)
}

var (
	asRate = reading{figure.Rates, func(b gauge.Benchmark, m gauge.Measure) (float64, float64, float64) {
		size := float64(b.Size)
		if !known(m.Low, m.High) {
			return size / m.Median, 0, 0
		}
		return size / m.Median, size / m.High, size / m.Low
	}}
	asTime = reading{figure.Times, func(_ gauge.Benchmark, m gauge.Measure) (float64, float64, float64) {
		return m.Median, m.Low, m.High
	}}
)

// transferCharts has a chart for each size of message.
func transferCharts(rs []run) []chart {
	sizes := map[int]bool{}
	for _, r := range rs {
		for _, b := range r.Benchmarks {
			if b.IsStream() {
				sizes[b.Size] = true
			}
		}
	}
	var charts []chart
	for _, size := range sorted(sizes) {
		charts = append(charts, chart{
			ID:    fmt.Sprintf("throughput-%d", size),
			Title: "Messages of " + formatSize(size),
			Head:  "throughput",
			Panels: panels(asRate, groups(rs, asRate, func(b gauge.Benchmark) bool {
				return b.IsStream() && b.Size == size
			})),
		})
	}
	return charts
}

func sorted(set map[int]bool) []int {
	var ns []int
	for n := range set {
		ns = append(ns, n)
	}
	slices.Sort(ns)
	return ns
}

// latencyChart is nil where no ping-pong was run.
func latencyChart(rs []run) *chart {
	gs := groups(rs, asTime, func(b gauge.Benchmark) bool { return b.Kind == gauge.PingPong })
	if len(gs) == 0 {
		return nil
	}
	return &chart{ID: "latency-chart", Head: "round trip", Title: "Round trip of a message",
		Panels: panels(asTime, gs)}
}

// groups are the benchmarks that are wanted, one group for each.
func groups(rs []run, how reading, want func(gauge.Benchmark) bool) []group {
	var gs []group
	for _, r := range rs {
		for i, b := range r.Benchmarks {
			if want(b) {
				gs = append(gs, newGroup(r, i, how))
			}
		}
	}
	return gs
}

func newGroup(r run, i int, how reading) group {
	b := r.Benchmarks[i]
	g := group{Title: r.heading(), Detail: mechanism(b), Anchor: r.anchor, Partial: r.Partial != ""}
	if b.Kind == gauge.PingPong && b.Size > 1 {
		g.Detail = strings.TrimPrefix(g.Detail+", "+formatSize(b.Size), ", ")
	}
	var core []float64
	var without []string
	for _, c := range gauge.Contestants {
		line, there := newRow(r, i, c, how)
		if !there {
			if !isLimit(c) {
				without = append(without, "no "+r.contestant(c))
			}
			continue
		}
		g.Rows = append(g.Rows, line)
		if line.Failed != nil {
			continue
		}
		if isLimit(c) {
			g.limits = append(g.limits, line.value)
		} else {
			core = append(core, line.value)
		}
	}
	g.top = figure.Top(core)
	if len(core) > 0 { // else nobody was measured, and the verdict says why
		g.Without = strings.Join(without, ", ")
		g.Few = fewRounds(b.Rounds)
	}
	return g
}

// isLimit is true for what is no contestant but shows how far one could go.
func isLimit(contestant string) bool {
	return contestant == gauge.Limit || contestant == gauge.Memcpy
}

// newRow is what a contestant made of a benchmark. It is not there if it took
// no part. What is judged and did not pass is there, without a bar.
func newRow(r run, i int, contestant string, how reading) (row, bool) {
	b := r.Benchmarks[i]
	line := row{Class: class(contestant), Name: r.contestant(contestant), Value: "–"}
	m, measured := measure(b, contestant)
	if measured {
		line.value, line.low, line.high = how.figure(b, m)
		line.Value = figure.In(how.units, line.value)
		line.Interval = "interval not known"
		if known(line.low, line.high) {
			line.Interval = formatInterval(line.low, line.high, how.units)
		}
		line.Ratio = ratioText(m.Ratio, m.RatioLow, m.RatioHigh)
		if contestant == gauge.Reference {
			line.Ratio = ratioText(m.Ratio, 0, 0) // beside itself
		}
	}
	if contestant == gauge.Yours && b.Verdict != verdict.Pass && !b.Unjudged() {
		line.Failed = &failed{Mark: newMark(b.Verdict), Text: beginning(b.Message), Anchor: r.benchmarkAnchor(i)}
		return line, true
	}
	return line, measured
}

// leastRounds is how many values a 95 % interval of their median needs. With
// fewer the gauge gives the smallest and the largest one.
const leastRounds = 6

// fewRounds says what an interval is that is none.
func fewRounds(n int) string {
	if n == 0 || n >= leastRounds {
		return ""
	}
	return fmt.Sprintf(" Only %s: too few for an interval, the whisker spans all of them.", plural(n, "round"))
}

// measure is what a contestant made of a benchmark. The short form has the
// median only.
func measure(b gauge.Benchmark, contestant string) (gauge.Measure, bool) {
	if m, ok := b.Measured[contestant]; ok && known(m.Median) {
		return m, true
	}
	if s := b.SecondsPerOp[contestant]; s != nil && known(*s) {
		return gauge.Measure{Median: *s}, true
	}
	return gauge.Measure{}, false
}

func ratioText(ratio, low, high float64) string {
	switch {
	case !known(ratio):
		return ""
	case !known(low, high):
		return "× " + formatRatio(ratio)
	}
	return fmt.Sprintf("× %s (%s – %s)", formatRatio(ratio), formatRatio(low), formatRatio(high))
}

// panels puts groups on axes, and bars on groups.
func panels(how reading, gs []group) []panel {
	tops := make([]float64, len(gs))
	for i, g := range gs {
		tops[i] = g.top
	}
	var ps []panel
	for _, set := range split(tops) {
		var p panel
		for _, i := range set {
			p.Groups = append(p.Groups, gs[i])
		}
		p.Scale = newScale(room(p.Groups), inUnit(how.units))
		for _, g := range p.Groups {
			for i := range g.Rows {
				g.Rows[i].draw(p.Scale)
			}
		}
		if len(ps) > 0 {
			p.Note = anotherScale(figure.In(how.units, p.Scale.max), figure.In(how.units, ps[0].Scale.max))
		}
		ps = append(ps, p)
	}
	return ps
}

func anotherScale(end, first string) string {
	return fmt.Sprintf("Another scale: it ends at %s, the first one at %s.", end, first)
}

// nearEnough is how much longer than needed an axis may be so that a limit's
// bar is not cut.
const nearEnough = 1.6

// room is the figure that the axis of these groups must reach.
func room(gs []group) float64 {
	var top float64
	var limits []float64
	for _, g := range gs {
		top = max(top, g.top)
		limits = append(limits, g.limits...)
	}
	if !known(top) {
		return figure.Top(limits)
	}
	longer := top
	for _, limit := range limits {
		if limit <= nearEnough*top {
			longer = max(longer, limit)
		}
	}
	return longer
}

func (line *row) draw(s scale) {
	if line.Failed == nil && known(line.value) {
		line.Bars = []bar{newBar(s, line.Class, line.value, line.low, line.high)}
	}
}

func newBar(s scale, class string, value, low, high float64) bar {
	b := bar{Class: class, Length: percent("width", s.part(value))}
	if value > s.max*(1+1e-9) {
		b.Cut = significantShort(value/s.max) + " × the scale"
		return b
	}
	b.Whisker = newWhisker(s, low, high)
	return b
}
