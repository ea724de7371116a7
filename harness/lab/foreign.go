package lab

import (
	"bytes"
	"os/exec"
	"strings"

	"github.com/stretchr/testify/require"
)

// Program finds a program of this machine. Without it the step is unsupported; the book has
// to name it too (needs).
func (l *Lab) Program(name string) string {
	l.t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		l.Unsupported("This step needs %s, and there is none on this machine: %v.", name, err)
	}
	return path
}

// Foreign is a process that is none of a role: a peer in another language, a tool.
type Foreign struct {
	lab      *Lab
	cmd      *exec.Cmd
	out, err bytes.Buffer
}

// Run starts a foreign process. What it prints is kept, unless the command has an output of
// its own. It is killed at the end of the test, if it is still there.
func (l *Lab) Run(cmd *exec.Cmd) *Foreign {
	l.t.Helper()
	f := &Foreign{lab: l, cmd: cmd}
	cmd.Stderr = &f.err
	if cmd.Stdout == nil {
		cmd.Stdout = &f.out
	}
	require.NoError(l, cmd.Start(), "starting %s", cmd.Path)
	l.closers = append(l.closers, func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return f
}

// Wait waits for its end, however that is.
func (f *Foreign) Wait() error { return f.cmd.Wait() }

// Says waits for its end, which has to be clean, and returns what it has printed. After a
// colon in what stands the likeliest reason for a failure.
func (f *Foreign) Says(what string) string {
	f.lab.t.Helper()
	err := f.cmd.Wait()
	require.Empty(f.lab, strings.TrimSpace(f.err.String()), what)
	require.NoError(f.lab, err, what)
	return f.out.String()
}
