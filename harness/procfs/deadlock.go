package procfs

import (
	"slices"
	"strings"
)

// ring is processes that wait for each other: each waits for a pipe whose other
// end the next one has. It is empty if there are none.
type ring []wait

// ring looks for processes that wait for each other.
func (c *Case) ring(all []wait) ring {
	if c.Spinning {
		return nil // something still runs: it may end the wait
	}
	waits := map[int][]wait{} // of each process
	for _, w := range all {
		if w.owner != lab && (w.readsPipe() || w.writesPipe()) {
			waits[w.p.PID] = append(waits[w.p.PID], w)
		}
	}
	// Walk from each process along its waits until it comes again.
	for _, start := range all {
		if r := c.walk(waits, start.p.PID, start.p.PID, nil); r != nil {
			return r
		}
	}
	return nil
}

func (c *Case) walk(waits map[int][]wait, at, goal int, path ring) ring {
	if slices.ContainsFunc(path, func(w wait) bool { return w.p.PID == at }) {
		return nil
	}
	for _, w := range waits[at] {
		path := append(slices.Clone(path), w)
		for i := range c.Processes {
			q := &c.Processes[i]
			if q.PID == at || !q.hasOtherEnd(&w) {
				continue
			}
			if q.PID == goal {
				return path
			}
			if r := c.walk(waits, q.PID, goal, path); r != nil {
				return r
			}
		}
	}
	return nil
}

// hasOtherEnd reports whether the process could end the wait.
func (p *Process) hasOtherEnd(w *wait) bool {
	return slices.ContainsFunc(p.Files, func(f File) bool {
		return f.same(*w.file) && (w.readsPipe() && f.Writes() || w.writesPipe() && f.Reads())
	})
}

// has reports whether the ring explains the wait. A process that holds the
// other end itself has a mistake of its own besides.
func (r ring) has(w *wait) bool {
	return w.file != nil && !w.p.hasOtherEnd(w) && slices.ContainsFunc(r, func(v wait) bool {
		return v.p == w.p && v.fd == w.fd
	})
}

func (r ring) text() []string {
	if len(r) == 0 {
		return nil
	}
	var names []string
	reads := 0
	for _, w := range r {
		names = append(names, w.p.name())
		if w.readsPipe() {
			reads++
		}
	}
	lines := []string{and(names) + " wait for each other."}
	everybody := "All"
	if len(r) == 2 {
		everybody = "Both"
	}
	switch reads {
	case len(r):
		lines = append(lines, everybody+" read and nobody writes: one has to write, or to close, before it reads.")
	case 0:
		lines = append(lines, everybody+" write into a full pipe and nobody reads: one has to read before it writes on.")
	default:
		lines = append(lines, "Each needs something that only the other's next call would give.")
	}
	return lines
}

func and(names []string) string {
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
