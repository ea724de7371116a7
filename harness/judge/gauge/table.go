package gauge

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"ipcworkbook/harness/judge/gauge/figure"
)

// Table shows a result as a lesson does: for each benchmark the speed of the
// reference, and what part of it the others reach. The names are those of the others.
func Table(r Result, names ...string) string {
	rows := [][]string{append([]string{"", Reference, "each"}, names...)}
	for _, b := range r.Benchmarks {
		seconds := b.Measured[Reference].Median
		row := []string{strings.TrimPrefix(b.Name, "Transfer/"), b.Speed(seconds), figure.Time(seconds)}
		for _, name := range names {
			cell := "n/a"
			if m, there := b.Measured[name]; there {
				cell = figure.Ratio(m.Ratio)
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	return columns(rows) + r.foot(fmt.Sprintf("Each is the time of one %s. Behind it: speed divided by that of the reference.", r.unit()))
}

// CostsTable shows what the reference does for each message beside the time that it
// takes, and how long C takes. It is for who asks where the rest goes.
func CostsTable(r Result) string {
	// The kernel counts read(2), write(2) and their like, but no sendto(2): then there
	// are messages that nothing has written.
	counted := func(p *PerMessage) bool { return p != nil && p.Writes > 0.5 }
	calls := slices.ContainsFunc(r.Benchmarks, func(b Benchmark) bool { return counted(b.Measured[Reference].PerMessage) })
	rows := [][]string{{"", C, Reference, "processor", "waits"}}
	what := "processor time, and how often one slept"
	if calls {
		rows[0] = append(rows[0], "reads", "writes")
		what = "processor time, how often one slept, and calls"
	}
	for _, b := range r.Benchmarks {
		of := b.Measured[Reference]
		row := []string{strings.TrimPrefix(b.Name, "Transfer/"), "n/a", figure.Time(of.Median), "n/a", "n/a"}
		if c, there := b.Measured[C]; there {
			row[1] = figure.Time(c.Median)
		}
		if of.PerMessage != nil {
			row[3], row[4] = figure.Time(of.PerMessage.CPU), figure.Ratio(of.PerMessage.Waits)
		}
		switch {
		case counted(of.PerMessage):
			row = append(row, figure.Ratio(of.PerMessage.Reads), figure.Ratio(of.PerMessage.Writes))
		case calls:
			row = append(row, "n/a", "n/a")
		}
		rows = append(rows, row)
	}
	return columns(rows) + r.foot("The time of one "+r.unit()+", for C and for the reference; and what both processes of\nthe reference spend on it: "+what+".")
}

// ArticlesTable shows the figure of the articles: 8 MiB in 1 KiB messages.
func ArticlesTable(r Result, names ...string) string {
	rows := [][]string{{"", "KB/s", "with start-up"}}
	for _, b := range r.Benchmarks {
		if !b.isArticles() {
			continue
		}
		for _, name := range names {
			row := []string{name + ", " + b.Name, "n/a", "n/a"}
			if m, there := b.Measured[name]; there {
				row[1] = figure.KB(float64(b.Size) / m.Median)
				row[2] = figure.KB(float64(b.Size*b.Messages) / m.Whole)
			}
			rows = append(rows, row)
		}
	}
	return columns(rows) + r.foot("8 MiB in 1 KiB messages. A KB is 1,000 bytes.")
}

// isArticles reports whether a benchmark is the one that the articles measure.
func (b Benchmark) isArticles() bool {
	return b.Kind == Transfer && b.Size == 1<<10 && b.Size*b.Messages == 8<<20
}

// unit is what the times of a table are for.
func (r Result) unit() string {
	if slices.ContainsFunc(r.Benchmarks, func(b Benchmark) bool { return b.Kind == Operation }) {
		return "message or operation"
	}
	if slices.ContainsFunc(r.Benchmarks, func(b Benchmark) bool { return b.Kind == Tasks }) {
		return "task"
	}
	return "message"
}

// Speed is seconds per message as a person reads it: bytes per second, or the time
// of a message there and back, or of an operation.
func (b Benchmark) Speed(seconds float64) string {
	if seconds <= 0 {
		return "n/a"
	}
	if !b.IsStream() {
		return figure.Time(seconds)
	}
	return figure.Rate(float64(b.Size) / seconds)
}

func (r Result) foot(what string) string {
	m := r.Machine
	tools := []string{m.Go}
	for _, tool := range []string{m.Python, m.C} {
		if tool != "" {
			tools = append(tools, tool)
		}
	}
	rounds := 0
	for _, b := range r.Benchmarks {
		rounds = max(rounds, b.Rounds)
	}
	return fmt.Sprintf("\n%s\n%sMedians of %d rounds on %s: %s, %d cores,\n%s, %s\n",
		what, r.placed(), rounds, r.Date.Format("2006-01-02"), m.CPU, m.Cores, m.Kernel, strings.Join(tools, ", "))
}

// placed says where the processes ran, if it is the same for all benchmarks.
func (r Result) placed() string {
	for _, b := range r.Benchmarks {
		if b.Cores != r.Benchmarks[0].Cores {
			return ""
		}
	}
	// Who is read here was measured on two cores: the figures are refused otherwise.
	many := slices.ContainsFunc(r.Benchmarks, func(b Benchmark) bool { return hasMany(b.Kind) })
	return placed(r.Benchmarks[0].Cores, cores{0, 1}, many) + "\n"
}

// columns lays out a table: names to the left, figures to the right.
func columns(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				fmt.Fprintf(&line, "%s%s", cell, pad)
			} else {
				fmt.Fprintf(&line, "  %s%s", pad, cell)
			}
		}
		fmt.Fprintln(&b, strings.TrimRight(line.String(), " "))
	}
	return b.String()
}

// SideTable shows all mechanisms side by side, the fastest in the main work first: the time of one
// message in each work, and to start. Where that is wider than so many characters the last columns
// are left out.
func SideTable(s Side, width int) string {
	head := []string{""}
	for _, w := range s.Works {
		head = append(head, w.Name)
	}
	rows := [][]string{append(head, "start-up", "chapter")}
	for _, m := range s.Sorted(s.MainWork().Name) {
		row := []string{m.Name}
		for _, w := range s.Works {
			row = append(row, timeOrNone(m.Measured[w.Name].Median))
		}
		rows = append(rows, append(row, timeOrNone(m.StartUp), fmt.Sprint(m.Chapter)))
	}
	for {
		text := columns(rows)
		widest := 0
		for line := range strings.Lines(text) {
			widest = max(widest, utf8.RuneCountInString(line)-1)
		}
		if widest <= width || len(rows[0]) <= 2 {
			return text
		}
		for i := range rows {
			rows[i] = rows[i][:len(rows[i])-1]
		}
	}
}

// Foot says what the figures are, and of what machine and day.
func (s Side) Foot() string {
	return fmt.Sprintf("\nThe time of one message on its way, of one byte there and back, and to start.\nMedians of %d rounds on %s, all processes on one core: %s,\n%d cores, %s, %s\n",
		s.Rounds, s.Date.Format("2006-01-02"), s.Machine.CPU, s.Machine.Cores, s.Machine.Kernel, s.Machine.Go)
}

func timeOrNone(seconds float64) string {
	if seconds <= 0 {
		return "n/a"
	}
	return figure.Time(seconds)
}
