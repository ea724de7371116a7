package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"

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

// gates proves law 5: each benchmark's gate passes the reference against itself and the
// plain solutions, and fails a solution that is known to be slow, which is right
// nevertheless.
func (v *verifier) gates() ([]Proof, error) {
	if len(v.chapter.Benchmarks) == 0 {
		return []Proof{atOnce("the chapter has benchmarks", func() (string, string) { return "", "the book lists none" })}, nil
	}
	reference, err := v.reference()
	if err != nil {
		return nil, err
	}
	names, err := Variants(v.Root, v.chapter, "slow")
	if err != nil {
		return nil, err
	}
	all := []Proof{v.measuring(Proof{What: "the reference passes against itself", Inputs: v.sum(),
		Try: func(ctx context.Context, _ uint64) []Row {
			r, err := v.measure(ctx, reference, "reference", nil)
			return one(ratios(r), expectGates(r, verdict.Pass), err)
		}})}
	others, err := v.gatesPassed()
	if err != nil {
		return nil, err
	}
	all = append(all, others...)
	failed := map[string]bool{}
	for _, name := range names {
		s, err := ReadSlow(v.Root, v.chapter, name)
		for _, b := range s.Benchmarks {
			failed[b] = true
		}
		inputs := v.sum(below(v.testdata("slow", name+".toml")))
		all = append(all, Proof{What: name + ": every step passes", Inputs: inputs, Try: func(ctx context.Context, seed uint64) []Row {
			return one("pass", v.right(ctx, name, err, seed), nil)
		}}, v.measuring(Proof{What: name, Inputs: inputs, Try: func(ctx context.Context, _ uint64) []Row {
			if err != nil {
				return one("", "", err)
			}
			impl, err := Variant(v.Root, v.chapter, "slow", name)
			if err != nil {
				return one("", "", err)
			}
			r, err := v.measure(ctx, impl, "slow/"+name, s.Benchmarks)
			return one(ratios(r), expectGates(r, verdict.Slow), err)
		}}))
	}
	return append(all, atOnce("every gate fails a known-slow solution", func() (saw, problem string) {
		for _, b := range v.chapter.Benchmarks {
			if !failed[b.Name] {
				problem += b.Name + " fails none\n"
			}
		}
		return fmt.Sprintf("%d solutions", len(names)), problem
	})), nil
}

// gatesPassed are the rows of the plain solutions: the lessons promise a learner that one
// passes every gate.
func (v *verifier) gatesPassed() ([]Proof, error) {
	names, err := Variants(v.Root, v.chapter, "other")
	if err != nil {
		return nil, err
	}
	all := []Proof{atOnce("a plain solution is held to the gates", func() (saw, problem string) {
		for _, name := range v.chapter.Plain {
			if !slices.Contains(names, name) {
				problem += fmt.Sprintf("there is no %s in testdata/other\n", name)
			}
		}
		if len(v.chapter.Plain) == 0 {
			problem = "plain in the book has to name one of " + strings.Join(names, ", ")
		}
		return strings.Join(v.chapter.Plain, ", "), problem
	})}
	for _, name := range v.chapter.Plain {
		inputs := v.sum(either(below(v.testdata("other", name)), below(v.testdata("other", name+".toml"))))
		all = append(all, v.measuring(Proof{What: "other/" + name + " passes every gate", Inputs: inputs, Try: func(ctx context.Context, _ uint64) []Row {
			impl, err := Variant(v.Root, v.chapter, "other", name)
			if err != nil {
				return one("", "", err)
			}
			r, err := v.measure(ctx, impl, "other/"+name, nil)
			return one(ratios(r), expectGates(r, verdict.Pass), err)
		}}))
	}
	return all, nil
}

// right says what keeps a known-slow solution from being right, or "".
func (v *verifier) right(ctx context.Context, name string, err error, seed uint64) string {
	if err != nil {
		return err.Error()
	}
	impl, err := Variant(v.Root, v.chapter, "slow", name)
	if err != nil {
		return err.Error()
	}
	steps, err := v.concerned(ctx, impl, 0)
	if err != nil {
		return err.Error()
	}
	if len(steps) == 0 {
		return ""
	}
	r, err := v.run(ctx, impl, false, seed, steps...)
	if err != nil {
		return err.Error()
	}
	return v.expect(r, everywhere(verdict.Pass))
}

// measuring is a row that measures. Where each benchmark has both processes on one core,
// there may be such a row on each core: the gates have to hold beside other programs too.
func (v *verifier) measuring(p Proof) Proof {
	p.OneCore = !slices.ContainsFunc(v.chapter.Benchmarks, func(b book.Benchmark) bool { return b.Cores != gauge.Shared })
	p.Alone = !p.OneCore
	return p
}

// measure runs the gauge without the peers: their speed decides nothing.
func (v *verifier) measure(ctx context.Context, impl overlay.Impl, name string, benchmarks []string) (gauge.Result, error) {
	core := <-v.free
	defer func() { v.free <- core }()
	r, err := gauge.Run(ctx, gauge.Options{
		Root: v.Root, Chapter: v.chapter, Impl: impl, Name: name, From: v.Root,
		Benchmarks: benchmarks, Alone: true, Hasty: true, Core: core,
	})
	if err == nil {
		err = ctx.Err()
	}
	return r, err
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
