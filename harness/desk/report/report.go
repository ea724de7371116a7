// Package report draws what was measured of all chapters as one HTML page.
//
// The page is one file. It needs no network, no script and no other file, so it
// opens from disk, can be mailed, and prints. Every figure stands there as text,
// in a table; a bar beside it is decoration and is hidden from screen readers.
//
// What is drawn: report.go puts the page together, chart.go makes bars of
// figures, scale.go finds the axis, and page.html and page.css are what is seen.
package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/verdict"
)

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	styleText string

	pageTemplate = template.Must(template.New("page").Parse(pageText))
)

// page is what the template shows.
type page struct {
	Style template.CSS
	Empty bool

	Chapters, Benchmarks string
	Counts               []count
	Alerts               []alert
	Key                  []keyEntry

	Side      *side
	Verdicts  []chapterVerdicts
	Transfers []chart
	Latency   *chart
	Articles  *articles
	Runs      runs
}

// count is how many benchmarks ended in this way.
type count struct {
	Mark mark
	N    int
}

// alert is what a reader must know before any figure.
type alert struct {
	Run, Anchor, Title, Text string
}

// keyEntry explains a contestant.
type keyEntry struct {
	Class, Name, Text string
}

// Write renders the page of these results, and of all mechanisms side by side, if they were measured
// so.
func Write(w io.Writer, results []gauge.Result, all *gauge.Side) error {
	if err := pageTemplate.Execute(w, newPage(results, all)); err != nil {
		return fmt.Errorf("rendering the report: %w", err)
	}
	return nil
}

func newPage(results []gauge.Result, all *gauge.Side) page {
	runs := inOrder(results)
	p := page{
		Style:      template.CSS(styleText),
		Empty:      len(runs) == 0 && all == nil,
		Side:       sideBySide(all),
		Chapters:   plural(chapters(runs), "chapter"),
		Benchmarks: plural(benchmarks(runs), "benchmark"),
		Counts:     counts(runs),
		Alerts:     alerts(runs),
		Key:        key(runs),
		Transfers:  transferCharts(runs),
		Latency:    latencyChart(runs),
		Articles:   articleFigures(runs),
		Runs:       runCards(runs),
	}
	for _, r := range runs {
		p.Verdicts = append(p.Verdicts, chapterVerdict(r))
	}
	return p
}

// run is one result and its place on the page.
type run struct {
	gauge.Result
	anchor string
}

func inOrder(results []gauge.Result) []run {
	sorted := slices.Clone(results)
	slices.SortStableFunc(sorted, func(a, b gauge.Result) int { return cmp.Compare(a.Chapter, b.Chapter) })
	var rs []run
	for i, r := range sorted {
		rs = append(rs, run{Result: r, anchor: fmt.Sprintf("run-%d", i+1)})
	}
	return rs
}

// heading is "1 · pipe", with the implementation where it is not the learner's.
func (r run) heading() string {
	h := fmt.Sprintf("%d · %s", r.Chapter, r.Name)
	if r.Impl != "" {
		h += " (" + r.yours() + ")"
	}
	return h
}

// title says more than the name, or nothing.
func (r run) title() string {
	if r.Title == r.Name {
		return ""
	}
	return r.Title
}

// benchmarkAnchor is where the verdict of the i-th benchmark stands.
func (r run) benchmarkAnchor(i int) string { return fmt.Sprintf("%s-%d", r.anchor, i+1) }

func chapters(rs []run) int {
	seen := map[int]bool{}
	for _, r := range rs {
		seen[r.Chapter] = true
	}
	return len(seen)
}

func benchmarks(rs []run) int {
	n := 0
	for _, r := range rs {
		n += len(r.Benchmarks)
	}
	return n
}

func counts(rs []run) []count {
	n := map[verdict.Verdict]int{}
	for _, r := range rs {
		for _, b := range r.Benchmarks {
			n[b.Verdict]++
		}
	}
	var cs []count
	for v, sign := range n {
		cs = append(cs, count{Mark: newMark(v), N: sign})
	}
	slices.SortFunc(cs, func(a, b count) int { return a.Mark.compare(b.Mark) })
	return cs
}

// alerts are the runs that are not whole and the chapters that do not build.
func alerts(rs []run) []alert {
	var as []alert
	for _, r := range rs {
		if r.Partial != "" {
			as = append(as, alert{r.heading(), r.anchor, "partial run", r.Partial})
		}
		if r.Message != "" {
			as = append(as, alert{r.heading(), r.anchor, string(r.Verdict), firstLine(r.Message)})
		}
	}
	return as
}

// key has the contestants that took part anywhere.
func key(rs []run) []keyEntry {
	var entries []keyEntry
	for _, c := range gauge.Contestants {
		names := []string{}
		for _, r := range rs {
			name := r.contestant(c)
			if r.took(c) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			entries = append(entries, keyEntry{Class: class(c), Name: strings.Join(names, ", "), Text: meaning[c]})
		}
	}
	return entries
}

// took says if the contestant has a figure in any benchmark of this run.
func (r run) took(contestant string) bool {
	return slices.ContainsFunc(r.Benchmarks, func(b gauge.Benchmark) bool {
		_, ok := measure(b, contestant)
		return ok
	})
}
