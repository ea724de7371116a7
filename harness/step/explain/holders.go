package explain

import (
	"fmt"

	"ipcworkbook/harness/step/procfs"
)

// holder is one descriptor that leads to the other end.
type holder struct {
	p      *procfs.Process
	file   procfs.File
	inStep bool // the process is one of the step's
}

// holders finds every descriptor in the machine that leads to the same pipe and
// fits. The step's own processes come first, from what was read while they
// hung; any other is looked at now. unread counts the processes that could not
// be looked at.
func (c *Case) holders(of procfs.File, fits func(procfs.File) bool) (found []holder, unread int) {
	inStep := map[int]bool{}
	for i := range c.Processes {
		p := &c.Processes[i]
		inStep[p.PID] = true
		if p.FilesErr != nil {
			unread++
		}
		for _, f := range p.Files {
			if f.Same(of) && fits(f) {
				found = append(found, holder{p, f, true})
			}
		}
	}
	others, hidden := procfs.Holders(of, inStep)
	for _, h := range others {
		if fits(h.File) && !c.Held.Has(h.Process.PID, h.File.FD) {
			found = append(found, holder{&h.Process, h.File, false})
		}
	}
	return found, unread + hidden
}

func (h holder) isStopped() bool { return h.p.Stopped() }

// most is how many lines of one list are shown.
const most = 8

// list writes one line for each holder, and marks those of the process itself.
func list(holders []holder, self int) []string {
	var lines []string
	width := 0
	for _, h := range holders {
		line := fmt.Sprintf("%s as fd %d", name(h.p), h.file.FD)
		if h.isStopped() {
			line += "; it is stopped"
		}
		if !h.inStep {
			line += ", which is no process of this step"
		}
		lines = append(lines, line)
		width = max(width, len(line))
	}
	for i, h := range holders {
		if h.p.PID == self {
			lines[i] = fmt.Sprintf("%-*s  <- itself", width, lines[i])
		}
		lines[i] = "  " + lines[i]
	}
	if len(lines) > most {
		rest := len(lines) - most
		lines = append(lines[:most], fmt.Sprintf("  and %d more", rest))
	}
	return lines
}

// unreadLine says how complete a list is. It is empty for a complete one.
func unreadLine(unread int) []string {
	switch unread {
	case 0:
		return nil
	case 1:
		return []string{"(1 process could not be looked at.)"}
	}
	return []string{fmt.Sprintf("(%d processes could not be looked at.)", unread)}
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

// openIn is the end of a sentence about a thing, and who has it.
func openIn(sentence string, holders []holder, unread, self int) []string {
	if len(holders) == 0 {
		return append([]string{sentence + " open in no process that was found."}, unreadLine(unread)...)
	}
	return append([]string{sentence + " open in"}, list(holders, self)...)
}
