package procfs

// explainLab is one line about a process that only waits for another one of the
// step. The test waits for its children; a child waits for the test's word.
func (c *Case) explainLab(w *wait) string {
	if w.p.isRelay() {
		return c.explainRelay(w.p)
	}
	if w.p.PID != c.Processes[0].PID {
		return w.p.name() + " waits for the test's next word"
	}
	s := w.p.name() + " waits"
	if ends := w.p.waitsFor(); len(ends) == 1 {
		s += " for the end of " + c.nameOf(ends[0])
	}
	if w.frame.File != "" {
		s += " at " + w.frame.where()
	}
	return s
}

// waitsFor are the processes whose end a process waits for.
func (p *Process) waitsFor() []int {
	var pids []int
	for i := range p.Threads {
		if pid := p.endFor(&p.Threads[i]); pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (c *Case) nameOf(pid int) string {
	if p := c.process(pid); p != nil {
		return p.name()
	}
	p := Process{PID: pid, Role: "a process"}
	return p.name()
}
