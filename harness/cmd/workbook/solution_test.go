package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The solution goes through the reader's pager at a terminal, and nowhere else.
func TestSolutionAtATerminal(t *testing.T) {
	program, root := buildWorkbook(t), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(root, "go.mod"), []byte("module ipcworkbook\n"), 0o644))
	for _, dir := range []string{"chapters/01-pipe", "solutions/01-pipe"} {
		require.NoError(t, os.CopyFS(filepath.Join(root, dir), os.DirFS(filepath.Join("../../..", dir))))
	}
	args := []string{"solution", "--chapter", "1", "--anyway"}
	with := func(more ...string) []string { return append(append([]string{}, args...), more...) }

	t.Run("60 columns", func(t *testing.T) {
		c, _ := terminal(t, root, "sh", "-c", "stty cols 60; exec "+program+" "+strings.Join(args, " "))
		require.Equal(t, 0, c.Wait())
		require.Contains(t, c.Transcript(), "yours, pipe.go:")
		require.NotContains(t, c.Transcript(), "\x1b", "NO_COLOR is set")
		for line := range strings.Lines(c.Transcript()) {
			require.LessOrEqual(t, len([]rune(strings.TrimRight(line, "\n"))), 60, line)
		}
	})
	t.Run("a pipe", func(t *testing.T) {
		t.Setenv("PAGER", "false")
		status, said := callWith(t, root, "", program, args...)
		require.Equal(t, 0, status, said)
		require.Contains(t, said, "the reference, pipe.go:")
	})
	t.Run("a pager that is left early", func(t *testing.T) {
		status, said := at(t, root, program, with("PAGER=head -n 1")...)
		require.Equal(t, 0, status, said)
		require.Equal(t, 1, strings.Count(said, "\n"), said)
	})
	t.Run("no such pager", func(t *testing.T) {
		status, said := at(t, root, program, with("PAGER=no-such-pager")...)
		require.Equal(t, 0, status, said)
		require.Contains(t, said, "the reference, pipe.go:")
	})
	t.Run("Ctrl-C is the pager's", func(t *testing.T) {
		pager := filepath.Join(t.TempDir(), "pager")
		require.NoError(t, os.WriteFile(pager, []byte("#!/bin/sh\ntrap 'echo caught; exit 0' INT\nhead -n 3\necho shown\nwhile :; do sleep 0.01; done\n"), 0o755))
		c, _ := terminal(t, root, program, with("PAGER="+pager)...)
		c.Expect(`shown\n`)
		c.Interrupt()
		c.Expect(`caught\n`)
		require.Equal(t, 0, c.Wait())
	})
}

// A course hands out a copy without solutions: no command takes that for an error of the workbook, and
// what can be done without them is done.
func TestACopyWithoutSolutions(t *testing.T) {
	program, root := buildWorkbook(t), clone(t)
	solve(t, root)
	require.NoError(t, os.RemoveAll(filepath.Join(root, "solutions")))
	for _, c := range []struct {
		args   string
		status int
		words  []string
	}{
		{"test --chapter 6 --step 1", failed, []string{"Step 1 is next"}},
		{"test --chapter 6 --impl reference", 2, []string{"ask who handed the chapter out"}},
		{"bench --chapter 8 --rounds 1", failed, []string{"0 of 5 benchmarks", "todo", "It is not in this copy of the workbook"}},
		{"bench --chapter 1 --rounds 1", 3, []string{"yours #", "Nothing is judged here"}},
		{"bench --all --rounds 1", 2, []string{"no mechanism to measure", "ask who handed the chapter out"}},
		{"figures --chapter 6", 2, []string{"ask who handed the chapter out"}},
		{"figures --all", 2, []string{"ask who handed the chapters out"}},
		{"soak --chapter 6 --gates --runs 1", 2, []string{"ask who handed the chapter out"}},
		{"soak --chapter 6 --impl wrong/all --runs 1", 2, []string{"ask who handed the chapter out"}},
		{"verify --chapter 1", 2, []string{"ask who handed the chapter out"}},
		{"verify", 2, []string{"ask who handed the chapter out"}},
		{"solution --chapter 1 --anyway", 2, []string{"ask who handed the chapter out"}},
		{"report", 0, nil},
		{"reset --chapter 1", 0, nil},
		{"list", 0, nil},
	} {
		t.Run(c.args, func(t *testing.T) {
			status, out, errs := call(t, root, program, strings.Fields(c.args)...)
			require.Equal(t, c.status, status, out+errs)
			for _, word := range c.words {
				require.Contains(t, strings.Join(strings.Fields(out+errs), " "), word)
			}
		})
	}
}
