package main

import (
	"fmt"
	"os"
	"path/filepath"

	"ipcworkbook/harness/desk/progress"
	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/compare"
	"ipcworkbook/harness/judge/overlay"
)

// solutionCmd shows the learner's version beside the reference.
type solutionCmd struct {
	Chapter string `help:"Number or name of the chapter." placeholder:"N"`
	Anyway  bool   `help:"Also where not every step passes."`
}

func (o solutionCmd) Run(p place) error {
	if o.Chapter == "" {
		return wrongUsage("say which chapter: %s solution chapter=1", p.task)
	}
	c, err := book.Find(o.Chapter)
	if err != nil {
		return usageError{err}
	}
	known := progress.Of(p.root, c)
	if !o.Anyway && (!known.Done(c) || known.Changed(p.root, c)) {
		return o.refuse(p, c, known)
	}
	yours, err := implFlag{}.open(p, c)
	if err != nil {
		return err
	}
	reference, err := implFlag{Impl: "reference"}.open(p, c)
	if err != nil {
		return err
	}
	pairs, err := pair(yours, reference)
	if err != nil {
		return err
	}
	s := screen.New(os.Stdout, p.task)
	same := 0
	for _, one := range pairs {
		if one.Same() {
			same++
			continue
		}
		s.Pair(one, s.Columns())
		s.Line("")
	}
	s.Line("The reference is in %s. It is one way to do it, and no law.", overlay.Relative(filepath.Join(p.root, c.Solution()), p.here))
	if same > 0 {
		s.Line("%d declarations are the same in both, and left out.", same)
	}
	return nil
}

// refuse says what is missing. To look too early takes more than it gives.
func (o solutionCmd) refuse(p place, c book.Chapter, known progress.Chapter) error {
	why := fmt.Sprintf("%d of %d steps of chapter %d passed in the last run.", known.Passed(), len(c.Steps), c.Number)
	if known.At.IsZero() {
		why = fmt.Sprintf("chapter %d was not run yet.", c.Number)
	} else if known.Changed(p.root, c) {
		why = fmt.Sprintf("chapter %d was edited since it was run.", c.Number)
	}
	return wrongUsage("%s\nThe reference is shown beside your version when all steps pass:\n  %s test chapter=%d\nTo see it anyway:\n  %s solution chapter=%d anyway=1",
		why, p.task, c.Number, p.task, c.Number)
}

func pair(yours, reference overlay.Impl) ([]compare.Pair, error) {
	mine, err := yours.Read()
	if err != nil {
		return nil, err
	}
	theirs, err := reference.Read()
	if err != nil {
		return nil, err
	}
	pairs, err := compare.Pairs(mine, theirs)
	if err != nil {
		return nil, usageError{err}
	}
	return pairs, nil
}
