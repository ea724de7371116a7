package procfs

import (
	"fmt"
	"slices"
)

// readsPipe reports whether the wait is for bytes of a pipe.
func (w *wait) readsPipe() bool { return w.waitsForPipe() && w.mode == 'r' && w.file.Reads() }

// writesPipe reports whether the wait is for room in a pipe.
func (w *wait) writesPipe() bool { return w.waitsForPipe() && w.mode == 'w' && w.file.Writes() }

func (w *wait) waitsForPipe() bool {
	return w.file != nil && w.file.isPipe() && (w.how == inCall || w.how == inPoller)
}

// explainRead says who could still write into the pipe.
func (c *Case) explainRead(w *wait) (lines, advice []string) {
	line := w.fileLine()
	if w.file.Filled > 0 {
		line += fmt.Sprintf(" %d bytes are in it.", w.file.Filled)
	}
	holders, unread := c.holders(*w.file, File.Writes)
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
	if w.file.Filled <= 0 && !slices.ContainsFunc(holders, holder.isStopped) && (w.owner == learner || w.p.isGo()) {
		message = []string{
			"If it should wait for a message and not for the end: all that was sent has been read.",
			"Did it read more than its own message, or ask for more than was sent?",
			"Or is the message still in a buffer of the writing side's own?",
		}
	}
	self := slices.ContainsFunc(holders, func(h holder) bool { return h.p.PID == w.p.PID })
	parent := slices.ContainsFunc(holders, func(h holder) bool { return h.p.PID == w.p.Parent })
	switch {
	case self && w.file.Kind == FIFO && w.file.Writes():
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

// explainWrite says how full the pipe is and who could read from it.
func (c *Case) explainWrite(w *wait) (lines, advice []string) {
	line := w.fileLine()
	switch filled, capacity := w.file.Filled, w.file.Capacity; {
	case filled < 0:
	case filled >= capacity:
		line += fmt.Sprintf(" It is full: all of its %d bytes are used.", capacity)
	default:
		// Space is kept in pages, so the rest may be out of reach.
		line += fmt.Sprintf(" %d of its %d bytes are used, and what is to be written does not fit: space is free by whole pages.", filled, capacity)
	}
	holders, unread := c.holders(*w.file, File.Reads)
	advice = []string{"A write into a full pipe waits until somebody reads."}
	if len(holders) == 0 {
		lines = append(lines, line, "No read end of it was found.")
		return append(lines, unreadLine(unread)...), advice
	}
	lines = append(lines, line)
	verb := "Its read end is open in"
	unwanted := c.nobodyWaits(holders, func(v *wait) bool { return v.readsPipe() && v.file.same(*w.file) })
	if unwanted {
		verb = "Nobody reads from it. " + verb
	}
	lines = append(lines, verb)
	lines = append(lines, list(holders, w.p.PID)...)
	if namesakes := c.sameName(*w.file); len(namesakes) > 0 {
		return append(lines, namesakes...), anew
	}
	if !slices.ContainsFunc(holders, func(h holder) bool { return h.p.PID != w.p.PID }) {
		if w.beside != nil {
			return lines, append(advice, w.besideLines()...)
		}
		return lines, append(advice, "Here only the writer itself could do that: no other process has the read end.")
	}
	if unwanted && !slices.ContainsFunc(holders, holder.isStopped) {
		advice = append(advice, "If nobody is to read any more, every copy of the read end must be closed: then write(2) fails with EPIPE.")
	}
	return lines, advice
}

// nobodyWaits reports whether it is certain that none of the holders waits in
// such a call. What processes outside of the step do is not known.
func (c *Case) nobodyWaits(holders []holder, is func(*wait) bool) bool {
	for _, h := range holders {
		if !h.inStep {
			return false
		}
		if h.isStopped() {
			continue
		}
		for _, w := range c.waits(h.p) {
			if w.how == unknown || w.how == burning || is(&w) {
				return false
			}
		}
	}
	return true
}
