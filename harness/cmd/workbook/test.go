package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/verdict"
)

type testCmd struct {
	chapterFlag
	implFlag
	Step string `help:"Check this step only." placeholder:"N"`
	Race bool   `help:"Build with the race detector (needs a C compiler)."`
	Seed uint64 `help:"Seed of the run's random numbers." default:"1"`
	JSON bool   `name:"json" help:"Print one JSON document and nothing else."`

	Verbose bool `help:"Show all that is known of a hang, and not only what fits into a small window."`
}

func (t testCmd) Run(ctx context.Context, p place) error {
	c, err := t.find(p)
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
	show, done := screen.Checking(os.Stderr, len(c.Steps))
	r, err := check.Run(ctx, check.Options{
		Root: p.root, Chapter: c, Impl: impl, Steps: steps, Race: t.Race, Seed: t.Seed, From: p.here, Progress: show,
	})
	done()
	if err != nil {
		return err
	}
	if err := t.record(p, c, r); err != nil {
		return err
	}
	if t.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
			return err
		}
	} else {
		s := screen.New(os.Stdout, p.task)
		s.Options, s.Verbose = t.options(t.Race), t.Verbose
		s.Result(r)
		if err := lacks(ctx, p, s, r); err != nil {
			return err
		}
	}
	return statusOf(r.Verdict)
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
