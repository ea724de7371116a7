package gauge

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"ipcworkbook/harness/figure"
)

// Table shows a result as a lesson does: the speed of the reference, and what part
// of it the others reach. The names are those of the rows below the reference.
func Table(r Result, names ...string) string {
	rows := [][]string{{""}, {Reference}, {"  each"}}
	for _, b := range r.Benchmarks {
		rows[0] = append(rows[0], strings.TrimPrefix(b.Name, "Transfer/"))
		rows[1] = append(rows[1], b.Speed(b.Measured[Reference].Median))
		rows[2] = append(rows[2], figure.Time(b.Measured[Reference].Median))
	}
	for _, name := range names {
		row := []string{name}
		for _, b := range r.Benchmarks {
			cell := "n/a"
			if m, there := b.Measured[name]; there {
				cell = figure.Ratio(m.Ratio)
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	return columns(rows) + r.foot("Each: the time of one message. Below: speed divided by that of the reference.")
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

// Speed is seconds per message as a person reads it: bytes per second, or the time
// of a message there and back.
func (b Benchmark) Speed(seconds float64) string {
	if seconds <= 0 {
		return "n/a"
	}
	if b.Kind == PingPong {
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
	return placed(r.Benchmarks[0].Cores, cores{0, 1}) + "\n"
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
				line.WriteString(cell + pad)
			} else {
				line.WriteString("  " + pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
