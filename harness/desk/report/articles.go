package report

import (
	"fmt"

	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/judge/gauge/figure"
)

// published are the figures of the two articles that the workbook grows out of:
// 8 MiB as 8,192 messages of 1 KiB.
var published = []struct {
	name, where string
	kbs         float64
}{
	{"multiprocessing.Pipe", "one article", 99_355},
	{"multiprocessing.Pipe", "the other article", 269_668},
	{"file", "", 110_403},
	{"AF_UNIX socket", "", 261_834},
}

// The articles' workload.
const (
	articleSize     = 1 << 10
	articleMessages = 8 << 10
)

// articles is the section with the articles' own figure.
type articles struct {
	Published []publishedRow
	Panels    []articlePanel
}

type publishedRow struct {
	Name, Where, Value string
	Bars               []bar
}

type articlePanel struct {
	Scale  scale
	Note   string
	Groups []articleGroup
}

type articleGroup struct {
	group
	Messages string // where it is not the articles' number
	Rows     []articleRow
}

// articleRow has two figures: without and with the time to start a process.
type articleRow struct {
	Class, Name          string
	Excluded, Included   string
	Bars                 []bar
	Failed               *failed
	transfer, whole      float64
	transferLow, transHi float64
}

// articleFigures is nil where no transfer of this size was run.
func articleFigures(rs []run) *articles {
	var gs []articleGroup
	var tops []float64
	for _, r := range rs {
		for i, b := range r.Benchmarks {
			if b.Kind == gauge.Transfer && b.Size == articleSize {
				g := newArticleGroup(r, i)
				gs, tops = append(gs, g), append(tops, g.top)
			}
		}
	}
	if len(gs) == 0 {
		return nil
	}
	a := &articles{}
	for n, set := range split(tops) {
		top := 0.0
		if n == 0 {
			for _, p := range published {
				top = max(top, p.kbs*1000)
			}
		}
		var p articlePanel
		for _, i := range set {
			top = max(top, tops[i])
			p.Groups = append(p.Groups, gs[i])
		}
		p.Scale = newScale(top, inKB)
		if n == 0 {
			a.Published = publishedRows(p.Scale)
		} else {
			p.Note = anotherScale(figure.KB(p.Scale.max)+" KB/s", figure.KB(a.Panels[0].Scale.max)+" KB/s")
		}
		for _, g := range p.Groups {
			for i := range g.Rows {
				g.Rows[i].draw(p.Scale)
			}
		}
		a.Panels = append(a.Panels, p)
	}
	return a
}

// inKB labels an axis in the articles' unit, which the columns name.
func inKB(v, _ float64) string { return figure.Count(int(v/1000 + 0.5)) }

func publishedRows(s scale) []publishedRow {
	var rows []publishedRow
	for _, p := range published {
		rows = append(rows, publishedRow{Name: p.name, Where: p.where, Value: figure.Count(int(p.kbs)), Bars: []bar{newBar(s, "published", p.kbs*1000, 0, 0)}})
	}
	return rows
}

func newArticleGroup(r run, i int) articleGroup {
	b := r.Benchmarks[i]
	g := articleGroup{group: newGroup(r, i, asRate)}
	if b.Messages != articleMessages {
		g.Messages = fmt.Sprintf("%s, not %s", plural(b.Messages, "message"), figure.Count(articleMessages))
	}
	for _, c := range gauge.Contestants {
		if isLimit(c) {
			continue // the articles have none
		}
		line, there := newRow(r, i, c, asRate)
		if !there {
			continue
		}
		a := articleRow{Class: line.Class, Name: line.Name, Excluded: "–", Included: "–", Failed: line.Failed,
			transfer: line.value, transferLow: line.low, transHi: line.high}
		if known(line.value) {
			a.Excluded = figure.KB(line.value)
		}
		if whole := b.Measured[c].Whole; known(whole) {
			a.whole = float64(b.Messages) * float64(b.Size) / whole
			a.Included = figure.KB(a.whole)
		}
		g.Rows = append(g.Rows, a)
	}
	return g
}

func (a *articleRow) draw(s scale) {
	if a.Failed != nil {
		return
	}
	if known(a.transfer) {
		a.Bars = append(a.Bars, newBar(s, a.Class, a.transfer, a.transferLow, a.transHi))
	}
	if known(a.whole) {
		b := newBar(s, a.Class, a.whole, 0, 0)
		b.Thin = true
		a.Bars = append(a.Bars, b)
	}
}
