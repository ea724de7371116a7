package check

import (
	"context"
	"fmt"
	"os"
	"strings"

	"ipcworkbook/harness/launch"
	"ipcworkbook/harness/verdict"
)

// Soak runs a chapter many times with every core kept busy. The verdicts must be
// the same every time, and nothing may be left behind.
type Soak struct {
	Options
	Runs     int
	Seed     uint64 // of the first run
	Progress func(run int)
}

// Tally is what a soak saw.
type Tally struct {
	Steps []StepTally
	Odd   Odd      // the first verdict that differs from the first run's
	Left  []string // what stayed in the folder for temporary files
}

// StepTally counts one step's verdicts.
type StepTally struct {
	Step   Step // of the first run
	Counts map[verdict.Verdict]int
}

func (t StepTally) String() string {
	var all []string
	for _, v := range []verdict.Verdict{verdict.Pass, verdict.Todo, verdict.Wrong, verdict.Hung, verdict.Crashed,
		verdict.Residue, verdict.Unsupported, verdict.Broken, verdict.Fault} {
		if n := t.Counts[v]; n > 0 {
			all = append(all, fmt.Sprintf("%d %s", n, v))
		}
	}
	return strings.Join(all, ", ")
}

// Odd is a verdict that differs.
type Odd struct {
	Run  int
	Seed uint64
	Step Step
}

// Run soaks.
func (s Soak) Run(ctx context.Context) (Tally, error) {
	var tally Tally
	// Everything temporary goes into a folder of this run's own, which has to
	// be empty in the end.
	tmp, remove, err := launch.Folder()
	if err != nil {
		return tally, err
	}
	defer remove()
	if err := os.Setenv("TMPDIR", tmp); err != nil {
		return tally, err
	}
	b, err := Build(ctx, s.Options)
	if err != nil {
		return tally, err
	}
	defer b.Close()
	stop, err := Load()
	if err != nil {
		return tally, err
	}
	defer stop()
	for run := range s.Runs {
		seed := s.Seed + uint64(run)
		r, err := b.Run(ctx, seed)
		if err != nil {
			return tally, err
		}
		for i, step := range r.Steps {
			if run == 0 {
				tally.Steps = append(tally.Steps, StepTally{Step: step, Counts: map[verdict.Verdict]int{}})
			}
			if step.Verdict != tally.Steps[i].Step.Verdict && tally.Odd.Run == 0 {
				tally.Odd = Odd{Run: run + 1, Seed: seed, Step: step}
			}
			tally.Steps[i].Counts[step.Verdict]++
		}
		s.Progress(run + 1)
	}
	b.Close()
	entries, err := os.ReadDir(tmp)
	for _, e := range entries {
		tally.Left = append(tally.Left, e.Name())
	}
	return tally, err
}
