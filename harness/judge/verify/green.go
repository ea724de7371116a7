package verify

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/verdict"
)

// green proves law 2.
func (v *verifier) green() ([]Proof, error) {
	reference, err := v.reference()
	if err != nil {
		return nil, err
	}
	race := v.passes("and under the race detector", reference, true, v.sum())
	tryRace := race.Try
	race.Try = func(ctx context.Context, seed uint64) []Row {
		if reason := noRace(); reason != "" {
			return []Row{{Skipped: reason}}
		}
		return tryRace(ctx, seed)
	}
	busy := v.passes("and with every core kept busy", reference, false, v.sum())
	busy.Alone = true
	tryBusy := busy.Try
	busy.Try = func(ctx context.Context, seed uint64) []Row {
		stop, err := check.Load(cores())
		if err != nil {
			return one("", "", err)
		}
		defer stop()
		return tryBusy(ctx, seed)
	}
	return []Proof{
		atOnce("the reference declares what the book says to edit", func() (string, string) {
			return "", strings.Join(check.Unknown(v.chapter, reference), ", ")
		}),
		v.passes("on the reference every step passes", reference, false, v.sum()),
		race,
		v.withoutCgo(reference),
		busy,
		v.enters(reference),
		{What: "and the scenario's tests", Inputs: v.sum(), Try: func(ctx context.Context, _ uint64) []Row {
			out, err := v.goTest(ctx, reference)
			if err != nil || !strings.Contains(out, "--- PASS: ") || strings.Contains(out, "--- SKIP: ") {
				return one("", fmt.Sprintf("go test: %v\n%s", err, out), nil)
			}
			return one("pass", "", nil)
		}},
	}, nil
}

// passes proves that an implementation passes every step.
func (v *verifier) passes(what string, impl overlay.Impl, race bool, inputs string) Proof {
	return Proof{What: what, Inputs: inputs, Try: func(ctx context.Context, seed uint64) []Row {
		r, err := v.run(ctx, impl, race, seed)
		return one("pass", v.expect(r, everywhere(verdict.Pass)), err)
	}}
}

// withoutCgo builds the reference as a machine does that has no C compiler. Go's runtime
// behaves in another way there: it ends a program that it takes for a deadlock.
func (v *verifier) withoutCgo(reference overlay.Impl) Proof {
	return Proof{What: "and without a C compiler", Inputs: v.sum(), Try: func(ctx context.Context, seed uint64) []Row {
		r, err := check.Run(ctx, check.Options{
			Root: v.Root, Chapter: v.chapter, Impl: reference, NoCgo: true, Seed: seed, From: v.Root, Turns: v.turns,
		})
		return one("pass", v.expect(r, everywhere(verdict.Pass)), err)
	}}
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

// goTest runs the tests of the chapter's demo with an implementation in the
// place of the stub.
func (v *verifier) goTest(ctx context.Context, impl overlay.Impl) (string, error) {
	tmp, remove, err := launch.Folder()
	if err != nil {
		return "", err
	}
	defer remove()
	o, err := overlay.Make(tmp, filepath.Join(v.Root, v.chapter.Dir()), impl, v.chapter.Tests())
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-v", "-overlay", o.File, "./"+v.chapter.Dir()+"/demo")
	cmd.Dir = v.Root
	cmd.Env = append(cmd.Environ(), "TMPDIR="+tmp)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = v.turns.Build(cmd.Run)
	return out.String(), err
}
