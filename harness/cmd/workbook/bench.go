package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ipcworkbook/harness/desk/progress"
	"ipcworkbook/harness/desk/report"
	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/judge/kept"
	"ipcworkbook/harness/judge/overlay"
)

type benchCmd struct {
	chapterFlag
	implFlag
	All       bool     `help:"Measure all mechanisms side by side: your code where every step of its chapter passes, else the reference."`
	Benchmark []string `help:"Measure this benchmark only: its name, as Transfer/1KiB." placeholder:"NAME"`
	Rounds    int      `help:"How many rounds are measured." default:"${rounds}"`
	Cores     string   `help:"Where the two processes run: 1 (both on one core), 2 (one each), free (where the scheduler puts them); without it as the book says." enum:",1,2,free" default:""`
	JSON      bool     `name:"json" help:"Print one JSON document and nothing else."`
}

func (b benchCmd) Run(ctx context.Context, p place) error {
	if b.All {
		return b.sideBySide(ctx, p)
	}
	c, err := b.find(p)
	if err != nil {
		return err
	}
	impl, err := b.open(p, c)
	if err != nil {
		return err
	}
	if b.Rounds < 1 {
		return wrongUsage("--rounds takes a number from 1, not %d", b.Rounds)
	}
	if len(c.Benchmarks) == 0 {
		return wrongUsage("chapter %d (%s) has no benchmarks", c.Number, c.Name)
	}
	for _, name := range b.Benchmark {
		if _, err := c.Benchmark(name); err != nil {
			return usageError{err}
		}
	}
	o := gauge.Options{
		Root: p.root, Chapter: c, Impl: impl, Name: b.Impl, From: p.here, Benchmarks: b.Benchmark, Rounds: b.Rounds,
		Cores: where[b.Cores],
	}
	done := func() {}
	if !b.JSON {
		o.Progress, done = bar()
	}
	r, err := gauge.Run(ctx, o)
	done()
	if err != nil {
		return err
	}
	if len(b.Benchmark) == 0 && b.Cores == "" {
		// What was stopped early is kept as well, and marked.
		if err := gauge.Keep(p.root, c, r); err != nil {
			return fmt.Errorf("keeping the result: %w", err)
		}
	}
	if b.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			return err
		}
	} else {
		s := screen.New(os.Stdout, p.task)
		s.Options = b.again()
		s.Bench(r)
	}
	if r.Partial != "" {
		return ctx.Err()
	}
	return statusOf(r.Verdict)
}

// where the processes run, by the option's name.
var where = map[string]int{"": gauge.AsBook, "1": gauge.Shared, "2": gauge.Apart, "free": gauge.Free}

// sideBySide measures all mechanisms in one rotation.
func (b benchCmd) sideBySide(ctx context.Context, p place) error {
	switch {
	case b.Chapter != "" || len(b.Benchmark) > 0:
		return wrongUsage("--all is every chapter and the same work for all: it takes no --chapter and no --benchmark")
	case b.Impl != "" && b.Impl != gauge.Reference:
		return wrongUsage("--all takes --impl reference only: then nothing of yours takes part")
	case b.Rounds < 1:
		return wrongUsage("--rounds takes a number from 1, not %d", b.Rounds)
	}
	if err := b.hasAny(p); err != nil {
		return err
	}
	o := gauge.SideOptions{Root: p.root, From: p.here, Code: b.codeOf(p), Cores: where[cmp.Or(b.Cores, "1")], Rounds: b.Rounds}
	done := func() {}
	if !b.JSON {
		o.Progress, done = bar()
	}
	s, err := gauge.SideBySide(ctx, o)
	done()
	if err != nil {
		return err
	}
	if b.Cores == "" {
		if err := gauge.KeepSide(p.root, s); err != nil {
			return fmt.Errorf("keeping the result: %w", err)
		}
	}
	if b.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
			return err
		}
	} else {
		screen.New(os.Stdout, p.task).Side(s)
	}
	if s.Partial != "" {
		return ctx.Err()
	}
	return nil
}

// hasAny is an error where there is no mechanism to measure.
func (b benchCmd) hasAny(p place) error {
	chapters, err := book.Chapters()
	if err != nil {
		return err
	}
	for _, c := range chapters {
		if _, _, err = b.codeOf(p)(c); err == nil {
			return nil
		}
	}
	return wrongUsage("there is no mechanism to measure: no chapter is green, and %w", err)
}

// codeOf takes the learner's code where the last run of all its steps was green and it is as it
// was then, and else the reference.
func (b benchCmd) codeOf(p place) func(book.Chapter) (overlay.Impl, string, error) {
	return func(c book.Chapter) (overlay.Impl, string, error) {
		known := progress.Of(p.root, c)
		if b.Impl == "" && known.Done(c) && !known.Changed(p.root, c) {
			impl, err := implFlag{}.open(p, c)
			return impl, gauge.Yours, err
		}
		impl, err := implFlag{Impl: gauge.Reference}.open(p, c)
		return impl, gauge.Reference, err
	}
}

// again is how a reader writes these options for task.
func (b benchCmd) again() string {
	text := b.options(false)
	if len(b.Benchmark) > 0 {
		text += " benchmark=" + strings.Join(b.Benchmark, ",")
	}
	if b.Cores != "" {
		text += " cores=" + b.Cores
	}
	return strings.TrimSpace(text)
}

// bar shows on standard error what runs now.
func bar() (show func(gauge.Turn), done func()) {
	var p *screen.Progress
	show = func(t gauge.Turn) {
		if p == nil {
			p = screen.NewProgress(os.Stderr, t.Turns)
		}
		round := "warming up"
		if t.Round > 0 {
			round = fmt.Sprintf("round %d of %d", t.Round, t.Rounds)
		}
		p.Step(fmt.Sprintf("%s · %s · %s", round, t.Benchmark, t.Contestant), t.Left)
	}
	return show, func() {
		if p != nil {
			p.Done()
		}
	}
}

type reportCmd struct {
	Out string `help:"The file to write; - is standard output." placeholder:"FILE"`
}

func (c reportCmd) Run(p place) error {
	chapters, err := book.Chapters()
	if err != nil {
		return err
	}
	results, err := gauge.Kept(p.root, chapters)
	if err != nil {
		return usageError{err}
	}
	all, err := gauge.KeptSide(p.root)
	if err != nil {
		return usageError{err}
	}
	out := c.Out
	if out == "-" {
		return report.Write(os.Stdout, results, all)
	}
	if out == "" {
		out = filepath.Join(p.root, ".workbook", "report.html")
		if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
			return err
		}
	}
	if err := kept.File(out, func(f *os.File) error { return report.Write(f, results, all) }); err != nil {
		return usageError{fmt.Errorf("writing the report: %w", err)}
	}
	fmt.Printf("%d of %d chapters are measured. The report is in %s\nOpen it in a browser.\n",
		len(results), len(chapters), overlay.Relative(out, p.here))
	return nil
}
