package explain

import (
	"fmt"

	"ipcworkbook/harness/step/procfs"
)

// opensFIFO reports whether a thread waits in open(2) for the other side of a
// FIFO. Whether two names are one FIFO is told by its inode, whose number stays its own
// while the descriptors are held ([Case.Held]).
func (w *wait) opensFIFO() bool {
	return w.how == inCall && w.t != nil && w.t.Opens != nil && (w.t.Opens.Kind == procfs.FIFO || w.t.Opens.Removed())
}

// explainOpen says which side of which FIFO is missing.
func (c *Case) explainOpen(w *wait) (lines, advice []string) {
	fifo := *w.t.Opens
	mine, other, isOther := "reading", "writing", procfs.File.Writes
	if fifo.Writes() {
		mine, other, isOther = "writing", "reading", procfs.File.Reads
	}
	if fifo.Removed() {
		lines = []string{"It opens " + fifo.Name() + " for " + mine + ". That name is gone: it was removed while this process waited."}
		return append(lines, c.sameName(fifo)...), anew
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
	meet := c.both(w)
	lines = append(lines, meet...)
	namesakes := c.sameName(fifo)
	lines = append(lines, namesakes...)
	lines = append(lines, unreadLine(unread)...)
	if len(meet)+len(namesakes) > 0 {
		return lines, anew
	}
	advice = []string{"Opening a FIFO waits until another process opens the other side (fifo(7))."}
	if n := c.sameSide(w); n > 1 {
		all := "both"
		if n > 2 {
			all = fmt.Sprintf("all %d", n)
		}
		advice = append(advice, "Here "+all+" open it for "+mine+": one of them has to open it for "+other+".")
	}
	return lines, advice
}

var anew = []string{
	"Make a FIFO only if nothing is there (EEXIST is no error), and never remove one that is there:",
	"the other side may wait in it.",
}

// sameSide counts the threads that wait in open(2) for the other side of this very
// FIFO, and all want to open the same one.
func (c *Case) sameSide(w *wait) (n int) {
	for _, p := range c.Processes {
		for _, t := range p.Threads {
			f := t.Opens
			if f != nil && f.Same(*w.t.Opens) && f.Reads() == w.t.Opens.Reads() && f.Writes() == w.t.Opens.Writes() {
				n++
			}
		}
	}
	return n
}

// sameName finds processes of the step that use another FIFO of the same name:
// somebody removed it and made it anew, and the two sides will never meet.
func (c *Case) sameName(fifo procfs.File) []string {
	if fifo.Kind == procfs.Pipe {
		return nil
	}
	var lines []string
	for i := range c.Processes {
		p := &c.Processes[i]
		for _, f := range p.Files {
			if f.Kind != procfs.FIFO || f.Same(fifo) || f.Name() != fifo.Name() {
				continue
			}
			age := "another"
			switch {
			case f.Removed() && !fifo.Removed():
				age = "an older"
			case fifo.Removed() && !f.Removed():
				age = "a newer"
			}
			lines = append(lines, name(p)+" has "+age+" FIFO of that name open: it was removed and made anew meanwhile.")
		}
	}
	return lines
}

// both finds a process that waits in open(2) for the other side of a FIFO of the
// same name. On one FIFO the two would have let each other go on.
func (c *Case) both(w *wait) []string {
	for i := range c.Processes {
		p := &c.Processes[i]
		for _, t := range p.Threads {
			f := t.Opens
			if f == nil || p == w.p && t.TID == w.t.TID || f.Name() != w.t.Opens.Name() {
				continue
			}
			fits := f.Reads() != w.t.Opens.Reads() && f.Writes() != w.t.Opens.Writes()
			if fits {
				return []string{
					name(p) + " waits in " + manual(t.Syscall) + " for the other side, under the same name.",
					"So these are two FIFOs: one was removed and made anew after the first of them came.",
				}
			}
		}
	}
	return nil
}
