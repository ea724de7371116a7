package explain

import (
	"slices"

	"ipcworkbook/harness/step/procfs"
)

// ring is processes that wait for each other: each waits for a pipe, a socket
// or a queue whose other end the next one has. It is empty if there are none.
type ring []wait

// ring looks for processes that wait for each other.
func (c *Case) ring(all []wait) ring {
	if c.Spinning {
		return nil // something still runs: it may end the wait
	}
	waits := map[int][]wait{} // of each process
	for _, w := range all {
		if w.owner != lab && w.hasEnds() {
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
			if q.PID == at || !hasOtherEnd(q, &w) {
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

// hasEnds reports whether the wait is for something that has another end.
func (w *wait) hasEnds() bool {
	return w.readsPipe() || w.writesPipe() || w.onQueue() || w.onSocket() && w.farSocket() != 0
}

// hasOtherEnd reports whether the process could end the wait.
func hasOtherEnd(p *procfs.Process, w *wait) bool {
	socket := uint64(0)
	if w.onSocket() {
		socket = w.farSocket()
	}
	return slices.ContainsFunc(p.Files, func(f procfs.File) bool {
		switch {
		case socket != 0:
			return f.Same(w.endOf(socket))
		case !f.Same(*w.file):
			return false
		}
		return w.mode == 'r' && f.Writes() || w.mode == 'w' && f.Reads()
	})
}

// has reports whether the ring explains the wait. A process that holds the
// other end itself has a mistake of its own besides.
func (r ring) has(w *wait) bool {
	return w.file != nil && !hasOtherEnd(w.p, w) && slices.ContainsFunc(r, func(v wait) bool {
		return v.p == w.p && v.fd == w.fd
	})
}

func (r ring) text() []string {
	if len(r) == 0 {
		return nil
	}
	var names []string
	reads, writes := 0, 0
	for _, w := range r {
		names = append(names, name(w.p))
		switch {
		case w.call == "connect":
		case w.mode == 'r':
			reads++
		case w.mode == 'w':
			writes++
		}
	}
	lines := []string{and(names) + " wait for each other."}
	everybody := "All"
	if len(r) == 2 {
		everybody = "Both"
	}
	switch {
	case reads == len(r):
		lines = append(lines, everybody+r.reading())
	case writes == len(r):
		lines = append(lines, everybody+r.writing())
	default:
		lines = append(lines, "Each needs something that only the other's next call would give.")
	}
	return lines
}

// all reports whether it is so for each wait.
func (r ring) all(is func(*wait) bool) bool {
	return !slices.ContainsFunc(r, func(w wait) bool { return !is(&w) })
}

func (r ring) reading() string {
	switch {
	case r.all((*wait).onQueue):
		return " receive and nobody sends: one has to send before it receives."
	case slices.ContainsFunc(r, func(w wait) bool { return w.onStream() }):
		return " read and nobody writes: one has to write before it reads. One that has written all says so with CloseWrite."
	}
	return " read and nobody writes: one has to write, or to close, before it reads."
}

func (r ring) writing() string {
	full := "what is full"
	switch {
	case r.all((*wait).onQueue):
		return " send into a full queue and nobody receives: one has to receive before it sends on."
	case r.all((*wait).onSocket):
		full = "full buffers"
	case r.all((*wait).writesPipe):
		full = "a full pipe"
	}
	return " write into " + full + " and nobody reads: one has to read before it writes on."
}
