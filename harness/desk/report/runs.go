package report

import (
	"fmt"
	"time"

	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/judge/gauge/figure"
)

// runs is what the figures depend on.
type runs struct {
	// Machine is there if all runs were made on the same one.
	Machine []fact
	Line    string // the same, in one line
	Dates   string
	Cards   []card
}

type fact struct{ Name, Value string }

// card is one run.
type card struct {
	Anchor, Heading, Title string
	Mark                   mark
	Date, Stamp            string
	Impl                   string
	Machine                []fact // where the runs differ
	Missing                []fact
	Partial                string
	Notes                  []string
	Figures                []figures
}

// figures are all numbers of a benchmark.
type figures struct {
	Name, Work string
	Rows       []figureRow
}

type figureRow struct {
	Name, Median, Interval, Whole, Samples string
}

func runCards(rs []run) runs {
	var all runs
	if len(rs) == 0 {
		return all
	}
	first := rs[0].Machine
	one, sameHost := true, true
	for _, r := range rs {
		one = one && r.Machine == first
		sameHost = sameHost && r.Machine.CPU == first.CPU && r.Machine.Cores == first.Cores && r.Machine.Kernel == first.Kernel
	}
	switch {
	case one:
		all.Machine = facts(first)
		all.Line = machineLine(first)
	case sameHost: // a run without peers knows no Python and no compiler
		all.Line = machineLine(gauge.Machine{CPU: first.CPU, Cores: first.Cores, Kernel: first.Kernel})
	default:
		all.Line = "On more than one machine; each run says which."
	}
	all.Dates = dates(rs)
	for _, r := range rs {
		c := card{
			Anchor: r.anchor, Heading: r.heading(), Title: r.title(), Mark: newMark(r.Verdict),
			Date: formatDate(r.Date), Impl: r.Impl, Partial: r.Partial, Notes: r.Notes,
		}
		if !r.Date.IsZero() {
			c.Stamp = r.Date.Format(time.RFC3339)
		}
		if !one {
			c.Machine = facts(r.Machine)
		}
		for _, name := range gauge.Contestants {
			if why, ok := r.Missing[name]; ok {
				c.Missing = append(c.Missing, fact{r.contestant(name), why})
			}
		}
		for _, b := range r.Benchmarks {
			if f := allFigures(r, b); len(f.Rows) > 0 {
				c.Figures = append(c.Figures, f)
			}
		}
		all.Cards = append(all.Cards, c)
	}
	return all
}

func facts(m gauge.Machine) []fact {
	cores := ""
	if m.Cores > 0 {
		cores = figure.Count(m.Cores)
	}
	var fs []fact
	for _, f := range []fact{
		{"CPU", m.CPU}, {"Cores", cores}, {"Kernel", m.Kernel},
		{"Go", m.Go}, {"Python", m.Python}, {"C compiler", m.C},
	} {
		if f.Value != "" { // who is missing, and why, stands elsewhere
			fs = append(fs, f)
		}
	}
	return fs
}

func machineLine(m gauge.Machine) string {
	line := m.CPU
	if m.Cores > 0 {
		line += ", " + plural(m.Cores, "core")
	}
	for _, part := range []string{m.Kernel, m.Go} {
		if part != "" {
			line += ", " + part
		}
	}
	return line
}

// dates is the day of all runs, or the first and the last day.
func dates(rs []run) string {
	var first, last time.Time
	for _, r := range rs {
		if r.Date.IsZero() {
			continue
		}
		if first.IsZero() || r.Date.Before(first) {
			first = r.Date
		}
		if r.Date.After(last) {
			last = r.Date
		}
	}
	const day = "2 January 2006"
	switch {
	case first.IsZero():
		return "date not known"
	case first.Format(day) == last.Format(day):
		return first.Format(day)
	}
	return first.Format(day) + " to " + last.Format(day)
}

func allFigures(r run, b gauge.Benchmark) figures {
	what := "message"
	switch b.Kind {
	case gauge.PingPong:
		what = "message there and back"
	case gauge.Operation:
		what = "operation, which counts as a message"
	case gauge.Tasks:
		what = "task, which counts as a message"
	}
	f := figures{Name: b.Name, Work: fmt.Sprintf("%s of %s in a turn, %s. Seconds are for one %s.",
		plural(b.Messages, "message"), formatSize(b.Size), plural(b.Rounds, "round"), what) + fewRounds(b.Rounds)}
	for _, c := range gauge.Contestants {
		m, ok := measure(b, c)
		if !ok {
			continue
		}
		line := figureRow{Name: r.contestant(c), Median: figure.Time(m.Median), Interval: "–", Whole: "–",
			Samples: figure.Count(len(m.Samples))}
		if known(m.Low, m.High) {
			line.Interval = formatInterval(m.Low, m.High, figure.Times)
		}
		if known(m.Whole) {
			line.Whole = figure.Time(m.Whole)
		}
		f.Rows = append(f.Rows, line)
	}
	return f
}
