package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/step/launch"
)

// BuildDemo compiles the program of a chapter's scenario with an implementation
// in the place of the stub. It returns the program's path, and a function that
// removes it. A package that does not build is a [BrokenError].
func BuildDemo(ctx context.Context, o Options) (program string, remove func(), err error) {
	if problem := o.Impl.Problem(o.Chapter.Name); problem != "" {
		return "", nil, BrokenError(problem)
	}
	tmp, clean, err := launch.Folder()
	if err != nil {
		return "", nil, err
	}
	defer func() {
		if err != nil {
			clean()
		}
	}()
	over, err := overlay.Make(tmp, filepath.Join(o.Root, o.Chapter.Dir()), o.Impl, o.Chapter.Tests())
	if err != nil {
		return "", nil, err
	}
	program = filepath.Join(tmp, "demo")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "-overlay", over.File, "./"+o.Chapter.Dir()+"/demo")
	cmd.Dir = o.Root
	cmd.Env = append(cmd.Environ(), inFolder(tmp)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && ctx.Err() == nil {
		text, _ := over.Errors(out.String(), o.Root, o.From)
		return "", nil, BrokenError(text)
	}
	if err != nil {
		return "", nil, fmt.Errorf("building the demo: %w", err)
	}
	return program, clean, nil
}

// BrokenError says in the compiler's words that a learner's package does not build.
type BrokenError string

func (e BrokenError) Error() string { return "the package does not build:\n" + string(e) }
