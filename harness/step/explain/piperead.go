package explain

import (
	"slices"

	"ipcworkbook/harness/step/procfs"
)

// readsPipe reports whether the wait is for bytes of a pipe.
func (w *wait) readsPipe() bool { return w.waitsForPipe() && w.mode == 'r' && w.file.Reads() }

func (w *wait) waitsForPipe() bool {
	return w.file != nil && w.file.IsPipe() && (w.how == inCall || w.how == inPoller)
}

// explainRead says who could still write into the pipe.
func (c *Case) explainRead(w *wait) (lines, advice []string) {
	line := w.fileLine()
	if w.file.Filled > 0 {
		line += " " + oneOf(w.file.Filled, "byte") + verb(w.file.Filled, " is", " are") + " in it."
	}
	holders, unread := c.holders(*w.file, procfs.File.Writes)
	// What was found explains the wait; what could not be read is told only where
	// nothing was found.
	if len(holders) == 0 {
		lines = append(lines, line, "No write end of it was found.")
		lines = append(lines, c.sameName(*w.file)...)
		return append(lines, unreadLine(unread)...), nil
	}
	lines = append(lines, line+" Its write end is still open in")
	lines = append(lines, list(holders, w.p.PID)...)
	if namesakes := c.sameName(*w.file); len(namesakes) > 0 {
		return append(lines, namesakes...), anew
	}

	advice = []string{"A reader sees end of file only when every copy of the write end is closed."}
	var message []string
	// A command such as cat has no message of its own, and a stopped writer is
	// reason enough.
	if w.file.Filled <= 0 && !slices.ContainsFunc(holders, holder.isStopped) && (w.owner == learner || isGo(w.p)) {
		message = []string{
			"If it should wait for a message and not for the end: all that was sent has been read.",
			"Did it read more than its own message, or ask for more than was sent?",
			"Or is the message still in a buffer of the writing side's own?",
		}
	}
	self := slices.ContainsFunc(holders, func(h holder) bool { return h.p.PID == w.p.PID })
	parent := slices.ContainsFunc(holders, func(h holder) bool { return h.p.PID == w.p.Parent })
	switch {
	case self && w.file.Kind == procfs.FIFO && w.file.Writes():
		advice = append(advice, "A FIFO that is opened for reading and writing never ends: open it for reading only.")
	case self:
		advice = append(advice, "Close the end you do not use right after the start.")
		advice = append(advice, message...)
	case parent:
		advice = append(advice, "Until then it waits for bytes. Here its parent has one: it must write, or close its own.")
		advice = append(advice, message...)
		advice = append(advice, "After the start of a child a parent still has what it handed over (os/exec leaves an os.File open).")
	default:
		advice = append(advice, "Until then it waits for bytes: one of the writers must write, or all must close.")
		advice = append(advice, message...)
		if slices.ContainsFunc(holders, func(h holder) bool { return c.inherited(w.p, h) }) {
			advice = append(advice, "A process that is not to write should not have it: a child inherits what is not close-on-exec (O_CLOEXEC).")
		}
	}
	return lines, advice
}

// inherited reports whether a holder may have the descriptor only because it was
// not close-on-exec. The lab gives a role what it needs: one that waits for the
// test's next word was meant to have it.
func (c *Case) inherited(p *procfs.Process, h holder) bool {
	switch {
	case !h.inStep:
		return true // left over from somewhere
	case isRelay(h.p) || h.isStopped():
		return false
	case h.p.Parent != p.Parent && !c.descends(h.p, p):
		return false
	}
	return slices.ContainsFunc(c.waits(h.p), func(w wait) bool {
		return w.owner != lab && !w.restsInside() && (w.how != unknown || h.p.Control < 0)
	})
}

// descends reports whether a process is a child of another one, or a child's child.
func (c *Case) descends(p, from *procfs.Process) bool {
	for range c.Processes {
		if p == nil || p.Parent == from.PID {
			return p != nil
		}
		p = c.process(p.Parent)
	}
	return false
}
