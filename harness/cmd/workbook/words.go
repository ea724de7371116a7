package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/verify"
	"ipcworkbook/harness/judge/words"
)

type wordsCmd struct {
	Check   bool   `help:"Only compare; change nothing."`
	Outputs string `help:"Compare the outputs of this file only, and print the row as JSON (for verify)." placeholder:"FILE" hidden:""`
}

func (c wordsCmd) Run(ctx context.Context, p place) error {
	if c.Outputs != "" {
		row, err := words.Outputs(ctx, wordsOptions(p), c.Outputs)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(row)
	}
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

// wordsOf is law 6 for verify.
func wordsOf(p place) func(*verify.Tree) ([]verify.Proof, error) {
	return func(tree *verify.Tree) ([]verify.Proof, error) {
		return words.Proofs(wordsOptions(p), tree, func(ctx context.Context, file string) (row verify.Row, err error) {
			return outputsOf(ctx, p, file)
		})
	}
}

// outputsOf compares the outputs of one file in a process of its own.
func outputsOf(ctx context.Context, p place, file string) (row verify.Row, err error) {
	program, err := os.Executable()
	if err != nil {
		return row, err
	}
	cmd := exec.CommandContext(ctx, program, "words", "--outputs", file)
	cmd.Dir = p.root
	// It belongs to a group of its own, so that Ctrl-C reaches it once: from here.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = wordsDelay
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &row)
	}
	if err != nil {
		return row, fmt.Errorf("comparing the outputs of %s: %w\n%s", file, err, &problems)
	}
	return row, nil
}

// wordsDelay is how long a shown command may take to clean up when it was stopped.
const wordsDelay = 10 * time.Second

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
