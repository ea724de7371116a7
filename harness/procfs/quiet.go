package procfs

import "golang.org/x/sys/unix"

// explainLab is one line about a process that only waits for another one of the
// step. The test waits for its children; a child waits for the test's word.
func (c *Case) explainLab(w *wait) string {
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
		t := &p.Threads[i]
		switch {
		case t.Running:
		case t.Syscall == "wait4" && int32(t.Args[0]) > 0:
			pids = append(pids, int(int32(t.Args[0])))
		case t.Syscall == "waitid" && t.Args[0] == unix.P_PID:
			pids = append(pids, int(int32(t.Args[1])))
		case t.Syscall == "waitid" && t.Args[0] == unix.P_PIDFD:
			if f := p.file(int(int32(t.Args[1]))); f != nil && f.Process > 0 {
				pids = append(pids, f.Process)
			}
		}
	}
	return pids
}

func (c *Case) nameOf(pid int) string {
	for i := range c.Processes {
		if c.Processes[i].PID == pid {
			return c.Processes[i].name()
		}
	}
	p := Process{PID: pid, Role: "a process"}
	return p.name()
}
