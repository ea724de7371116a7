package procfs

import "path/filepath"

// opensFIFO reports whether a thread waits in open(2) for the other side of a
// FIFO.
func (w *wait) opensFIFO() bool {
	return w.how == inCall && w.t != nil && w.t.Opens != nil && w.t.Opens.Kind == FIFO
}

// explainOpen says which side of which FIFO is missing.
func (c *Case) explainOpen(w *wait) (lines, advice []string) {
	fifo := *w.t.Opens
	mine, other, isOther := "reading", "writing", File.Writes
	if fifo.Writes() {
		mine, other, isOther = "writing", "reading", File.Reads
	}
	lines = []string{"It opens the FIFO " + fifo.Target + " for " + mine + "."}
	holders, unread := c.holders(fifo, isOther)
	if len(holders) == 0 {
		lines = append(lines, "Nobody has opened it for "+other+".")
	} else {
		// Both sides are there, so the call is about to return; or the other
		// process opened its side and we looked in between.
		lines = append(lines, "It is open for "+other+" in")
		lines = append(lines, list(holders, w.p.PID)...)
	}
	lines = append(lines, c.sameName(fifo)...)
	lines = append(lines, unreadLine(unread)...)
	return lines, []string{"Opening a FIFO waits until another process opens the other side (fifo(7))."}
}

// sameName finds processes of the step that use another FIFO of the same name:
// somebody removed it and made it anew, and the two sides will never meet.
func (c *Case) sameName(fifo File) []string {
	var lines []string
	for i := range c.Processes {
		for _, f := range c.Processes[i].Files {
			old := f.Target == fifo.Target+" (deleted)" || f.Target == filepath.Clean(fifo.Target)
			if f.Kind == FIFO && old && !f.same(fifo) {
				lines = append(lines, c.Processes[i].name()+" has an older FIFO of that name open, which was removed meanwhile.")
			}
		}
	}
	return lines
}
