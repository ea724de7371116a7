package main

import (
	"context"
	"errors"
	"os"
	"os/exec"

	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/step/supervisor"
)

type demoCmd struct {
	chapterFlag
	implFlag
	Args []string `arg:"" optional:"" passthrough:"" help:"For the scenario's program; -- --help shows what it takes."`
}

func (d demoCmd) Run(ctx context.Context, p place) error {
	chapter, err := d.find(p)
	if err != nil {
		return err
	}
	impl, err := d.open(p, chapter)
	if err != nil {
		return err
	}
	program, remove, err := check.BuildDemo(ctx, check.Options{Root: p.root, Chapter: chapter, Impl: impl, From: p.here})
	if err != nil {
		return err
	}
	defer remove()
	args := d.Args
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	// The program belongs to the terminal: Ctrl-C is for it, and this process
	// waits for its end.
	cmd := exec.Command(program, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exitStatus(supervisor.ExitStatus(err))
	}
	return err
}
