package words

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// within tells a workbook that it runs for a shown output.
	within = "WORKBOOK_WORDS"
	// grace is for a command that was told to end, and for what it started.
	grace = 2 * time.Second
	// limit is more than anybody would show.
	limit = 256 << 10
)

// runner runs shown commands, each once. It runs one at a time, and nothing else
// in this process may start processes meanwhile: what is a child of this process
// and was not before is the command's.
type runner struct {
	root     string
	deadline time.Duration
	paths    []*regexp.Regexp
	done     map[string]result
	live     io.Writer // is given what a command prints, too; it may be nil
}

// result is what became of a command.
type result struct {
	out     string
	exit    int
	problem string // why out is not to be trusted
}

func newRunner(root string, deadline time.Duration) *runner {
	return &runner{root: root, deadline: deadline, paths: privatePaths(root), done: map[string]result{}}
}

// private returns the path in a line that is this machine's own, or "".
func (r *runner) private(line string) string {
	for _, path := range r.paths {
		if m := path.FindStringSubmatch(line); m != nil {
			return m[1]
		}
	}
	return ""
}

func (r *runner) command(ctx context.Context, command string) result {
	if known, ok := r.done[command]; ok {
		return known
	}
	out := r.start(ctx, command)
	if ctx.Err() == nil {
		r.done[command] = out
	}
	return out
}

func (r *runner) start(ctx context.Context, command string) result {
	ctx, cancel := context.WithTimeout(ctx, r.deadline)
	defer cancel()
	// Whoever loses its parent becomes our child and cannot be lost.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return result{problem: fmt.Sprintf("becoming a subreaper: %v", err)}
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	before := children()

	var out capped
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = r.root
	cmd.Env = r.environment()
	var to io.Writer = &out
	if r.live != nil {
		to = io.MultiWriter(&out, r.live)
	}
	cmd.Stdout, cmd.Stderr = to, to // one writer: one copy at a time
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// SIGTERM first: a supervisor then clears up behind its step.
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGTERM) }
	cmd.WaitDelay = grace
	err := cmd.Run()
	wait := grace
	if ctx.Err() != nil {
		wait = 0 // it was told to end already
	}
	left := clearUp(before, wait)

	res := result{out: out.kept.String()}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		res.problem = fmt.Sprintf("it had not ended after %v and was killed", r.deadline)
	case out.full:
		res.problem = fmt.Sprintf("it prints more than %d KiB", limit>>10)
	case len(left) > 0:
		res.problem = fmt.Sprintf("it left processes behind, now killed: %s", strings.Join(left, ", "))
	case errors.As(err, &exit) && exit.Exited():
		res.exit = exit.ExitCode()
	case err != nil:
		res.problem = err.Error()
	}
	return res
}

// environment is the same on every machine, as far as a reader sees it.
func (r *runner) environment() []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "WORKBOOK_") || strings.HasPrefix(name, "LC_") ||
			strings.Contains(name, "FORCE_COLOR") || name == "CLICOLOR_FORCE" || name == "LANGUAGE" {
			continue
		}
		env = append(env, entry)
	}
	return append(env, "PATH="+r.root+string(os.PathListSeparator)+os.Getenv("PATH"), "PWD="+r.root,
		"NO_COLOR=1", "TERM=dumb", "COLUMNS=80", "LC_ALL=C.UTF-8", within+"=1")
}

// capped keeps the first part of an output. It takes the rest too: a command
// that prints too much ends as usual.
//
// The buffer is not embedded: its ReadFrom would be found by io.Copy and pass
// the limit by.
type capped struct {
	kept bytes.Buffer
	full bool
}

func (c *capped) Write(b []byte) (int, error) {
	room := limit - c.kept.Len()
	c.full = c.full || len(b) > room
	c.kept.Write(b[:min(len(b), room)])
	return len(b), nil
}
