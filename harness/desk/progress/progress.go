// Package progress keeps what the last runs of the learner's code showed, and what was
// guessed, below .workbook in the workbook's root. Git ignores it. What the runs showed a
// new run brings back; what was guessed is lost with it.
package progress

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"time"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/kept"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

// Chapter is what is known of a chapter.
type Chapter struct {
	// Tests names the tests that were run. Of other ones nothing is known.
	Tests string `json:"tests"`
	// At is when the last run of all steps ended, or the first one of some; zero if
	// there was none.
	At time.Time `json:"at"`
	// Sum names the learner's files as they were in that run.
	Sum string `json:"sum"`
	// Broken says that the package did not build in the last run.
	Broken bool `json:"broken,omitempty"`
	// Steps are the verdicts, by the steps' numbers. A step that was not run since
	// the tests are as they are is not there.
	Steps map[int]verdict.Verdict `json:"steps"`
	// Seen are the steps that did not pass, as the last run of each showed them.
	Seen map[int]Sight `json:"seen,omitempty"`
	// Hints are how many hints of a step were given.
	Hints map[int]int `json:"hints,omitempty"`
}

// Sight is a step as a run showed it.
type Sight struct {
	Step check.Step `json:"step"`
	Sum  string     `json:"sum"`  // names the learner's files as they were
	From string     `json:"from"` // the folder that its paths are shown from
}

// Of reads what is known of a chapter. A file that is missing, is not whole, or
// belongs to other tests is no error: then nothing is known.
func Of(root string, c book.Chapter) Chapter {
	known := Chapter{}
	text, err := os.ReadFile(file(root, c))
	if err != nil || json.Unmarshal(text, &known) != nil || known.Tests != tests(c) {
		known = Chapter{Tests: tests(c)}
	}
	if known.Steps == nil {
		known.Steps = map[int]verdict.Verdict{}
	}
	if known.Seen == nil {
		known.Seen = map[int]Sight{}
	}
	if known.Hints == nil {
		known.Hints = map[int]int{}
	}
	return known
}

// Passed is how many steps of the chapter passed when they were last run.
func (k Chapter) Passed() int {
	n := 0
	for _, v := range k.Steps {
		if v == verdict.Pass {
			n++
		}
	}
	return n
}

// Next is the first step of the chapter that is not known to pass: one that somebody
// can mend before one that this machine cannot run. It is false when there is none.
func (k Chapter) Next(c book.Chapter) (book.Step, bool) {
	for _, lacking := range []bool{false, true} {
		for _, s := range c.Steps {
			if v := k.Steps[s.Number]; v != verdict.Pass && lacking == (v == verdict.Unsupported) {
				return s, true
			}
		}
	}
	return book.Step{}, false
}

// NextHint is the level of the hint to give next: the one after the last that was
// given. The last one is given again and again.
func (k Chapter) NextHint(s book.Step) int { return min(k.Hints[s.Number]+1, len(s.Hints)) }

// Done says that nothing is left to do: each step passes, or cannot run here.
func (k Chapter) Done(c book.Chapter) bool {
	s, left := k.Next(c)
	return !k.Broken && (!left || k.Steps[s.Number] == verdict.Unsupported)
}

// Changed says that the learner's files are other ones than in the last run.
func (k Chapter) Changed(root string, c book.Chapter) bool {
	return !k.At.IsZero() && k.Sum != sum(root, c)
}

// sum names the learner's files as they are now, or is "" if there are none.
func sum(root string, c book.Chapter) string {
	impl, err := overlay.Open(filepath.Join(root, c.Dir()))
	if err != nil {
		return ""
	}
	return impl.Sum()
}

// Last is a step that did not pass, as its last run showed it to a reader in the folder
// from. Its number is 0 if nothing is known that still holds.
func (k Chapter) Last(root string, c book.Chapter, step int, from string) check.Step {
	seen := k.Seen[step]
	if seen.From != from || seen.Sum != sum(root, c) {
		return check.Step{}
	}
	return seen.Step
}

// Record keeps what a run of the learner's code showed to a reader in the folder from.
func Record(root, from string, c book.Chapter, r check.Result) error {
	return update(root, c, func(known *Chapter) {
		if len(r.Steps) >= len(c.Steps) || known.At.IsZero() || r.Verdict == verdict.Broken {
			known.At, known.Sum = time.Now(), r.Sum
		}
		known.Broken = r.Verdict == verdict.Broken
		if known.Broken {
			return // what the steps did before is still the last that is known
		}
		for _, s := range r.Steps {
			known.Steps[s.Number] = s.Verdict
			if s.Verdict == verdict.Pass {
				delete(known.Hints, s.Number)
				delete(known.Seen, s.Number)
				continue
			}
			known.Seen[s.Number] = Sight{Step: s, Sum: r.Sum, From: from}
		}
	})
}

// Hinted keeps that a step's hints were given up to a level.
func Hinted(root string, c book.Chapter, step, level int) error {
	return update(root, c, func(known *Chapter) { known.Hints[step] = max(known.Hints[step], level) })
}

// Forget removes what is known of a chapter: it begins anew.
func Forget(root string, c book.Chapter) error {
	err := os.Remove(file(root, c))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// update changes what is known. Two terminals may do so at once: each waits for the
// other, and none loses what the other one has written.
func update(root string, c book.Chapter, change func(*Chapter)) error {
	path := file(root, c)
	unlock, err := kept.Lock(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer unlock()
	known := Of(root, c)
	change(&known)
	return kept.File(path, func(f *os.File) error {
		out := json.NewEncoder(f)
		out.SetIndent("", " ")
		return out.Encode(known)
	})
}

func file(root string, c book.Chapter) string {
	return filepath.Join(root, ".workbook", "progress", c.Folder()+".json")
}

// tests is a name for the chapter's sealed tests.
func tests(c book.Chapter) string { return overlay.Memory("tests", c.Tests()).Sum() }
