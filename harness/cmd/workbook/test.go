package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"ipcworkbook/harness/book"
	"ipcworkbook/harness/check"
	"ipcworkbook/harness/overlay"
	"ipcworkbook/harness/screen"
	"ipcworkbook/harness/verdict"
)

type testCmd struct {
	chapterFlag
	implFlag
	Step string `help:"Check this step only." placeholder:"N"`
	Race bool   `help:"Build with the race detector (needs a C compiler)."`
	Seed uint64 `help:"Seed of the run's random numbers." default:"1"`
	JSON bool   `name:"json" help:"Print one JSON document and nothing else."`
}

func (t testCmd) Run(ctx context.Context, p place) error {
	c, err := t.find(ctx, p)
	if err != nil {
		return err
	}
	impl, err := t.open(p, c)
	if err != nil {
		return err
	}
	steps, err := stepNumber(c, t.Step)
	if err != nil {
		return err
	}
	r, err := check.Run(ctx, check.Options{
		Root: p.root, Chapter: c, Impl: impl, Steps: steps, Race: t.Race, Seed: t.Seed, From: p.here,
	})
	if err != nil {
		return err
	}
	if t.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			return err
		}
	} else {
		s := screen.New(os.Stdout, p.task)
		s.Options = t.options(t.Race)
		s.Result(r)
	}
	return statusOf(r.Verdict)
}

func checkLearner(ctx context.Context, p place, c book.Chapter) (check.Result, error) {
	impl, err := implFlag{}.open(p, c)
	if err != nil {
		return check.Result{}, err
	}
	return check.Run(ctx, check.Options{Root: p.root, Chapter: c, Impl: impl, Seed: 1, From: p.here})
}

// stepNumber turns the text of --step into the numbers to run.
func stepNumber(c book.Chapter, text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	var n int
	var rest string
	if k, _ := fmt.Sscanf(text, "%d%s", &n, &rest); k != 1 {
		return nil, wrongUsage("--step takes the number of a step, not %q", text)
	}
	if _, err := c.Step(n); err != nil {
		return nil, usageError{err}
	}
	return []int{n}, nil
}

// statusOf turns a chapter's verdict into the exit status.
func statusOf(v verdict.Verdict) error {
	switch v {
	case verdict.Pass:
		return nil
	case verdict.Unsupported:
		return exitStatus(unsupported)
	case verdict.Fault:
		return exitStatus(faulty)
	}
	return exitStatus(failed)
}

type listCmd struct{}

func (listCmd) Run(ctx context.Context, p place) error {
	chapters, err := book.Chapters()
	if err != nil {
		return err
	}
	s := screen.New(os.Stdout, p.task)
	s.Line("A workbook on Linux inter-process communication.\n")
	next := ""
	for _, c := range chapters {
		r, err := checkLearner(ctx, p, c)
		if err != nil {
			return err
		}
		s.Line("  %d  %-24s %2d of %2d steps   %s", c.Number, c.Title, r.Passed(), len(c.Steps), r.Verdict)
		first, failed := r.First()
		if r.Verdict == verdict.Broken && next == "" {
			next = fmt.Sprintf("Next: mend chapter %d, which does not build. Its first error is at %s:%d.\n\n  run   %s test chapter=%d",
				c.Number, first.File, first.Line, p.task, c.Number)
		}
		if failed && next == "" {
			next = fmt.Sprintf("Next: chapter %d, step %d: %s.\n\n  read  %s/README.md\n  run   %s test chapter=%d",
				c.Number, first.Number, first.Title, overlay.Relative(filepath.Join(p.root, c.Dir()), p.here), p.task, c.Number)
		}
	}
	if next == "" {
		next = "Every step passes."
	}
	s.Line("\n%s", next)
	return nil
}

type hintCmd struct {
	chapterFlag
	implFlag
	Step  string `help:"The step; without it the first one that does not pass." placeholder:"N"`
	Level int    `help:"1 is the most general hint." default:"1"`
}

func (h hintCmd) Run(ctx context.Context, p place) error {
	c, err := h.find(ctx, p)
	if err != nil {
		return err
	}
	steps, err := stepNumber(c, h.Step)
	if err != nil {
		return err
	}
	if steps == nil {
		impl, err := h.open(p, c)
		if err != nil {
			return err
		}
		r, err := check.Run(ctx, check.Options{Root: p.root, Chapter: c, Impl: impl, Seed: 1, From: p.here})
		if err != nil {
			return err
		}
		if r.Verdict == verdict.Broken {
			return check.BrokenError(r.Message)
		}
		first, failed := r.First()
		if !failed {
			fmt.Println("Every step passes: no hint is needed.")
			return nil
		}
		steps = []int{first.Number}
	}
	step, err := c.Step(steps[0])
	if err != nil {
		return err
	}
	if h.Level < 1 || h.Level > len(step.Hints) {
		return wrongUsage("step %d has hints of level 1 to %d", step.Number, len(step.Hints))
	}
	s := screen.New(os.Stdout, p.task)
	s.Line("Step %d: %s. Hint %d of %d:\n", step.Number, step.Title, h.Level, len(step.Hints))
	s.Paragraph(step.Hints[h.Level-1])
	if h.Level < len(step.Hints) {
		s.Line("\nMore: %s hint chapter=%d step=%d level=%d", p.task, c.Number, step.Number, h.Level+1)
	}
	return nil
}
