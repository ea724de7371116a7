package explain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ipcworkbook/harness/step/procfs"
)

// onEventfd reports whether the wait is for somebody who writes to an eventfd(2), or for one of
// several things of which one is that.
func (w *wait) onEventfd() bool {
	if w.file != nil && w.file.Kind == procfs.Eventfd && w.mode != 'w' {
		return w.how == inCall || w.how == inPoller
	}
	return w.polled()
}

// polled reports whether an eventfd is among several that a poll(2) waits for.
func (w *wait) polled() bool {
	return w.t != nil && len(w.t.Polls) > 1 && slices.ContainsFunc(w.t.Polls, func(p procfs.Polled) bool {
		f := w.p.File(p.FD)
		return f != nil && f.Kind == procfs.Eventfd && p.Mode() == 'r'
	})
}

func (c *Case) explainEventfd(w *wait) (lines, advice []string) {
	if w.polled() {
		return c.oneOf(w), eventfdAdvice
	}
	lines = c.eventfd(w.p, w.file)
	lines[0] = "It waits for " + lines[0]
	return lines, eventfdAdvice
}

var eventfdAdvice = []string{
	"An eventfd is ready as long as its number is above 0: somebody has to write to it (eventfd(2)).",
	"Does everybody who changes what others wait for write to it, whatever else they do?",
	"Who reads it takes the news from all. So first read, then look, and only then wait.",
}

// eventfd says what it is at, and who else has it.
func (c *Case) eventfd(of *procfs.Process, f *procfs.File) []string {
	lines := []string{fmt.Sprintf("fd %d, an eventfd whose number is %d", f.FD, f.Number)}
	for i := range c.Processes {
		p := &c.Processes[i]
		var fds []string
		for _, other := range p.Files {
			if p.PID != of.PID && other.Kind == procfs.Eventfd && other.EventID == f.EventID {
				fds = append(fds, strconv.Itoa(other.FD))
			}
		}
		if len(fds) > 0 {
			lines = append(lines, fmt.Sprintf("  %s has it as fd %s", c.who(p.PID), strings.Join(fds, ", ")))
		}
	}
	if len(lines) == 1 {
		lines[0] += ", which no other process of the step has"
	}
	return lines
}
