package screen

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/judge/gauge/figure"
	"ipcworkbook/harness/verdict"
)

// benchmark shows a title, a bar for each contestant that took part, and the
// memory copy in words: beside the title, or below where that is too long.
func (c chart) benchmark(b gauge.Benchmark) {
	title, memcpy := b.Name+" · "+b.Title, ""
	if m, ok := measured(b, gauge.Memcpy); ok {
		memcpy = "memcpy " + b.Speed(m.Median)
	}
	room := c.width - utf8.RuneCountInString("  "+title)
	beside := utf8.RuneCountInString(memcpy) < room
	if beside {
		c.line("  %s%*s%s", c.bold(title), room-utf8.RuneCountInString(memcpy), "", c.dim(memcpy))
	} else {
		c.line("  %s", c.bold(cut(title, c.width-2)))
	}

	full := 0.0
	for _, who := range gauge.Contestants {
		if m, ok := measured(b, who); ok && who != gauge.Limit && who != gauge.Memcpy {
			full = max(full, 1/m.Median)
		}
	}
	for _, who := range gauge.Contestants {
		m, ok := measured(b, who)
		name := labels[who]
		paint := func(text string) string { return text }
		switch who {
		case gauge.Yours:
			name = c.label
			paint = func(text string) string { return c.paint(b.Verdict, text) }
		case gauge.Limit:
			paint = c.dim
		case gauge.Memcpy:
			continue
		}
		switch {
		case ok:
			line := c.row(name, c.length(1/m.Median, full), b.Speed(m.Median), ratio(b, who, m))
			c.line("%s", paint(strings.TrimRight(line, " ")))
		case who == gauge.Yours:
			c.line("%s", paint(fmt.Sprintf("    %-*s %s", c.column, name, word(b.Verdict))))
		}
	}
	if !beside {
		name, figure, _ := strings.Cut(memcpy, " ")
		c.line("%s", c.dim(fmt.Sprintf("    %-*s %s", c.column, name, figure)))
	}
}

// measured is what a contestant made of it, if it took part. How fast wrong code
// was is of no use to anybody.
func measured(b gauge.Benchmark, who string) (gauge.Measure, bool) {
	m := b.Measured[who]
	right := who != gauge.Yours || b.Verdict == verdict.Pass || b.Verdict == verdict.Slow || b.Unjudged()
	return m, right && m.Median > 0
}

// length is a bar. Full is the speed of the longest that is not cut. It leaves two
// places for a longer one and its mark.
func (c chart) length(speed, full float64) string {
	most := c.bar - 2
	if full == 0 {
		full = speed
	}
	if eighths := speed / full * float64(most) * 8; eighths <= float64(c.bar*8) {
		return bar(int(math.Round(max(eighths, 1))), c.bar, c.blocks)
	}
	return bar((c.bar-1)*8, c.bar-1, c.blocks) + "»"
}

// bar is a bar of so many eighths of a character, and blanks to fill its room.
func bar(eighths, room int, blocks bool) string {
	text := strings.Repeat("█", eighths/8)
	switch rest := eighths % 8; {
	case !blocks:
		text = strings.Repeat("#", (eighths+4)/8)
		if eighths > 0 && text == "" {
			text = "#"
		}
	case rest > 0:
		text += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return text + strings.Repeat(" ", max(0, room-utf8.RuneCountInString(text)))
}

// ratio is how fast a contestant is beside the reference.
func ratio(b gauge.Benchmark, who string, m gauge.Measure) string {
	x, low, high := m.Ratio, m.RatioLow, m.RatioHigh
	var gates []float64
	if who == gauge.Yours {
		x, low, high = b.Ratio, b.Low, b.High
		gates = []float64{b.Gate, b.Fast}
	}
	if who == gauge.Reference || x <= 0 {
		return ""
	}
	text := fmt.Sprintf("%5s", figure.Ratio(x, gates...))
	if high > 0 && !math.IsInf(high, 0) {
		text += fmt.Sprintf(" (%s-%s)", figure.Ratio(low), figure.Ratio(high))
	}
	return text
}

// article shows what the articles measured, 8 MiB in messages of 1 KiB, in their
// unit, and says whether this benchmark measures that.
func (c chart) article(b gauge.Benchmark) bool {
	bytes := b.Size * b.Messages
	if b.Kind != gauge.Transfer || b.Size != 1<<10 || bytes != 8<<20 {
		return false
	}
	m, ok := measured(b, gauge.Yours)
	if !ok {
		return true
	}
	text := fmt.Sprintf("%s: 8 MiB in 1 KiB messages: %s KB/s", c.label, figure.KB(float64(b.Size)/m.Median))
	if m.Whole > 0 {
		text += fmt.Sprintf(", %s KB/s with start-up", figure.KB(float64(bytes)/m.Whole))
	}
	for _, line := range pack(strings.Fields(text), " ", c.width-4) {
		c.line("    %s", line)
	}
	return true
}
