package report

import (
	"fmt"
	"strings"
	"time"

	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/judge/gauge/figure"
)

// side is the first picture: all mechanisms, and the same work for each.
type side struct {
	Partial, Date, Stamp, Line, First string
	Picture                           sideChart
	Works                             []string
	Table                             []sideRow
	Charts                            []sideChart // of the other works
	Notes                             []string
}

// sideRow is a mechanism's times: of each work, and to start.
type sideRow struct {
	Name, Code string
	Chapter    int
	Times      []string
}

// sideChart is one work, the fastest mechanism first.
type sideChart struct {
	Title, Head string
	Scale       scale
	Rows        []row
}

// sideBySide is nil where all mechanisms were not measured side by side.
func sideBySide(s *gauge.Side) *side {
	if s == nil || len(s.Mechanisms) == 0 || len(s.Works) == 0 {
		return nil
	}
	p := &side{Partial: s.Partial, Date: formatDate(s.Date), Line: machineLine(s.Machine), First: s.Mechanisms[0].Name,
		Notes: append(s.Reasons(), s.Notes...)}
	if !s.Date.IsZero() {
		p.Stamp = s.Date.Format(time.RFC3339)
	}
	for _, w := range s.Works {
		p.Works = append(p.Works, w.Name)
		c := newSideChart(*s, w)
		if w == s.MainWork() {
			p.Picture = c
		} else if len(c.Rows) > 0 {
			p.Charts = append(p.Charts, c)
		}
	}
	for _, m := range s.Sorted(s.MainWork().Name) {
		line := sideRow{Name: m.Name, Code: m.Code, Chapter: m.Chapter}
		for _, w := range s.Works {
			line.Times = append(line.Times, timeOrDash(m.Measured[w.Name].Median))
		}
		line.Times = append(line.Times, timeOrDash(m.StartUp))
		p.Table = append(p.Table, line)
	}
	return p
}

func timeOrDash(seconds float64) string {
	if !known(seconds) {
		return "–"
	}
	return figure.Time(seconds)
}

func newSideChart(s gauge.Side, w gauge.SideWork) sideChart {
	how, c := asRate, sideChart{Title: "Messages of " + w.Name, Head: "throughput"}
	if w.Size == 1 {
		how, c = asTime, sideChart{Title: "One byte, there and back: a shorter bar is faster", Head: "round trip"}
	}
	var values []float64
	for _, m := range s.Sorted(w.Name) {
		of, there := m.Measured[w.Name]
		if !there || !known(of.Median) {
			continue
		}
		line := row{Class: class(m.Code), Name: m.Name}
		line.value, line.low, line.high = how.figure(gauge.Benchmark{Size: w.Size}, of)
		line.Value = figure.In(how.units, line.value)
		line.Interval = "interval not known"
		if known(line.low, line.high) {
			line.Interval = formatInterval(line.low, line.high, how.units)
		}
		if m.Name != s.Mechanisms[0].Name {
			line.Ratio = ratioText(of.Ratio, of.RatioLow, of.RatioHigh)
		}
		values = append(values, line.value)
		c.Rows = append(c.Rows, line)
	}
	c.Scale = newScale(figure.Top(values), inUnit(how.units))
	for i := range c.Rows {
		c.Rows[i].draw(c.Scale)
	}
	return c
}

// Whose says of which chapter it is, and whose code.
func (r sideRow) Whose() string {
	return strings.TrimSpace(fmt.Sprintf("chapter %d %s", r.Chapter, map[string]string{gauge.Yours: "· yours", gauge.Reference: "· reference"}[r.Code]))
}
