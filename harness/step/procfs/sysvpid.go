package procfs

// The kernel keeps the numbers of processes: who used a queue last, who took a
// lock. Such a process may have ended since.

// processWith returns the process of the step with that pid, or nil.
func (c *Case) processWith(pid int) *Process {
	for i := range c.Processes {
		if c.Processes[i].PID == pid {
			return &c.Processes[i]
		}
	}
	return nil
}

// gone reports whether a process has ended. Those of the step were looked at
// while they hung, any other is looked at now.
func (c *Case) gone(pid int) bool {
	if p := c.processWith(pid); p != nil {
		return p.Zombie
	}
	s, err := readStat(procPath(pid, "stat"))
	return err != nil || s.state == 'Z' || s.state == 'X'
}

// who names a process, and says so if it has ended or is none of the step's.
func (c *Case) who(pid int) string {
	if p := c.processWith(pid); p != nil {
		if p.Zombie {
			return p.name() + ", which has ended"
		}
		return p.name()
	}
	if !c.gone(pid) {
		s, _ := readStat(procPath(pid, "stat"))
		other := Process{PID: pid}
		other.Role, _ = role(pid, s.comm)
		return other.name() + ", which is no process of this step"
	}
	ended := Process{PID: pid, Role: "a process"}
	for _, e := range c.Ended {
		if e.PID == pid {
			ended.Role = e.Role
		}
	}
	return ended.name() + ", which has ended"
}
