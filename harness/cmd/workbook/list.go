package main

import (
	"fmt"
	"os"
	"path/filepath"

	"ipcworkbook/harness/desk/progress"
	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/overlay"
)

// listCmd shows what the last runs have shown. It runs nothing.
type listCmd struct{}

func (listCmd) Run(p place) error {
	chapters, err := book.Chapters()
	if err != nil {
		return err
	}
	s := screen.New(os.Stdout, p.task)
	s.Line("A workbook on Linux inter-process communication.\n")
	next := ""
	for _, c := range chapters {
		known := progress.Of(p.root, c)
		s.Chapter(c.Number, c.Title, known.Passed(), len(c.Steps), state(p, c, known))
		if next == "" && !known.Done(c) {
			next = whatIsNext(p, c, known)
		}
	}
	if next == "" {
		next = "Every step passes."
	}
	s.Line("\n%s", next)
	return nil
}

// state is a word on a chapter beside its figures.
func state(p place, c book.Chapter, known progress.Chapter) string {
	switch {
	case known.At.IsZero():
		return ""
	case known.Broken:
		return "does not build"
	case known.Changed(p.root, c):
		return "edited since"
	case known.Done(c):
		return "done"
	}
	return ""
}

func whatIsNext(p place, c book.Chapter, known progress.Chapter) string {
	run := fmt.Sprintf("  run   %s test chapter=%d", p.task, c.Number)
	if known.Broken {
		return fmt.Sprintf("Next: mend chapter %d, which does not build.\n\n%s", c.Number, run)
	}
	step, _ := known.Next(c)
	return fmt.Sprintf("Next: chapter %d, step %d: %s.\n\n  read  %s/README.md\n%s",
		c.Number, step.Number, step.Title, overlay.Relative(filepath.Join(p.root, c.Dir()), p.here), run)
}
