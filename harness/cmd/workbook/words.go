package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/verify"
	"ipcworkbook/harness/judge/words"
)

type wordsCmd struct {
	Check bool `help:"Only compare; change nothing."`
}

func (c wordsCmd) Run(ctx context.Context, p place) error {
	var rows []verify.Row
	if c.Check {
		rows = words.Check(ctx, wordsOptions(p))
	} else {
		changed, after, err := words.Write(ctx, wordsOptions(p))
		for _, file := range changed {
			fmt.Println("written:", file)
		}
		if err != nil {
			return err
		}
		if len(changed) == 0 {
			fmt.Println("every shown output is as it was")
		}
		fmt.Println()
		rows = after
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	s := screen.New(os.Stdout, p.task)
	for _, r := range rows {
		s.Law(r)
	}
	if _, wrong, _ := verify.Count(rows); wrong > 0 {
		return exitStatus(failed)
	}
	return nil
}

// wordsOf proves law 6 for verify.
func wordsOf(p place) func(context.Context) []verify.Row {
	return func(ctx context.Context) []verify.Row { return words.Check(ctx, wordsOptions(p)) }
}

func wordsOptions(p place) words.Options {
	return words.Options{
		Root:  p.root,
		Parse: parseOnly,
		Chapter: func(name string) error {
			_, err := book.Find(name)
			return err
		},
	}
}

// parseOnly says whether the arguments are such that a command takes them. It
// runs nothing; not even --help ends this program.
func parseOnly(args []string) error {
	helped := false
	parser, err := kong.New(new(cli), kong.Name("workbook"), kong.Writers(io.Discard, io.Discard),
		kong.Exit(func(int) { helped = true }))
	if err != nil {
		return err
	}
	if _, err = parser.Parse(args); helped {
		return nil
	}
	return err
}
