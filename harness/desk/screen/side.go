package screen

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/judge/gauge/figure"
)

// Side shows all mechanisms side by side: one table with the time of one message of each size, and
// one chart, both with the fastest first.
func (s Screen) Side(r gauge.Side) { s.charted(r, chart.side) }

// SideChart is the chart of it alone.
func (s Screen) SideChart(r gauge.Side) { s.charted(r, chart.sideChart) }

func (s Screen) charted(r gauge.Side, draw func(chart, gauge.Side)) {
	var b strings.Builder
	c := chart{Screen: s, blocks: s.blocks()}
	c.w, c.ascii = &b, false
	for _, m := range r.Mechanisms {
		c.column = max(c.column, utf8.RuneCountInString(m.Name))
	}
	if c.ratio = len("0.496 (0.481-0.511)"); c.width < 60 {
		c.ratio = len("0.496")
	}
	c.bar = max(leastBar, c.width-utf8.RuneCountInString(c.row("", "", "", "")))
	draw(c, r)
	s.write(strings.ReplaceAll(b.String(), "\n\n\n", "\n\n"))
}

func (c chart) side(r gauge.Side) {
	c.line("\n%s\n", c.bold("All mechanisms side by side"))
	c.partial(r.Partial)
	for _, line := range strings.Split(strings.TrimRight(gauge.SideTable(r, c.width-2), "\n"), "\n") {
		c.line("  %s", line)
	}
	c.line("")
	c.Paragraph("Each is the time of one message on its way, of one byte there and back, and of the start before the first message.")
	c.line("")
	c.sideChart(r)
	c.line("")
	c.Paragraph(whose(r))
	for _, note := range append(r.Reasons(), r.Notes...) {
		for i, line := range pack(strings.Fields(note), " ", c.width-2) {
			c.line("%*s%s", 2*min(i, 1), "", line)
		}
	}
	c.machine(r.Machine, sideRounds(r), r.Date)
}

func sideRounds(r gauge.Side) string {
	if r.Rounds == 1 {
		return "1 round"
	}
	return fmt.Sprintf("%d rounds", r.Rounds)
}

// sideChart draws a bar of each mechanism's speed. A ring in memory is far ahead of all that the
// kernel copies; a bar that is too long for the others is cut.
func (c chart) sideChart(r gauge.Side) {
	first, work := r.Mechanisms[0].Name, r.MainWork()
	c.line("  %s", c.bold("Messages of "+work.Name))
	interval := "95 % interval"
	if r.Rounds < gauge.LeastRounds {
		interval = "all rounds"
	}
	for _, line := range pack(strings.Fields(fmt.Sprintf("Longer is faster, » is cut. Right: ratio to the %s, %s.", first, interval)), " ", c.width-2) {
		c.line("  %s", c.dim(line))
	}
	var speeds []float64
	for _, m := range r.Mechanisms {
		if of := m.Measured[work.Name]; of.Median > 0 {
			speeds = append(speeds, 1/of.Median)
		}
	}
	full := figure.Top(speeds)
	for _, m := range r.Sorted(work.Name) {
		of, there := m.Measured[work.Name]
		if !there {
			continue
		}
		ratio := ""
		if m.Name != first && of.Ratio > 0 && c.width >= 50 {
			ratio = fmt.Sprintf("%5s (%s-%s)", figure.Ratio(of.Ratio), figure.Ratio(of.RatioLow), figure.Ratio(of.RatioHigh))
		}
		c.line("%s", c.row(m.Name, c.length(1/of.Median, full), figure.Rate(float64(work.Size)/of.Median), ratio))
	}
}

// whose says whose code was measured.
func whose(r gauge.Side) string {
	by := map[string][]string{}
	for _, m := range r.Mechanisms {
		n := fmt.Sprint(m.Chapter)
		if m.Code != "" && !slices.Contains(by[m.Code], n) {
			by[m.Code] = append(by[m.Code], n)
		}
	}
	var texts []string
	for _, code := range []string{gauge.Yours, gauge.Reference} {
		if len(by[code]) > 0 {
			texts = append(texts, fmt.Sprintf("%s %s", code, strings.Join(by[code], ", ")))
		}
	}
	return "Whose code, by chapter: " + strings.Join(texts, "; ") + "."
}
