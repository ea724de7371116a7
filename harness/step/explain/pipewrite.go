package explain

import (
	"fmt"
	"slices"

	"ipcworkbook/harness/step/procfs"
)

// writesPipe reports whether the wait is for room in a pipe.
func (w *wait) writesPipe() bool { return w.waitsForPipe() && w.mode == 'w' && w.file.Writes() }

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
	holders, unread := c.holders(*w.file, procfs.File.Reads)
	advice = []string{"A write into a full pipe waits until somebody reads."}
	if len(holders) == 0 {
		lines = append(lines, line, "No read end of it was found.")
		return append(lines, unreadLine(unread)...), advice
	}
	lines = append(lines, line)
	verb := "Its read end is open in"
	unwanted := c.nobodyWaits(holders, func(v *wait) bool { return v.readsPipe() && v.file.Same(*w.file) })
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

// besideLines are for a writer whose reader is a goroutine of the same process.
func (w *wait) besideLines() []string {
	v, see := w.beside, "below"
	if v.rank() < w.rank() {
		see = "above"
	}
	return []string{
		"Its read end is in this process too: the goroutine at " + where(v.frame) + ",",
		"does not read: it waits (see " + see + ").",
	}
}
