package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/verify"
)

type verifyCmd struct {
	chapterFlag
	Row   string `help:"Prove only the rows with this name, as 05-reader-keeps-the-write-end, and anew." placeholder:"NAME"`
	Fresh bool   `help:"Prove all anew, also what was proven on this machine for the same."`
}

func (c verifyCmd) Run(ctx context.Context, p place) error {
	o := verify.Options{Root: p.root, Row: c.Row, Fresh: c.Fresh}
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
	for _, chapter := range o.Chapters {
		if err := hasReference(p, chapter); err != nil {
			return err
		}
	}
	s := screen.New(os.Stdout, p.task)
	proving := screen.NewProving(os.Stderr)
	o.Begin = func(plan verify.Plan) {
		s.Plan(plan)
		proving.Begin(plan)
	}
	o.Now = proving.Now
	o.Progress = func(r verify.Row) {
		proving.Hide()
		s.Law(r)
		proving.Show()
	}
	rows, err := verify.Run(ctx, o)
	proving.Hide()
	var none verify.NoRow
	if errors.As(err, &none) {
		return usageError{err}
	}
	if err != nil && ctx.Err() == nil {
		return err
	}
	s.Laws(rows)
	s.Failed(rows)
	passed, wrong, skipped := verify.Count(rows)
	if ctx.Err() != nil {
		s.Line("\nStopped. %d rows were proven, and are kept: the next run goes on from there.", passed)
		return ctx.Err()
	}
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
