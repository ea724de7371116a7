package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// misnamed are files for one architecture whose name does not say that they are for
// Linux. gopls takes such a file, where this machine's build leaves it out, for one of
// another system, and shows errors in all that it imports.
func misnamed(root string) (names []string) {
	_ = filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		name := filepath.Base(path)
		if err == nil && (strings.HasSuffix(name, "_amd64.go") || strings.HasSuffix(name, "_arm64.go")) && !strings.Contains(name, "_linux_") {
			names = append(names, path)
		}
		return nil
	})
	return names
}

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
	run("gofmt", true, "gofmt", append([]string{"-l"}, thatAre(p, "chapters", solutions, "harness")...)...)
	run("go vet", false, "go", append([]string{"vet"}, packages...)...)
	run("staticcheck", false, "go", append([]string{"tool", "-modfile=" + filepath.Join(p.root, "tools", "go.mod"), "staticcheck"}, packages...)...)
	if names := misnamed(p.root); len(names) > 0 {
		ok = false
		fmt.Printf("FAIL names of files: an editor takes these for another system's; call them _linux_ARCH.go:\n  %s\n", strings.Join(names, "\n  "))
	} else {
		fmt.Println("ok   names of files")
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !ok {
		return exitStatus(failed)
	}
	fmt.Fprintln(os.Stdout, "\nNothing to mend.")
	return nil
}
