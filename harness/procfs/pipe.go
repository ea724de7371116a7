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
	if len(holders) == 0 {
		lines = append(lines, line, "No write end of it was found.")
		return append(lines, unreadLine(unread)...), nil
	}
	lines = append(lines, line+" Its write end is still open in")
	// What was found explains the wait; what could not be read is told only where
	// nothing was found.
	lines = append(lines, list(holders, w.p.PID)...)

	advice = []string{"A reader sees end of file only when every copy of the write end is closed."}
	self := slices.ContainsFunc(holders, func(h holder) bool { return h.p.PID == w.p.PID })
	others := slices.ContainsFunc(holders, func(h holder) bool { return h.p.PID != w.p.PID })
	switch {
	case self && w.file.Kind == FIFO && w.file.Writes():
		advice = append(advice, "A FIFO that is opened for reading and writing never ends: open it for reading only.")
	case self:
		advice = append(advice, "Close the end you do not use right after the start.",
			"If it should wait for a message and not for the end: all that was sent has been read.",
			"Did it read more than its own message, or ask for more than was sent?")
	case others:
		advice = append(advice, "Until then it waits for bytes: one of the writers must write, or all must close.")
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
		line += fmt.Sprintf(" %d of its %d bytes are used, and what is to be written does not fit.", filled, capacity)
	}
	holders, unread := c.holders(*w.file, File.Reads)
	advice = []string{"A write into a full pipe waits until somebody reads."}
	if len(holders) == 0 {
		lines = append(lines, line, "No read end of it was found.")
		return append(lines, unreadLine(unread)...), advice
	}
	lines = append(lines, line)
	verb := "Its read end is open in"
	if c.nobodyReads(*w.file, holders) {
		verb = "Nobody reads from it. " + verb
	}
	lines = append(lines, verb)
	// What was found explains the wait; what could not be read is told only where
	// nothing was found.
	lines = append(lines, list(holders, w.p.PID)...)
	if !slices.ContainsFunc(holders, func(h holder) bool { return h.p.PID != w.p.PID }) {
		advice = append(advice, "Here only the writer itself could do that: no other process has the read end.")
	}
	return lines, advice
}

// nobodyReads reports whether it is certain that no process waits in a read of
// this pipe. What processes outside of the step do is not known.
func (c *Case) nobodyReads(pipe File, holders []holder) bool {
	for _, h := range holders {
		if !h.inStep {
			return false
		}
		for _, w := range c.waits(h.p) {
			if w.how == unknown || w.how == burning || w.readsPipe() && w.file.same(pipe) {
				return false
			}
		}
	}
	return true
}
