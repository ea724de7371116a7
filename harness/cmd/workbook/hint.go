package main

import (
	"context"
	"os"

	"ipcworkbook/harness/book"
	"ipcworkbook/harness/check"
	"ipcworkbook/harness/progress"
	"ipcworkbook/harness/screen"
	"ipcworkbook/harness/verdict"
)

type hintCmd struct {
	chapterFlag
	implFlag
	Step  string `help:"The step; without it the first one that does not pass." placeholder:"N"`
	Level int    `help:"1 is the most general hint; without it the one after the last that was given."`
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
	}
	step, err := c.Step(steps[0])
	if err != nil {
		return err
	}
	level, err := h.level(p, c, step)
	if err != nil {
		return err
	}
	s.Hint(step, level, failed)
	if level < len(step.Hints) {
		s.Line("\nMore: %s hint chapter=%d step=%d level=%d", p.task, c.Number, step.Number, level+1)
	}
	if h.Impl != "" {
		return nil
	}
	return progress.Hinted(p.root, c, step.Number, level)
}

// failing runs the chapter and returns the first step that does not pass.
func (h hintCmd) failing(ctx context.Context, p place, c book.Chapter) (step check.Step, found bool, err error) {
	impl, err := h.open(p, c)
	if err != nil {
		return step, false, err
	}
	r, err := check.Run(ctx, check.Options{Root: p.root, Chapter: c, Impl: impl, Seed: 1, From: p.here})
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
	last := len(step.Hints)
	switch {
	case h.Level == 0 && h.Impl != "":
		return 1, nil
	case h.Level == 0:
		return progress.Of(p.root, c).NextHint(step), nil
	case h.Level < 1 || h.Level > last:
		return 0, wrongUsage("step %d has hints of level 1 to %d", step.Number, last)
	}
	return h.Level, nil
}
