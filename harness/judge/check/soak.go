package check

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/verdict"
)

// Soak runs a chapter many times with every core kept busy. The verdicts must be
// the same every time, and nothing may be left behind.
type Soak struct {
	Options
	Runs     int
	Seed     uint64 // of the first run
	Busy     int    // how many programs keep each core busy
	Progress func(run int)
}

// Tally is what a soak saw.
type Tally struct {
	Steps []StepTally
	Left  []string // what stayed in the folder for temporary files
}

// Differ returns the first step that did not end in the same way every time.
func (t Tally) Differ() (StepTally, bool) {
	return t.first(func(s StepTally) bool { return len(s.Counts) > 1 })
}

// Wrong returns the first step that somebody has to mend.
func (t Tally) Wrong() (StepTally, bool) {
	return t.first(func(s StepTally) bool { return s.Bad.Run > 0 })
}

func (t Tally) first(is func(StepTally) bool) (StepTally, bool) {
	if i := slices.IndexFunc(t.Steps, is); i >= 0 {
		return t.Steps[i], true
	}
	return StepTally{}, false
}

// StepTally counts one step's verdicts.
type StepTally struct {
	Step   Step // of the first run
	Counts map[verdict.Verdict]int
	Bad    Bad // the first run in which it neither passed nor was unsupported
	Cannot Bad // the first run in which it was unsupported
}

// Bad is how a step ended in one run. Its zero value says that there was none.
type Bad struct {
	Run  int
	Seed uint64
	Step Step
}

func (t StepTally) String() string { return Counted(t.Counts) }

// Counted says how often each verdict came: "19 pass, 1 hung".
func Counted(counts map[verdict.Verdict]int) string {
	var all []string
	for _, v := range []verdict.Verdict{verdict.Pass, verdict.Todo, verdict.Wrong, verdict.Hung, verdict.Crashed,
		verdict.Residue, verdict.Unsupported, verdict.Broken, verdict.Fault} {
		if n := counts[v]; n > 0 {
			all = append(all, fmt.Sprintf("%d %s", n, v))
		}
	}
	return strings.Join(all, ", ")
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
	stop, err := Load(s.Busy * runtime.NumCPU())
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
			fine := step.Verdict == verdict.Pass || step.Verdict == verdict.Unsupported
			if step.Verdict == verdict.Unsupported && tally.Steps[i].Cannot.Run == 0 {
				tally.Steps[i].Cannot = Bad{Run: run + 1, Seed: seed, Step: step}
			}
			if !fine && tally.Steps[i].Bad.Run == 0 {
				tally.Steps[i].Bad = Bad{Run: run + 1, Seed: seed, Step: step}
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
