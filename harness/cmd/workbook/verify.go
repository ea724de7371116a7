package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/verify"
)

type verifyCmd struct {
	chapterFlag
}

func (c verifyCmd) Run(ctx context.Context, p place) error {
	o := verify.Options{Root: p.root}
	if c.Chapter != "" {
		chapter, err := c.find(p)
		if err != nil {
			return err
		}
		o.Chapters = []book.Chapter{chapter}
	} else {
		chapters, err := book.Chapters()
		if err != nil {
			return err
		}
		o.Chapters = chapters
		o.Own = true
		o.Words = wordsOf(p)
	}
	s := screen.New(os.Stdout, p.task)
	o.Progress = func(r verify.Row) { s.Law(r) }
	rows, err := verify.Run(ctx, o)
	if err != nil {
		return err
	}
	s.Laws(rows)
	passed, wrong, skipped := verify.Count(rows)
	// The plain line at the end is for whoever counts.
	line := fmt.Sprintf("%d passed, %d failed", passed, wrong)
	if skipped > 0 {
		line += fmt.Sprintf(", %d skipped", skipped)
	}
	s.Line("\n%s", strings.TrimSpace(line))
	if wrong > 0 {
		return exitStatus(failed)
	}
	return nil
}
