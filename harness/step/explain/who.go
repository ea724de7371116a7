package explain

import (
	"fmt"

	"ipcworkbook/harness/step/procfs"
)

// The kernel keeps the numbers of processes: who used a queue last, who took a
// lock. Such a process may have ended since.

// name is how the text calls a process.
func name(p *procfs.Process) string { return fmt.Sprintf("%s (pid %d)", p.Role, p.PID) }

// process returns the process of the step with that pid, or nil.
func (c *Case) process(pid int) *procfs.Process {
	for i := range c.Processes {
		if c.Processes[i].PID == pid {
			return &c.Processes[i]
		}
	}
	return nil
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
	case p.Stopped():
		return ", which is stopped"
	}
	waits := c.waits(p)
	if len(waits) == 0 {
		return ""
	}
	switch w := waits[0]; {
	case w.sleeps() || w.g != nil && w.g.Calls("time.Sleep"):
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

// nameOf names the process with that pid.
func (c *Case) nameOf(pid int) string {
	if p := c.process(pid); p != nil {
		return name(p)
	}
	return name(&procfs.Process{PID: pid, Role: "a process"})
}

// gone reports whether a process has ended. Those of the step were looked at
// while they hung, any other is looked at now.
func (c *Case) gone(pid int) bool {
	if p := c.process(pid); p != nil {
		return p.Zombie
	}
	p, err := procfs.Who(pid)
	return err != nil || p.Zombie
}

// who names a process, and says so if it has ended or is none of the step's.
func (c *Case) who(pid int) string {
	if p := c.process(pid); p != nil {
		if p.Zombie {
			return name(p) + ", which has ended"
		}
		return name(p)
	}
	if other, err := procfs.Who(pid); err == nil && !other.Zombie {
		return name(&other) + ", which is no process of this step"
	}
	ended := procfs.Process{PID: pid, Role: "a process"}
	for _, e := range c.Ended {
		if e.PID == pid {
			ended.Role = e.Role
		}
	}
	return name(&ended) + ", which has ended"
}
