package procfs

import (
	"fmt"
	"path/filepath"
	"strings"
)

// opensFIFO reports whether a thread waits in open(2) for the other side of a
// FIFO.
func (w *wait) opensFIFO() bool {
	return w.how == inCall && w.t != nil && w.t.Opens != nil && (w.t.Opens.Kind == FIFO || removed(w.t.Opens.Target))
}

// explainOpen says which side of which FIFO is missing.
func (c *Case) explainOpen(w *wait) (lines, advice []string) {
	fifo := *w.t.Opens
	mine, other, isOther := "reading", "writing", File.Writes
	if fifo.Writes() {
		mine, other, isOther = "writing", "reading", File.Reads
	}
	if removed(fifo.Target) {
		lines = []string{"It opens " + bare(fifo.Target) + " for " + mine + ". That name is gone: it was removed while this process waited."}
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
			if f != nil && f.same(*w.t.Opens) && f.Reads() == w.t.Opens.Reads() && f.Writes() == w.t.Opens.Writes() {
				n++
			}
		}
	}
	return n
}

// sameName finds processes of the step that use another FIFO of the same name:
// somebody removed it and made it anew, and the two sides will never meet.
func (c *Case) sameName(fifo File) []string {
	if fifo.Kind == Pipe {
		return nil
	}
	var lines []string
	for i := range c.Processes {
		p := &c.Processes[i]
		for _, f := range p.Files {
			if f.Kind != FIFO || f.same(fifo) || bare(f.Target) != bare(fifo.Target) {
				continue
			}
			age := "another"
			switch {
			case removed(f.Target) && !removed(fifo.Target):
				age = "an older"
			case removed(fifo.Target) && !removed(f.Target):
				age = "a newer"
			}
			lines = append(lines, p.name()+" has "+age+" FIFO of that name open: it was removed and made anew meanwhile.")
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
			if f == nil || p == w.p && t.TID == w.t.TID || bare(f.Target) != bare(w.t.Opens.Target) {
				continue
			}
			fits := f.Reads() != w.t.Opens.Reads() && f.Writes() != w.t.Opens.Writes()
			if fits {
				return []string{
					p.name() + " waits in " + manual(t.Syscall) + " for the other side, under the same name.",
					"So these are two FIFOs: one was removed and made anew after the first of them came.",
				}
			}
		}
	}
	return nil
}

const deleted = " (deleted)"

// removed reports whether /proc says that a file has lost its name.
func removed(target string) bool { return strings.HasSuffix(target, deleted) }

// bare is the name that a file has or had.
func bare(target string) string { return filepath.Clean(strings.TrimSuffix(target, deleted)) }
