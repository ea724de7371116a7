package gauge

import (
	"context"

	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/verdict"
)

// Soak measures many times, each second time with a core kept busy. A gate has to
// give the same verdict every time.
type Soak struct {
	Options
	Runs     int
	Progress func(run int, r Result)
}

// Tally counts the verdicts of one benchmark.
type Tally struct {
	Name   string
	Counts map[verdict.Verdict]int
	// Low and High are the lowest and the highest ratio of all runs.
	Low, High float64
	// Odd is the benchmark in the first run that differs from the first of all.
	Odd *Benchmark
}

// Run runs all of them.
func (s Soak) Run(ctx context.Context) ([]Tally, error) {
	var tallies []Tally
	for run := 1; run <= s.Runs; run++ {
		r, err := s.once(ctx, run%2 == 0)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return tallies, err
		}
		if run == 1 {
			for _, b := range r.Benchmarks {
				tallies = append(tallies, Tally{Name: b.Name, Counts: map[verdict.Verdict]int{}, Low: b.Ratio, High: b.Ratio})
			}
		}
		for i, b := range r.Benchmarks {
			t := &tallies[i]
			t.Counts[b.Verdict]++
			t.Low, t.High = min(t.Low, b.Ratio), max(t.High, b.Ratio)
			if len(t.Counts) > 1 && t.Odd == nil {
				t.Odd = &b
			}
		}
		s.Progress(run, r)
	}
	return tallies, nil
}

func (s Soak) once(ctx context.Context, busy bool) (Result, error) {
	if busy {
		stop, err := check.Load(1)
		if err != nil {
			return Result{}, err
		}
		defer stop()
	}
	return Run(ctx, s.Options)
}
