package verify

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/todo"
	"ipcworkbook/harness/verdict"
)

// red proves law 1.
func (v *verifier) red() ([]Proof, error) {
	stub := overlay.Memory("stub", v.chapter.Stub())
	return []Proof{
		atOnce("stub and tests are as they were handed out", func() (string, string) {
			edited := append(v.chapter.Edited(v.Root, true), v.chapter.Edited(v.Root, false)...)
			if len(edited) == 0 {
				return fmt.Sprintf("%d files", len(v.chapter.Sealed)), ""
			}
			return "", "other than sealed: " + strings.Join(edited, ", ") + ".\n" +
				"In a learner's clone that is as it should be; verify wants a clean one. A maintainer seals what was changed: task seal."
		}),
		atOnce("the tests are the book's steps", func() (string, string) {
			return fmt.Sprintf("%d steps", len(v.chapter.Steps)), v.declared()
		}),
		atOnce("every step has hints, and none is the reference's code", func() (string, string) {
			reference, err := v.reference()
			if err != nil {
				return "", err.Error()
			}
			return hints(v.chapter, reference)
		}),
		{What: "on the stub every step is todo", Inputs: v.sum(), Try: func(ctx context.Context, seed uint64) []Row {
			if unknown := check.Unknown(v.chapter, stub); len(unknown) > 0 {
				return one("", "the stub does not declare what the book says to edit: "+strings.Join(unknown, ", "), nil)
			}
			r, err := v.run(ctx, stub, false, seed)
			return one("todo", v.expect(r, everywhere(verdict.Todo)), err)
		}},
		v.constructor(),
		{What: "the scenario's tests fail on the stub", Inputs: v.sum(), Try: func(ctx context.Context, _ uint64) []Row {
			out, err := v.goTest(ctx, stub)
			if _, isTodo := todo.In(out); err == nil || !isTodo {
				return one("", fmt.Sprintf("go test: %v, without the stub's error in its output:\n%s", err, out), nil)
			}
			return one("todo", "", nil)
		}},
	}, nil
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
func (v *verifier) constructor() Proof {
	p := Proof{
		What:   "with only the constructor right, exactly the steps that need no more pass",
		Inputs: v.sum(below(v.testdata("constructor.toml"))),
	}
	p.Try = func(ctx context.Context, seed uint64) []Row {
		var c only
		meta, err := toml.DecodeFile(filepath.Join(v.Root, v.testdata("constructor.toml")), &c)
		files := v.chapter.Stub()
		if err == nil && len(meta.Undecoded()) > 0 {
			err = fmt.Errorf("unknown key %q", meta.Undecoded()[0])
		}
		if err == nil {
			err = overlay.Apply(files, c.Edits)
		}
		if err != nil {
			return one("", "constructor.toml: "+err.Error(), nil)
		}
		r, err := v.run(ctx, overlay.Memory("constructor", files), false, seed)
		return one(fmt.Sprintf("steps %v pass", c.Passes), v.expect(r, func(s check.Step) verdict.Verdict {
			if slices.Contains(c.Passes, s.Number) {
				return verdict.Pass
			}
			return verdict.Todo
		}), err)
	}
	return p
}
