package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/judge/verify"
)

type soakCmd struct {
	chapterFlag
	implFlag
	Runs *int   `help:"How many runs: 200 if nothing is said, and 20 of each known-wrong solution."`
	Seed uint64 `help:"Seed of the first run; each later run has the next one." default:"1"`
	Race bool   `help:"Build with the race detector."`
	Busy int    `help:"How many other programs keep each core busy: 9 leave a tenth of it." default:"1"`
	// Gates are soaked as well, but apart: they need the machine for themselves.
	Gates bool `help:"Measure the benchmarks so many times instead, and compare the gates' verdicts."`
}

func (c soakCmd) Run(ctx context.Context, p place) error {
	chapter, err := c.find(p)
	if err != nil {
		return err
	}
	runs := 200
	if c.Impl == allWrong {
		runs = 20
	}
	if c.Runs != nil {
		runs = *c.Runs
	}
	if runs < 1 {
		return wrongUsage("--runs takes a number from 1, not %d", runs)
	}
	if c.Busy < 0 {
		return wrongUsage("--busy takes a number from 0, not %d", c.Busy)
	}
	if c.Impl == allWrong || c.Gates {
		if err := hasReference(p, chapter); err != nil {
			return err
		}
	}
	if c.Impl == allWrong {
		if c.Gates || c.Race {
			return wrongUsage("--impl %s goes neither with --gates nor with --race", allWrong)
		}
		return c.wrong(ctx, p, chapter, runs)
	}
	impl, err := c.open(p, chapter)
	if err != nil {
		return err
	}
	if c.Gates {
		return c.gates(ctx, p, chapter, impl, runs)
	}
	s := screen.New(os.Stdout, p.task)
	begun := time.Now()
	soak := check.Soak{
		Options: check.Options{Root: p.root, Chapter: chapter, Impl: impl, Race: c.Race, From: p.here},
		Runs:    runs, Seed: c.Seed, Busy: c.Busy,
		Progress: func(run int) {
			if run%20 == 0 || run == runs {
				s.Line("  %4d of %d runs, %s", run, runs, time.Since(begun).Round(time.Second))
			}
		},
	}
	s.Line("Chapter %d · %s: %d runs with every core kept busy%s, seeds from %d\n", chapter.Number, chapter.Name, runs, c.busy(), c.Seed)
	tally, err := soak.Run(ctx)
	if err != nil {
		return err
	}
	s.Line("")
	for _, t := range tally.Steps {
		s.Line("  %2d  %-62s %s", t.Step.Number, t.Step.Title, t)
	}
	if len(tally.Left) > 0 {
		s.Line("\nLeft behind in the folder for temporary files: %v", tally.Left)
		return exitStatus(failed)
	}
	if odd, differ := tally.Differ(); differ {
		shown := odd.Bad
		if shown.Run == 0 {
			shown = odd.Cannot
		}
		s.Line("\nThe verdicts of step %d differ. %s", odd.Step.Number, c.bad(p, chapter, shown))
		s.Line("\nIf this command passes, the failure does not depend on the seed, but on time or on\nchance in the code: run it several times.")
		return exitStatus(failed)
	}
	if wrong, is := tally.Wrong(); is {
		s.Line("\nOne verdict for every step in %d runs, but step %d does not pass. %s", runs, wrong.Step.Number, c.bad(p, chapter, wrong.Bad))
		return exitStatus(failed)
	}
	s.Line("\nOne verdict for every step in %d runs; nothing was left behind.", runs)
	fmt.Println()
	return nil
}

// busy says how busy the cores are, if it is not the usual.
func (c soakCmd) busy() string {
	if c.Busy == 1 {
		return ""
	}
	return fmt.Sprintf(" by %d programs", c.Busy)
}

// bad shows the first run in which a step did not pass, and how to see it again.
func (c soakCmd) bad(p place, chapter book.Chapter, b check.Bad) string {
	again := fmt.Sprintf("%s test chapter=%d step=%d seed=%d %s", p.task, chapter.Number, b.Step.Number, b.Seed, c.options(c.Race))
	return fmt.Sprintf("In run %d (seed %d) it was %s:\n\n%s\n\nAgain: %s",
		b.Run, b.Seed, b.Step.Verdict, b.Step.Message, strings.TrimSpace(again))
}

// allWrong stands for each known-wrong solution of the chapter.
const allWrong = "wrong/all"

// wrong soaks the known-wrong solutions.
func (c soakCmd) wrong(ctx context.Context, p place, chapter book.Chapter, runs int) error {
	s := screen.New(os.Stdout, p.task)
	begun := time.Now()
	s.Line("Chapter %d · %s: each known-wrong solution, %d runs with every core kept busy%s, seeds from %d\n", chapter.Number, chapter.Name, runs, c.busy(), c.Seed)
	all, err := verify.Soak{Root: p.root, Chapter: chapter, From: p.here, Runs: runs, Seed: c.Seed, Busy: c.Busy, Progress: func(done, all int) {
		if done%20 == 0 || done == all {
			s.Line("  %4d of %d solutions, %s", done, all, time.Since(begun).Round(time.Second))
		}
	}}.Run(ctx)
	if err != nil {
		return err
	}
	odd := 0
	for _, one := range all {
		if one.Odd == nil {
			continue
		}
		odd++
		how := fmt.Sprintf("%s, not %s", one.Odd.Verdict, one.Want.Verdict)
		if one.Lacks != "" {
			how = fmt.Sprintf("%s without the words %q", one.Odd.Verdict, one.Lacks)
		}
		s.Line("\n%s: step %d ended in more than one way, or otherwise than it has to: %s.\nWith seed %d it was %s:\n\n%s\n\nAgain: %s test chapter=%d step=%d seed=%d impl=wrong/%s",
			one.Name, one.Want.Step, check.Counted(one.Counts), one.OddSeed, how, one.Odd.Message,
			p.task, chapter.Number, one.Want.Step, one.OddSeed, one.Name)
	}
	if odd > 0 {
		s.Line("\n%d of %d known-wrong solutions do not end in one way.", odd, len(all))
		return exitStatus(failed)
	}
	s.Line("\nOne verdict for each of %d known-wrong solutions in %d runs.", len(all), runs)
	return nil
}

// gates soaks the benchmarks' gates.
func (c soakCmd) gates(ctx context.Context, p place, chapter book.Chapter, impl overlay.Impl, runs int) error {
	o := gauge.Options{
		Root: p.root, Chapter: chapter, Impl: impl, Name: c.Impl, From: p.here, Alone: true, Hasty: true,
	}
	if name, slow := strings.CutPrefix(c.Impl, "slow/"); slow {
		known, err := verify.ReadSlow(p.root, chapter, name)
		if err != nil {
			return usageError{err}
		}
		o.Benchmarks = known.Benchmarks
	}
	s := screen.New(os.Stdout, p.task)
	begun := time.Now()
	s.Line("Chapter %d · %s: the gates in %d runs, each second one with a core kept busy\n", chapter.Number, chapter.Name, runs)
	tallies, err := gauge.Soak{Options: o, Runs: runs, Progress: func(run int, _ gauge.Result) {
		if run%10 == 0 || run == runs {
			s.Line("  %4d of %d runs, %s", run, runs, time.Since(begun).Round(time.Second))
		}
	}}.Run(ctx)
	if err != nil {
		return err
	}
	s.Line("")
	differ := false
	for _, t := range tallies {
		var counts []string
		for _, v := range slices.Sorted(maps.Keys(t.Counts)) {
			counts = append(counts, fmt.Sprintf("%d %s", t.Counts[v], v))
		}
		s.Line("  %-16s %-24s ratios from %.2f to %.2f", t.Name, strings.Join(counts, ", "), t.Low, t.High)
		if t.Odd != nil {
			differ = true
			s.Line("     %.2f (%.2f to %.2f) in %d rounds: %s\n     %s", t.Odd.Ratio, t.Odd.Low, t.Odd.High, t.Odd.Rounds, t.Odd.Verdict, t.Odd.Message)
		}
	}
	if differ {
		s.Line("\nThe verdicts of a gate differ.")
		return exitStatus(failed)
	}
	s.Line("\nOne verdict for every gate in %d runs.", runs)
	return nil
}
