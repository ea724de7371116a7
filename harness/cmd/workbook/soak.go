package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"ipcworkbook/harness/check"
	"ipcworkbook/harness/screen"
	"ipcworkbook/harness/verdict"
)

type soakCmd struct {
	chapterFlag
	implFlag
	Runs int    `help:"How many runs." default:"200"`
	Seed uint64 `help:"Seed of the first run; each later run has the next one." default:"1"`
	Race bool   `help:"Build with the race detector."`
}

func (c soakCmd) Run(ctx context.Context, p place) error {
	chapter, err := c.find(ctx, p)
	if err != nil {
		return err
	}
	impl, err := c.open(p, chapter)
	if err != nil {
		return err
	}
	if c.Runs < 1 {
		return wrongUsage("--runs takes a number from 1, not %d", c.Runs)
	}
	s := screen.New(os.Stdout, p.task)
	begun := time.Now()
	soak := check.Soak{
		Options: check.Options{Root: p.root, Chapter: chapter, Impl: impl, Race: c.Race, From: p.here},
		Runs:    c.Runs, Seed: c.Seed,
		Progress: func(run int) {
			if run%20 == 0 || run == c.Runs {
				s.Line("  %4d of %d runs, %s", run, c.Runs, time.Since(begun).Round(time.Second))
			}
		},
	}
	s.Line("Chapter %d · %s: %d runs with every core kept busy, seeds from %d\n", chapter.Number, chapter.Name, c.Runs, c.Seed)
	tally, err := soak.Run(ctx)
	if err != nil {
		return err
	}
	s.Line("")
	same := true
	for _, t := range tally.Steps {
		s.Line("  %2d  %-62s %s", t.Step.Number, t.Step.Title, t)
		same = same && len(t.Counts) == 1
	}
	if len(tally.Left) > 0 {
		s.Line("\nLeft behind in the folder for temporary files: %v", tally.Left)
		return exitStatus(failed)
	}
	if !same {
		odd := tally.Odd
		s.Line("\nThe verdicts differ. Run %d (seed %d), step %d was %s:\n\n%s\n\nAgain: %s test chapter=%d step=%d seed=%d %s",
			odd.Run, odd.Seed, odd.Step.Number, odd.Step.Verdict, odd.Step.Message, p.task, chapter.Number, odd.Step.Number, odd.Seed, c.options(c.Race))
		return exitStatus(failed)
	}
	s.Line("\nOne verdict for every step in %d runs; nothing was left behind.", c.Runs)
	if tally.Steps[0].Step.Verdict == verdict.Broken {
		return exitStatus(failed)
	}
	fmt.Println()
	return nil
}
