package verify

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

// Slow is a known-slow solution: it is right, and it is slow in a way in which
// people write it.
type Slow struct {
	Reason     string         `toml:"reason"`
	Benchmarks []string       `toml:"benchmarks"` // whose gates it must fail
	Edits      []overlay.Edit `toml:"edit"`
}

// ReadSlow reads what is said of a known-slow solution.
func ReadSlow(root string, c book.Chapter, name string) (Slow, error) {
	var s Slow
	err := readVariant(root, c, "slow", name, &s)
	if err == nil && (s.Reason == "" || len(s.Benchmarks) == 0) {
		err = fmt.Errorf("reason and benchmarks have to be given")
	}
	for _, b := range s.Benchmarks {
		if _, unknown := c.Benchmark(b); unknown != nil && err == nil {
			err = unknown
		}
	}
	return s, err
}

// gates proves law 5: each benchmark's gate passes the reference against itself,
// and fails a solution that is known to be slow, which is right nevertheless.
func (v *verifier) gates(ctx context.Context) error {
	if len(v.chapter.Benchmarks) == 0 {
		v.add(Row{Law: 5, What: "the chapter has benchmarks", Problem: "the book lists none"})
		return nil
	}
	reference, err := v.reference()
	if err != nil {
		v.add(Row{Law: 5, What: "the reference passes against itself", Problem: err.Error()})
		return nil
	}
	if err := v.passesGates(ctx, reference); err != nil {
		return err
	}
	names, err := Variants(v.Root, v.chapter, "slow")
	if err != nil {
		return err
	}
	failed := map[string]bool{}
	for _, name := range names {
		if err := v.failsGates(ctx, name, failed); err != nil {
			return err
		}
	}
	row := Row{Law: 5, What: "every gate fails a known-slow solution", Saw: fmt.Sprintf("%d solutions", len(names))}
	for _, b := range v.chapter.Benchmarks {
		if !failed[b.Name] {
			row.Problem += b.Name + " fails none\n"
		}
	}
	v.add(row)
	return nil
}

func (v *verifier) passesGates(ctx context.Context, reference overlay.Impl) error {
	r, took, err := v.measure(ctx, reference, "reference", nil)
	if err != nil {
		return err
	}
	v.add(Row{Law: 5, What: "the reference passes against itself", Saw: ratios(r), Took: took,
		Problem: expectGates(r, verdict.Pass)})
	return nil
}

func (v *verifier) failsGates(ctx context.Context, name string, failed map[string]bool) error {
	row := Row{Law: 5, What: name}
	s, err := ReadSlow(v.Root, v.chapter, name)
	var impl overlay.Impl
	if err == nil {
		impl, err = Variant(v.Root, v.chapter, "slow", name)
	}
	if err != nil {
		row.Problem = err.Error()
		v.add(row)
		return nil
	}
	steps, _, err := v.run(ctx, impl, false)
	if err != nil {
		return err
	}
	row.Problem = v.expect(steps, everywhere(verdict.Pass))
	r, took, err := v.measure(ctx, impl, "slow/"+name, s.Benchmarks)
	if err != nil {
		return err
	}
	row.Took, row.Saw = took, ratios(r)
	if row.Problem == "" {
		row.Problem = expectGates(r, verdict.Slow)
	}
	for _, b := range s.Benchmarks {
		failed[b] = true
	}
	v.add(row)
	return nil
}

// measure runs the gauge without the peers: their speed decides nothing.
func (v *verifier) measure(ctx context.Context, impl overlay.Impl, name string, benchmarks []string) (gauge.Result, time.Duration, error) {
	begun := time.Now()
	r, err := gauge.Run(ctx, gauge.Options{
		Root: v.Root, Chapter: v.chapter, Impl: impl, Name: name, From: v.Root,
		Benchmarks: benchmarks, Alone: true, Hasty: true,
	})
	if err == nil {
		err = ctx.Err()
	}
	return r, time.Since(begun).Round(10 * time.Millisecond), err
}

// expectGates compares the benchmarks' verdicts with the one that a law asks for.
func expectGates(r gauge.Result, want verdict.Verdict) string {
	if r.Message != "" {
		return r.Message
	}
	for _, b := range r.Benchmarks {
		if b.Verdict != want {
			return fmt.Sprintf("%s is %q, not %q: %.2f of the reference (%.2f to %.2f in %d rounds), and the gate is %.2f\n%s",
				b.Name, b.Verdict, want, b.Ratio, b.Low, b.High, b.Rounds, b.Gate, b.Message)
		}
	}
	return ""
}

// ratios are the ratios of a result, in its order.
func ratios(r gauge.Result) string {
	var all []string
	for _, b := range r.Benchmarks {
		all = append(all, fmt.Sprintf("%.2f", b.Ratio))
	}
	return strings.Join(all, " ")
}
