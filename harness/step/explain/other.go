package explain

import (
	"fmt"

	"ipcworkbook/harness/step/procfs"
)

// isOther is true of every wait: this is the kind for which no other one applies.
func (w *wait) isOther() bool { return true }

// explainOther names what is known of a wait that has no file of its own here.
func (c *Case) explainOther(w *wait) (lines, advice []string) {
	switch {
	case w.t != nil && len(w.t.Polls) > 1:
		return c.oneOf(w), nil
	case w.how == unknown && !w.p.CallsReadable():
		return []string{"Its system calls may not be read (ptrace(2) says who may)."}, nil
	case w.how == unknown:
		return []string{"What it waits for is not known."}, nil
	}
	if line := w.fileLine(); line != "" {
		return []string{line}, nil
	}
	return nil, nil
}

// oneOf lists what a poll(2) of several waits for.
func (c *Case) oneOf(w *wait) []string {
	lines := []string{"It waits for one of"}
	for _, p := range w.t.Polls {
		f := w.p.File(p.FD)
		switch {
		case f == nil:
			lines = append(lines, fmt.Sprintf("  fd %d", p.FD))
		case f.Kind == procfs.Eventfd:
			for _, line := range c.eventfd(w.p, f) {
				lines = append(lines, "  "+line)
			}
		case f.Kind == procfs.Pidfd && f.Process > 0:
			lines = append(lines, fmt.Sprintf("  fd %d, a pidfd of %s: it waits for its end", p.FD, c.who(f.Process)))
		default:
			lines = append(lines, fmt.Sprintf("  fd %d, which is %s", p.FD, f.Target))
		}
	}
	return lines
}
