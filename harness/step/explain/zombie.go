package explain

import "ipcworkbook/harness/step/procfs"

// zombies are the children of a process that have ended and that it did not wait
// for.
func (c *Case) zombies(parent *procfs.Process) (found []*procfs.Process) {
	for i := range c.Processes {
		if q := &c.Processes[i]; q.Zombie && q.Parent == parent.PID {
			found = append(found, q)
		}
	}
	return found
}

// explainZombie is one line about a process that has ended and is still there.
func (c *Case) explainZombie(p *procfs.Process) string {
	if parent := c.process(p.Parent); parent != nil {
		return name(p) + " has ended and is a zombie: its parent " + name(parent) + " has not waited for it"
	}
	return name(p) + " has ended, and nobody waited for it yet"
}

// zombieAdvice is for code that asks again and again whether a child is there.
func (c *Case) zombieAdvice(parent *procfs.Process) []string {
	if len(c.zombies(parent)) == 0 {
		return nil
	}
	return []string{
		"A child that has ended stays a zombie until its parent waits for it: kill(pid, 0) succeeds,",
		"and /proc/PID is there. Only wait4(2), waitid(2) or a pidfd tell its end.",
	}
}
