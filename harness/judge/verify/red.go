package verify

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

// red proves law 1.
func (v *verifier) red(ctx context.Context) error {
	edited := append(v.chapter.Edited(v.Root, true), v.chapter.Edited(v.Root, false)...)
	row := Row{Law: 1, What: "stub and tests are as they were handed out", Saw: fmt.Sprintf("%d files", len(v.chapter.Sealed))}
	if len(edited) > 0 {
		row.Problem = "other than sealed: " + strings.Join(edited, ", ") + ".\n" +
			"In a learner's clone that is as it should be; verify wants a clean one. A maintainer seals what was changed: task seal."
	}
	v.add(row)

	row = Row{Law: 1, What: "the tests are the book's steps", Saw: fmt.Sprintf("%d steps", len(v.chapter.Steps))}
	row.Problem = v.declared()
	v.add(row)

	reference, err := v.reference()
	if err == nil {
		row, err = hints(v.chapter, reference)
	}
	if err != nil {
		row.Problem = err.Error()
	}
	v.add(row)

	stub := overlay.Memory("stub", v.chapter.Stub())
	row = Row{Law: 1, What: "on the stub every step is todo", Saw: "todo"}
	if unknown := check.Unknown(v.chapter, stub); len(unknown) > 0 {
		row.Problem = "the stub does not declare what the book says to edit: " + strings.Join(unknown, ", ")
		v.add(row)
		return nil
	}
	r, took, err := v.run(ctx, stub, false)
	if err != nil {
		return err
	}
	row.Took, row.Problem = took, v.expect(r, everywhere(verdict.Todo))
	v.add(row)
	return v.constructor(ctx)
}

// declared compares the sealed tests with the book: each Test function is one
// step, in order.
func (v *verifier) declared() string {
	var have, want []string
	tests := v.chapter.Tests()
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		f, err := parser.ParseFile(token.NewFileSet(), name, tests[name], parser.SkipObjectResolution)
		if err != nil {
			return err.Error()
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") && fn.Name.Name != "TestMain" {
				have = append(have, fn.Name.Name)
			}
		}
	}
	for _, s := range v.chapter.Steps {
		want = append(want, s.Test)
	}
	if !slices.Equal(have, want) {
		return fmt.Sprintf("the book's steps are\n  %s\nand the tests are\n  %s", strings.Join(want, "\n  "), strings.Join(have, "\n  "))
	}
	return ""
}

// only is the stub with only the constructor right.
type only struct {
	Reason string         `toml:"reason"`
	Passes []int          `toml:"passes"`
	Edits  []overlay.Edit `toml:"edit"`
}

// constructor proves the second half of law 1.
func (v *verifier) constructor(ctx context.Context) error {
	row := Row{Law: 1, What: "with only the constructor right, exactly the steps that need no more pass"}
	var c only
	meta, err := toml.DecodeFile(v.testdata("constructor.toml"), &c)
	files := v.chapter.Stub()
	if err == nil && len(meta.Undecoded()) > 0 {
		err = fmt.Errorf("unknown key %q", meta.Undecoded()[0])
	}
	if err == nil {
		err = overlay.Apply(files, c.Edits)
	}
	if err != nil {
		row.Problem = "constructor.toml: " + err.Error()
		v.add(row)
		return nil
	}
	r, took, err := v.run(ctx, overlay.Memory("constructor", files), false)
	if err != nil {
		return err
	}
	row.Took = took
	row.Saw = fmt.Sprintf("steps %v pass", c.Passes)
	row.Problem = v.expect(r, func(s check.Step) verdict.Verdict {
		if slices.Contains(c.Passes, s.Number) {
			return verdict.Pass
		}
		return verdict.Todo
	})
	v.add(row)
	return nil
}
