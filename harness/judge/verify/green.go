package verify

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/todo"
	"ipcworkbook/harness/verdict"
)

// green proves law 2.
func (v *verifier) green(ctx context.Context) error {
	reference, err := v.reference()
	if err != nil {
		v.add(Row{Law: 2, What: "on the reference every step passes", Problem: err.Error()})
		return nil
	}
	if unknown := check.Unknown(v.chapter, reference); len(unknown) > 0 {
		v.add(Row{Law: 2, What: "the reference declares what the book says to edit", Problem: strings.Join(unknown, ", ")})
	}
	if err := v.passes(ctx, 2, "on the reference every step passes", reference, false); err != nil {
		return err
	}
	if reason := noRace(); reason != "" {
		v.add(Row{Law: 2, What: "and under the race detector", Skipped: reason})
	} else if err := v.passes(ctx, 2, "and under the race detector", reference, true); err != nil {
		return err
	}
	stop, err := check.Load(runtime.NumCPU())
	if err != nil {
		return err
	}
	err = v.passes(ctx, 2, "and with every core kept busy", reference, false)
	stop()
	if err != nil {
		return err
	}
	return v.scenario(ctx, reference)
}

// passes proves that an implementation passes every step.
func (v *verifier) passes(ctx context.Context, law int, what string, impl overlay.Impl, race bool) error {
	r, took, err := v.run(ctx, impl, race)
	if err != nil {
		return err
	}
	v.add(Row{Law: law, What: what, Saw: "pass", Took: took, Problem: v.expect(r, everywhere(verdict.Pass))})
	return nil
}

// noRace says why the race detector cannot be used here, or "".
func noRace() string {
	for _, cc := range []string{os.Getenv("CC"), "cc", "gcc", "clang"} {
		if _, err := exec.LookPath(cc); cc != "" && err == nil {
			return ""
		}
	}
	return "no C compiler on this machine, and the race detector needs one"
}

// scenario runs the tests of the chapter's program: on the stub they fail with
// the stub's error, on the reference they pass.
func (v *verifier) scenario(ctx context.Context, reference overlay.Impl) error {
	stub := overlay.Memory("stub", v.chapter.Stub())
	begun := time.Now()
	out, err := v.goTest(ctx, stub)
	row := Row{Law: 1, What: "the scenario's tests fail on the stub", Saw: "todo"}
	if _, isTodo := todo.In(out); err == nil || !isTodo {
		row.Problem = fmt.Sprintf("go test: %v, without the stub's error in its output:\n%s", err, out)
	}
	row.Took = time.Since(begun).Round(10 * time.Millisecond)
	v.add(row)

	begun = time.Now()
	out, err = v.goTest(ctx, reference)
	row = Row{Law: 2, What: "and the scenario's tests", Saw: "pass", Took: time.Since(begun).Round(10 * time.Millisecond)}
	if err != nil || !strings.Contains(out, "--- PASS: ") || strings.Contains(out, "--- SKIP: ") {
		row.Problem = fmt.Sprintf("go test: %v\n%s", err, out)
	}
	v.add(row)
	return ctx.Err()
}

// goTest runs the tests of the chapter's demo with an implementation in the
// place of the stub.
func (v *verifier) goTest(ctx context.Context, impl overlay.Impl) (string, error) {
	tmp, err := os.MkdirTemp(v.tmp, "demo-")
	if err != nil {
		return "", err
	}
	o, err := overlay.Make(tmp, filepath.Join(v.Root, v.chapter.Dir()), impl, v.chapter.Tests())
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-overlay", o.File, "./"+v.chapter.Dir()+"/demo")
	cmd.Dir = v.Root
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	return out.String(), err
}
