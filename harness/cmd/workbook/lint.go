package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

// lintCmd runs the linters over the whole module, the variants in testdata too,
// which ./... leaves out.
type lintCmd struct{}

func (lintCmd) Run(ctx context.Context, p place) error {
	others, err := filepath.Glob(filepath.Join(p.root, "solutions", "*", "testdata", "other", "*", "*.go"))
	if err != nil {
		return err
	}
	packages := []string{"./..."}
	for _, file := range others {
		rel, err := filepath.Rel(p.root, filepath.Dir(file))
		if err != nil {
			return err
		}
		if dir := "./" + rel; !slices.Contains(packages, dir) {
			packages = append(packages, dir)
		}
	}
	ok := true
	run := func(what string, failsOnOutput bool, name string, args ...string) {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = p.root
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		if err == nil && !(failsOnOutput && out.Len() > 0) {
			fmt.Println("ok  ", what)
			return
		}
		ok = false
		fmt.Printf("FAIL %s\n%s", what, &out)
	}
	run("gofmt", true, "gofmt", "-l", "chapters", "solutions", "harness")
	run("go vet", false, "go", append([]string{"vet"}, packages...)...)
	run("staticcheck", false, "go", append([]string{"tool", "-modfile=" + filepath.Join(p.root, "tools", "go.mod"), "staticcheck"}, packages...)...)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !ok {
		return exitStatus(failed)
	}
	fmt.Fprintln(os.Stdout, "\nNothing to mend.")
	return nil
}
