package procfs

// process returns the process of the step with that pid, or nil.
func (c *Case) process(pid int) *Process {
	for i := range c.Processes {
		if c.Processes[i].PID == pid {
			return &c.Processes[i]
		}
	}
	return nil
}

func (p *Process) stopped() bool { return p.State == 'T' || p.State == 't' }

// explainStopped is about a process that a signal has stopped.
func explainStopped() (lines, advice []string) {
	return []string{"SIGSTOP, or the terminal, has stopped it. It does nothing until SIGCONT comes."},
		[]string{"A stopped process neither works nor ends. Another one must let it go on with SIGCONT, also if it stopped itself."}
}

// doing says in half a sentence what a process does. It is empty if that is not
// known.
func (c *Case) doing(pid int) string {
	p := c.process(pid)
	switch {
	case p == nil:
		return ""
	case p.Zombie:
		return ", which has ended"
	case p.stopped():
		return ", which is stopped"
	}
	waits := c.waits(p)
	if len(waits) == 0 {
		return ""
	}
	switch w := waits[0]; {
	case w.sleeps() || w.g != nil && w.g.calls("time.Sleep"):
		return ", which sleeps"
	case w.owner == lab && pid != c.Processes[0].PID:
		return ", which waits for the test's next word"
	case w.how == inCall:
		return ", which is blocked in " + manual(w.call) + " itself"
	case w.how == inPoller:
		return ", which is blocked in " + article(w.call) + " itself"
	case w.how == inProcess:
		return ", which waits itself"
	case w.how == burning:
		return ", which burns CPU"
	}
	return ""
}

// zombies are the children of a process that have ended and that it did not wait
// for.
func (c *Case) zombies(parent *Process) (found []*Process) {
	for i := range c.Processes {
		if q := &c.Processes[i]; q.Zombie && q.Parent == parent.PID {
			found = append(found, q)
		}
	}
	return found
}

// explainZombie is one line about a process that has ended and is still there.
func (c *Case) explainZombie(p *Process) string {
	if parent := c.process(p.Parent); parent != nil {
		return p.name() + " has ended and is a zombie: its parent " + parent.name() + " has not waited for it"
	}
	return p.name() + " has ended, and nobody waited for it yet"
}

// zombieAdvice is for code that asks again and again whether a child is there.
func (c *Case) zombieAdvice(parent *Process) []string {
	if len(c.zombies(parent)) == 0 {
		return nil
	}
	return []string{
		"A child that has ended stays a zombie until its parent waits for it: kill(pid, 0) succeeds,",
		"and /proc/PID is there. Only wait4(2), waitid(2) or a pidfd tell its end.",
	}
}
