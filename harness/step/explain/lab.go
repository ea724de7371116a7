package explain

import "ipcworkbook/harness/step/procfs"

// explainLab is one line about a process that only waits for another one of the
// step. The test waits for its children; a child waits for the test's word.
func (c *Case) explainLab(w *wait) string {
	if isRelay(w.p) {
		return c.explainRelay(w.p)
	}
	if w.p.PID != c.Processes[0].PID {
		return name(w.p) + " waits for the test's next word"
	}
	s := name(w.p) + " waits"
	if ends := waitsFor(w.p); len(ends) == 1 {
		s += " for the end of " + c.nameOf(ends[0])
	}
	if w.frame.File != "" {
		s += " at " + where(w.frame)
	}
	return s
}

// waitsFor are the processes whose end a process waits for.
func waitsFor(p *procfs.Process) []int {
	var pids []int
	for i := range p.Threads {
		if pid := endFor(p, &p.Threads[i]); pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}
