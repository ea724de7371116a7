package verify

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

// Wrong is a known-wrong solution: a mistake that people make, as an edit of the
// reference.
type Wrong struct {
	Step    int             `toml:"step"`    // the step that must reject it
	Verdict verdict.Verdict `toml:"verdict"` // how that step ends
	Reason  string          `toml:"reason"`  // the mistake in a sentence
	Words   []string        `toml:"words"`   // must appear in the message
	Edits   []overlay.Edit  `toml:"edit"`
}

func readWrong(root string, c book.Chapter, name string) (Wrong, error) {
	var w Wrong
	err := readVariant(root, c, "wrong", name, &w)
	switch {
	case err != nil:
	case w.Step == 0 || w.Verdict == "" || w.Reason == "" || len(w.Words) == 0:
		err = fmt.Errorf("step, verdict, reason and words have to be given")
	case w.Verdict == verdict.Pass:
		err = fmt.Errorf("a known-wrong solution cannot pass")
	}
	return w, err
}

// rejects proves law 3. Some solutions are tried side by side, because a check waits
// for most of its time. The rows come in the order of the names.
func (v *verifier) rejects(ctx context.Context) error {
	names, err := Variants(v.Root, v.chapter, "wrong")
	if err != nil {
		return err
	}
	tried := make([]chan try, len(names))
	for i := range tried {
		tried[i] = make(chan try, 1)
	}
	var tries errgroup.Group
	tries.SetLimit(min(max(2, runtime.NumCPU()), 4))
	go func() {
		for i, name := range names {
			tries.Go(func() error {
				tried[i] <- v.try(ctx, name)
				return nil
			})
		}
	}()
	rejected := map[int]bool{}
	for i := range names {
		t := <-tried[i]
		if ctx.Err() != nil {
			continue // the others see it too, and stop
		}
		rejected[t.step] = true
		v.add(t.row)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	row := Row{Law: 3, What: "every step rejects a known-wrong solution", Saw: fmt.Sprintf("%d solutions", len(names))}
	for _, s := range v.chapter.Steps {
		if !rejected[s.Number] {
			row.Problem += fmt.Sprintf("step %d (%s) has none\n", s.Number, s.Test)
		}
	}
	v.add(row)
	return nil
}

// try is what came of a known-wrong solution.
type try struct {
	step int // the one that must reject it
	row  Row
}

func (v *verifier) try(ctx context.Context, name string) try {
	t := try{row: Row{Law: 3, What: name}}
	if ctx.Err() != nil {
		return t
	}
	w, err := readWrong(v.Root, v.chapter, name)
	var impl overlay.Impl
	if err == nil {
		impl, err = Variant(v.Root, v.chapter, "wrong", name)
	}
	if err == nil {
		t.step = w.Step
		err = v.reject(ctx, w, impl, &t.row)
	}
	if err != nil {
		t.row.Problem = err.Error()
	}
	return t
}

// reject proves that one known-wrong solution is rejected where it has to be.
func (v *verifier) reject(ctx context.Context, w Wrong, impl overlay.Impl, row *Row) error {
	var steps []int
	for n := 1; n <= w.Step; n++ {
		steps = append(steps, n)
	}
	r, took, err := v.run(ctx, impl, false, steps...)
	if err != nil {
		return err
	}
	row.Took = took
	row.Saw = fmt.Sprintf("step %d %s", w.Step, w.Verdict)
	row.Problem = v.expect(r, func(s check.Step) verdict.Verdict {
		if s.Number == w.Step {
			return w.Verdict
		}
		return verdict.Pass
	})
	if row.Problem != "" {
		return nil
	}
	if r.Steps[len(r.Steps)-1].Verdict == verdict.Unsupported {
		row.Skipped = v.lacks(w.Step)
		return nil
	}
	message := r.Steps[len(r.Steps)-1].Message
	for _, word := range w.Words {
		// A sentence may begin with the words.
		if !strings.Contains(strings.ToLower(message), strings.ToLower(word)) {
			row.Problem = fmt.Sprintf("step %d rejects it, but without the words %q:\n%s", w.Step, word, message)
		}
	}
	return nil
}

// accepts proves law 4.
func (v *verifier) accepts(ctx context.Context) error {
	names, err := Variants(v.Root, v.chapter, "other")
	if err != nil {
		return err
	}
	for _, name := range names {
		impl, err := Variant(v.Root, v.chapter, "other", name)
		if err != nil {
			v.add(Row{Law: 4, What: name, Problem: err.Error()})
			continue
		}
		if err := v.passes(ctx, 4, name, impl, false); err != nil {
			return err
		}
	}
	row := Row{Law: 4, What: "correct solutions that look different", Saw: fmt.Sprintf("%d solutions", len(names))}
	if len(names) < 2 {
		row.Problem = "there have to be at least two in testdata/other"
	}
	v.add(row)
	return nil
}
