package screen

import (
	"fmt"
	"math"
	"os"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/verdict"
)

// Bench shows what was measured of a chapter: a bar chart for each benchmark, a
// line for each with its verdict, what the figures depend on, then the first
// benchmark that did not pass in full, then what to do next.
//
// A longer bar is faster, in a ping-pong too, where the figure is a time. Bars
// start at zero. The fastest of yours, the reference and the peers is almost as
// long as there is room; a limit that is longer is cut.
func (s Screen) Bench(r gauge.Result) {
	// All of it is written at once, and in the end.
	var b strings.Builder
	c := chart{Screen: s, blocks: s.blocks(), label: label(r.Impl)}
	c.w, c.ascii = &b, false
	c.column = max(utf8.RuneCountInString(c.label), len(labels[gauge.Reference]))
	if c.ratio = len("0.496 (0.481-0.511)"); c.width < 60 {
		c.ratio = len("0.496")
	}
	c.bar = max(leastBar, c.width-utf8.RuneCountInString(c.row("", "", "", "")))
	c.result(reached(r))
	s.write(strings.ReplaceAll(b.String(), "\n\n\n", "\n\n"))
}

// leastBar is how short a bar may get. In a terminal that is narrower lines go on
// below.
const leastBar = 6

// blocks says whether a bar can be drawn of block characters. A log and a reader
// of the screen's text are better off with '#', and the font of the kernel's own
// console lacks most of the blocks.
func (s Screen) blocks() bool {
	return s.terminal && !s.ascii && os.Getenv("TERM") != "linux"
}

// reached is the result, with no verdict on a benchmark that a run that was
// stopped did not come to. That this machine lacks something is another thing.
func reached(r gauge.Result) gauge.Result {
	r.Benchmarks = slices.Clone(r.Benchmarks)
	for i, b := range r.Benchmarks {
		if r.Partial != "" && b.Verdict == verdict.Unsupported && len(b.Measured) == 0 {
			r.Benchmarks[i].Verdict = ""
		}
	}
	return r
}

type chart struct {
	Screen
	blocks bool   // bars of block characters
	label  string // of who takes the part of yours
	column int    // the width of a label
	bar    int    // the width of a bar
	ratio  int    // the width of a ratio, with its interval where there is room for it
}

var labels = map[string]string{
	gauge.Yours: "yours", gauge.Reference: "reference", gauge.Python: "Python", gauge.C: "C",
	gauge.Limit: "limit", gauge.Memcpy: "memcpy",
}

// label is what the part of yours is called: "yours", or the last name of the
// implementation that takes it, and never "reference", which is there already.
func label(impl string) string {
	const most = 14
	if impl == "" {
		return labels[gauge.Yours]
	}
	name := path.Base(impl)
	if name == labels[gauge.Reference] {
		return "impl=" + name
	}
	return cut(name, most)
}

// row is one line of a chart. The widest figures fill their columns: "1.05 GB/s".
func (c chart) row(name, bar, value, ratio string) string {
	if utf8.RuneCountInString(ratio) > c.ratio {
		ratio, _, _ = strings.Cut(ratio, " (")
	}
	return fmt.Sprintf("    %-*s %s %9s %-*s", c.column, name, bar, value, c.ratio, ratio)
}

func (c chart) result(r gauge.Result) {
	heading := fmt.Sprintf("Chapter %d · %s", r.Chapter, r.Name)
	passed := ""
	if n := len(r.Benchmarks); n > 0 {
		passed = fmt.Sprintf("%d of %d benchmarks", passes(r), n)
	}
	c.line("\n%s", c.ends(heading, passed))
	c.line("")
	if r.Verdict == verdict.Broken {
		c.broken(r)
		return
	}
	c.partial(r.Partial)
	if r.Impl != "" {
		c.line("In place of yours: %s", r.Impl)
	}
	var charts []gauge.Benchmark
	for _, b := range r.Benchmarks {
		if len(b.Measured) > 0 {
			charts = append(charts, b)
		}
	}
	if len(charts) > 0 {
		interval := "95 % interval"
		if few(r) {
			interval = "all rounds" // an interval needs more of them
		}
		c.line("%s", c.dim("Longer is faster, » is cut. Right: ratio to the reference, "+interval+"."))
	}
	article := true
	for _, b := range charts {
		c.line("")
		c.benchmark(b)
		article = article && !c.article(b)
	}
	if len(charts) > 0 {
		c.line("")
	}
	for _, b := range r.Benchmarks {
		c.verdict(b)
	}
	c.circumstances(r)
	c.end(r)
}

func passes(r gauge.Result) (n int) {
	for _, b := range r.Benchmarks {
		if b.Verdict == verdict.Pass {
			n++
		}
	}
	return n
}

// word is a verdict; a benchmark that was not reached has none.
func word(v verdict.Verdict) string {
	if v == "" {
		return "not measured"
	}
	return string(v)
}

// verdict shows how a benchmark ended, in one line.
func (c chart) verdict(b gauge.Benchmark) {
	sign, paint, why, end := signs[b.Verdict], b.Verdict, "", word(b.Verdict)
	switch b.Verdict {
	case verdict.Pass:
		why, end = fmt.Sprintf("at least %.2f of the reference: yes", b.Gate), ""
		if b.Fast > 0 {
			why += fmt.Sprintf("   fast: %s (%.2f)", yes(b.Ratio >= b.Fast), b.Fast)
		}
	case verdict.Slow:
		why = fmt.Sprintf("at least %.2f of the reference: no", b.Gate)
	case verdict.Unsupported:
		why, _, _ = strings.Cut(strings.TrimSpace(b.Message), "\n")
		if b.Unjudged() {
			why, end = "measured", "not judged"
		}
	case "":
		sign, paint = signs[verdict.Unsupported], verdict.Unsupported
	case verdict.Todo:
	default:
		why, _, _ = strings.Cut(strings.TrimSpace(b.Message), "\n")
	}
	left := fmt.Sprintf("  %s %-14s ", sign, b.Name)
	room := c.width - utf8.RuneCountInString(left+"  "+end)
	line := fmt.Sprintf("%s%-*s  %s", left, room, cut(why, room), end)
	c.line("%s", c.paint(paint, strings.TrimRight(line, " ")))
}

func yes(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

// circumstances shows what the figures depend on: who is missing, what this
// machine does to them, the machine itself, and when it was.
func (c chart) circumstances(r gauge.Result) {
	var said bool
	say := func(text string) {
		if !said {
			c.line("")
		}
		said = true
		for i, line := range pack(strings.Fields(text), " ", c.width-2) {
			c.line("%*s%s", 2*min(i, 1), "", line)
		}
	}
	for _, who := range gauge.Contestants {
		if why := r.Missing[who]; why != "" {
			say(labels[who] + ": " + why)
		}
	}
	for _, note := range r.Notes {
		say(note)
	}
	c.machine(r.Machine, rounds(r), r.Date)
}

// machine shows on what it was measured, and when.
func (c chart) machine(m gauge.Machine, rounds string, date time.Time) {
	var about []string
	add := func(text string) {
		if text != "" {
			about = append(about, text)
		}
	}
	add(m.CPU)
	switch {
	case m.Cores == 1:
		add("1 core")
	case m.Cores > 1:
		add(fmt.Sprintf("%d cores", m.Cores))
	}
	add(m.Kernel)
	add(m.Go)
	add(m.Python)
	add(m.C)
	add(rounds)
	if !date.IsZero() {
		add(date.Format("2006-01-02 15:04 MST"))
	}
	if len(about) > 0 {
		c.line("")
	}
	for _, line := range pack(about, " · ", c.width) {
		c.line("%s", c.dim(line))
	}
}

// rounds is how many there were: "10 rounds", "4 to 10 rounds".
func rounds(r gauge.Result) string {
	least, most := math.MaxInt, 0
	for _, b := range r.Benchmarks {
		if b.Rounds > 0 {
			least, most = min(least, b.Rounds), max(most, b.Rounds)
		}
	}
	switch {
	case most == 0:
		return ""
	case most == 1:
		return "1 round"
	case least == most:
		return fmt.Sprintf("%d rounds", most)
	}
	return fmt.Sprintf("%d to %d rounds", least, most)
}

// end shows the first benchmark that did not pass, and the next thing.
func (c chart) end(r gauge.Result) {
	if r.Message != "" {
		c.line("")
		c.text(r.Message, c.width)
	}
	if r.Partial != "" {
		c.line("")
		c.partial(r.Partial)
	}
	again := strings.TrimSpace(fmt.Sprintf("Again: %s bench chapter=%d %s", c.task, r.Chapter, c.Options))
	b, failed := first(r)
	if !failed {
		n := passes(r)
		switch {
		case r.Verdict == verdict.Fault:
			c.line("")
			c.Paragraph(notYours)
		case r.Partial != "" || n < len(r.Benchmarks):
			c.line("\n%s", again)
		case n == 1:
			c.line("\n%s", c.paint(verdict.Pass, r.Benchmarks[0].Name+" passes."))
		case n > 1:
			c.line("\n%s", c.paint(verdict.Pass, fmt.Sprintf("All %d benchmarks pass.", n)))
		}
		if n > 0 && n == len(r.Benchmarks) && r.Partial == "" {
			c.line("Whether the steps do is another question: %s test chapter=%d", c.task, r.Chapter)
		}
		return
	}
	if b.Unjudged() {
		c.line("\n%s", c.paint(b.Verdict, "Nothing is judged here."))
		c.text(b.Message, c.width)
		return
	}
	c.claim(b.Verdict, b.Name+" "+ending(b.Verdict), b.Title)
	c.text(b.Message, c.width)
	switch b.Verdict {
	case verdict.Unsupported:
		c.line("\nNothing of yours is wrong here.")
	case verdict.Fault:
		c.line("")
		c.Paragraph(notYours)
	default:
		c.next(b, again)
	}
}

const notYours = "Nothing of yours is wrong here. Please report this, with the lines above."

// first is the benchmark to look at next: one that can be mended, where there is
// one. One that was not reached is none.
func first(r gauge.Result) (gauge.Benchmark, bool) {
	for _, lacking := range []bool{false, true} {
		for _, b := range r.Benchmarks {
			if b.Verdict != "" && b.Verdict != verdict.Pass && lacking == (b.Verdict == verdict.Unsupported) {
				return b, true
			}
		}
	}
	return gauge.Benchmark{}, false
}

func ending(v verdict.Verdict) string {
	if v == verdict.Slow {
		return "is slow:"
	}
	return endings[v]
}

// next is where to edit, and the command that measures again.
func (c chart) next(b gauge.Benchmark, again string) {
	if b.File == "" {
		c.line("\n%s", again)
		return
	}
	edit := "Edit " + b.File
	if b.Line > 0 {
		edit += fmt.Sprintf(":%d", b.Line)
	}
	c.beside(edit, again)
}

func (c chart) broken(r gauge.Result) {
	c.line("%s\n", c.paint(verdict.Broken, "The package does not build:"))
	c.text(r.Message, c.width)
	if b, ok := first(r); ok && b.File != "" {
		c.next(b, "")
	}
}

func (c chart) partial(why string) {
	if why == "" {
		return
	}
	for _, line := range pack(strings.Fields("Not complete. "+why), " ", c.width) {
		c.line("%s", c.paint(verdict.Unsupported, line))
	}
}

// line writes a line without blanks at its end.
func (c chart) line(format string, args ...any) {
	c.Line("%s", strings.TrimRight(fmt.Sprintf(format, args...), " "))
}

func (c chart) bold(text string) string { return c.ink("1", text) }

func (c chart) dim(text string) string { return c.ink("2", text) }

func (c chart) ink(code, text string) string {
	if !c.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// cut makes a text fit, and shows that it did.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		if most < 1 {
			return ""
		}
		return string(runes[:most-1]) + "…"
	}
	return text
}

// few reports whether there are too few rounds for an interval.
func few(r gauge.Result) bool {
	return slices.ContainsFunc(r.Benchmarks, func(b gauge.Benchmark) bool {
		return b.Rounds > 0 && b.Rounds < gauge.LeastRounds
	})
}
