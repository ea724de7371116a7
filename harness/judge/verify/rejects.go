package verify

import (
	"context"
	"fmt"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

// Wrong is a known-wrong solution: a mistake that people make, as an edit of the
// reference, or of another correct solution.
type Wrong struct {
	Of      string          `toml:"of"`      // which one, in testdata/other; "" for the reference
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

// rejects proves law 3.
func (v *verifier) rejects() ([]Proof, error) {
	names, err := Variants(v.Root, v.chapter, "wrong")
	if err != nil {
		return nil, err
	}
	var all []Proof
	rejected := map[int]bool{}
	for _, name := range names {
		w, err := readWrong(v.Root, v.chapter, name)
		if err == nil {
			rejected[w.Step] = true
			if v.fits(w) {
				v.together.names = append(v.together.names, name)
			}
		}
		inputs := below(v.testdata("wrong", name+".toml"))
		if w.Of != "" {
			inputs = either(inputs, below(v.testdata("other", w.Of)), below(v.testdata("other", w.Of+".toml")))
		}
		all = append(all, Proof{What: name, Inputs: v.sum(inputs),
			Try: func(ctx context.Context, seed uint64) []Row {
				if err != nil {
					return one("", "", err)
				}
				rows := v.reject(ctx, name, w, seed)
				if rows[0].Problem == "" {
					v.together.passed("wrong/" + name)
				}
				return rows
			}})
	}
	return append(all, atOnce("every step rejects a known-wrong solution", func() (saw, problem string) {
		for _, s := range v.chapter.Steps {
			if !rejected[s.Number] {
				problem += fmt.Sprintf("step %d (%s) has none\n", s.Number, s.Test)
			}
		}
		return fmt.Sprintf("%d solutions", len(names)), problem
	}), atOnce("every kind of mistake is shown for every function, or why not", func() (saw, problem string) {
		return matrix(v.chapter, names)
	})), nil
}

// reject proves that one known-wrong solution is rejected where it has to be.
func (v *verifier) reject(ctx context.Context, name string, w Wrong, seed uint64) []Row {
	impl, err := Variant(v.Root, v.chapter, "wrong", name)
	if err != nil {
		return one("", "", err)
	}
	var steps []int
	if w.Of == "" {
		if steps, err = v.concerned(ctx, impl, w.Step); err != nil {
			return one("", "", err)
		}
	} else { // which blocks a step enters is known of the reference only
		for _, s := range v.chapter.Steps[:min(w.Step, len(v.chapter.Steps))] {
			steps = append(steps, s.Number)
		}
	}
	r, err := v.run(ctx, impl, false, seed, steps...)
	if err != nil {
		return one("", "", err)
	}
	row := Row{Saw: fmt.Sprintf("step %d %s", w.Step, w.Verdict)}
	row.Problem = v.expect(r, func(s check.Step) verdict.Verdict {
		if s.Number == w.Step {
			return w.Verdict
		}
		return verdict.Pass
	})
	if row.Problem != "" {
		return []Row{row}
	}
	last := r.Steps[len(r.Steps)-1]
	if last.Verdict == verdict.Unsupported {
		return []Row{{Skipped: v.lacks(w.Step)}}
	}
	if word := w.lacks(last.Message); word != "" {
		row.Problem = fmt.Sprintf("step %d rejects it, but without the words %q:\n%s", w.Step, word, last.Message)
	}
	return []Row{row}
}

// accepts proves law 4.
func (v *verifier) accepts() ([]Proof, error) {
	names, err := Variants(v.Root, v.chapter, "other")
	if err != nil {
		return nil, err
	}
	var all []Proof
	for _, name := range names {
		inputs := v.sum(either(below(v.testdata("other", name)), below(v.testdata("other", name+".toml"))))
		impl, err := Variant(v.Root, v.chapter, "other", name)
		if err != nil {
			all = append(all, atOnce(name, func() (string, string) { return "", err.Error() }))
			continue
		}
		all = append(all, v.passes(name, impl, false, inputs))
	}
	return append(all, atOnce("correct solutions that look different", func() (string, string) {
		if len(names) < 2 {
			return "", "there have to be at least two in testdata/other"
		}
		return fmt.Sprintf("%d solutions", len(names)), ""
	})), nil
}
