package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"ipcworkbook/harness/desk/progress"
	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/compare"
	"ipcworkbook/harness/judge/overlay"
)

// solutionCmd shows the learner's version beside the reference.
type solutionCmd struct {
	Chapter string `help:"Number or name of the chapter." placeholder:"N"`
	Of      string `help:"Only what has this name: Recv, or Reader.Recv." placeholder:"NAME"`
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
	if pairs, err = o.chosen(pairs); err != nil {
		return err
	}
	s := screen.New(os.Stdout, p.task)
	return paged(s, func(s screen.Screen) {
		same := 0
		only := map[bool][]string{} // of the reference, or the learner's
		for _, one := range pairs {
			switch {
			case o.Of != "" || one.Yours != nil && one.Another != nil && !one.Alike():
				s.Pair(one, s.Columns())
				s.Line("")
			case one.Alike():
				same++
			default:
				only[one.Yours == nil] = append(only[one.Yours == nil], one.Name)
			}
		}
		for _, ofReference := range []bool{true, false} {
			whose := map[bool]string{true: "the reference", false: "your version"}[ofReference]
			if names := only[ofReference]; len(names) > 0 {
				s.Paragraph(fmt.Sprintf("Only %s has %s. One of them: %s solution chapter=%d of=%s", whose, strings.Join(names, ", "), p.task, c.Number, names[0]))
				s.Line("")
			}
		}
		s.Paragraph(fmt.Sprintf("The reference is in %s, with its comments. It is one way to do it, and no law.", overlay.Relative(filepath.Join(p.root, c.Solution()), p.here)))
		if same > 0 {
			s.Paragraph(fmt.Sprintf("%d declarations are the same in both, and left out.", same))
		}
	})
}

// chosen are the declarations to show: those of the name that was asked for, or all.
func (o solutionCmd) chosen(pairs []compare.Pair) ([]compare.Pair, error) {
	if o.Of == "" {
		return pairs, nil
	}
	var some []compare.Pair
	var names []string
	for _, one := range pairs {
		if one.Name == o.Of || strings.HasSuffix(one.Name, "."+o.Of) {
			some = append(some, one)
		}
		names = append(names, one.Name)
	}
	if len(some) == 0 {
		return nil, wrongUsage("nothing is declared as %q. There is:\n  %s", o.Of, strings.Join(names, "\n  "))
	}
	return some, nil
}

// paged shows something through the reader's pager (PAGER, or less) where it goes to a
// terminal. Without a pager it is shown as it is.
func paged(s screen.Screen, show func(screen.Screen)) error {
	command := strings.Fields(cmp.Or(os.Getenv("PAGER"), "less"))
	if !s.OnTerminal() || len(command) == 0 {
		show(s)
		return nil
	}
	if _, err := exec.LookPath(command[0]); err != nil {
		show(s)
		return nil
	}
	// Ctrl-C is for the pager, and this process waits for its end.
	pager := exec.Command(command[0], command[1:]...)
	pager.Stdout, pager.Stderr = os.Stdout, os.Stderr
	if os.Getenv("LESS") == "" {
		pager.Env = append(pager.Environ(), "LESS=FRX") // it ends at once if all fits, and leaves it there
	}
	in, err := pager.StdinPipe()
	if err != nil {
		return err
	}
	if err := pager.Start(); err != nil {
		return fmt.Errorf("starting the pager: %w", err)
	}
	show(s.To(in)) // whoever leaves the pager early has seen enough: EPIPE is no error
	in.Close()
	var exit *exec.ExitError
	if err := pager.Wait(); !errors.As(err, &exit) {
		return err
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
