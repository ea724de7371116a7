package main

import (
	"context"
	"os"
	"strconv"

	"ipcworkbook/harness/desk/progress"
	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/verdict"
)

type hintCmd struct {
	chapterFlag
	implFlag
	Step  string `help:"The step; without it the first one that does not pass." placeholder:"N"`
	Level string `help:"1 is the most general hint; without it the one after the last that was given." placeholder:"N"`
}

func (h hintCmd) Run(ctx context.Context, p place) error {
	c, err := h.find(p)
	if err != nil {
		return err
	}
	steps, err := stepNumber(c, h.Step)
	if err != nil {
		return err
	}
	s := screen.New(os.Stdout, p.task)
	var failed check.Step
	if steps == nil {
		found := false
		if failed, found, err = h.failing(ctx, p, c); err != nil {
			return err
		}
		if !found {
			s.Line("Every step passes: no hint is needed.")
			return nil
		}
		steps = []int{failed.Number}
	} else if h.Impl == "" {
		failed = progress.Of(p.root, c).Last(p.root, c, steps[0], p.here)
	}
	step, err := c.Step(steps[0])
	if err != nil {
		return err
	}
	level, err := h.level(p, c, step)
	if err != nil {
		return err
	}
	s.Hint(c, step, level, failed)
	if level < len(step.Hints) {
		s.Line("\nMore: %s hint chapter=%d step=%d level=%d", p.task, c.Number, step.Number, level+1)
	} else {
		s.Line("\nThat is the last one. The first: %s hint chapter=%d step=%d level=1", p.task, c.Number, step.Number)
	}
	if h.Impl != "" {
		return nil
	}
	return progress.Hinted(p.root, c, step.Number, level)
}

// failing returns the first step that does not pass: as the last run showed it, or as
// one shows it that is made now.
func (h hintCmd) failing(ctx context.Context, p place, c book.Chapter) (step check.Step, found bool, err error) {
	if known := progress.Of(p.root, c); h.Impl == "" && !known.At.IsZero() && !known.Broken && !known.Changed(p.root, c) {
		next, left := known.Next(c)
		if !left {
			return step, false, nil
		}
		if step = known.Last(p.root, c, next.Number, p.here); step.Number != 0 {
			return step, true, nil
		}
	}
	impl, err := h.open(p, c)
	if err != nil {
		return step, false, err
	}
	show, done := screen.Checking(os.Stderr, len(c.Steps))
	r, err := check.Run(ctx, check.Options{Root: p.root, Chapter: c, Impl: impl, Seed: 1, From: p.here, Progress: show})
	done()
	if err != nil {
		return step, false, err
	}
	if err := h.record(p, c, r); err != nil {
		return step, false, err
	}
	if r.Verdict == verdict.Broken {
		return step, false, check.BrokenError(r.Message)
	}
	step, found = r.First()
	return step, found, nil
}

// level is the one that was asked for, or the next one.
func (h hintCmd) level(p place, c book.Chapter, step book.Step) (int, error) {
	switch {
	case h.Level == "" && h.Impl != "":
		return 1, nil
	case h.Level == "":
		return progress.Of(p.root, c).NextHint(step), nil
	}
	level, err := strconv.Atoi(h.Level)
	if err != nil || level < 1 || level > len(step.Hints) {
		return 0, wrongUsage("step %d has hints of level 1 to %d, and none of level %q", step.Number, len(step.Hints), h.Level)
	}
	return level, nil
}
