package lab

import (
	"fmt"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// IsStopped says that a signal has stopped the process: SIGSTOP, SIGTSTP, SIGTTIN or SIGTTOU.
func IsStopped(p Subject) Evidence {
	return is(p, "is stopped", func(q procfs.Process) bool { return q.Stopped() })
}

// IsZombie says that the process has ended, and that its parent has not waited for it yet.
func IsZombie(p Subject) Evidence {
	return is(p, "is a zombie", func(q procfs.Process) bool { return q.Zombie })
}

// IsGone says that the process has ended and that its parent has waited for it.
func IsGone(p Subject) Evidence {
	return Evidence{claim: p.name() + " has ended, and its parent has waited for it", look: func() (string, bool) {
		q, there := look(p)
		return state(q), !there
	}}
}

// HasZombies says how many children of the process have ended without that it has waited for
// them.
func HasZombies(p Subject, n int) Evidence {
	return Evidence{
		claim:  fmt.Sprintf("%s has %s that it has not waited for", p.name(), children(n)),
		reason: "SIGCHLD of children that end together is one. After each, wait for every child that has ended.",
		look: func() (string, bool) {
			found := 0
			for _, child := range procfs.Children(p.PID()) {
				if q, err := procfs.Who(child); err == nil && q.Zombie {
					found++
				}
			}
			return "it has " + children(found), found == n
		},
	}
}

func children(n int) string {
	if n == 1 {
		return "1 ended child"
	}
	return fmt.Sprintf("%d ended children", n)
}

// InGroup says that the process is in the process group of that number (setpgid(2)).
func InGroup(p Subject, group int) Evidence {
	return Evidence{claim: fmt.Sprintf("%s is in process group %d", p.name(), group), look: func() (string, bool) {
		now, err := unix.Getpgid(p.PID())
		if err != nil {
			return err.Error(), false
		}
		return fmt.Sprintf("it is in group %d", now), now == group
	}}
}

func is(p Subject, what string, so func(procfs.Process) bool) Evidence {
	return Evidence{claim: p.name() + " " + what, look: func() (string, bool) {
		q, there := look(p)
		return state(q), there && so(q)
	}}
}

// look reads who the process is now. One that has another parent's pid again is not it.
func look(p Subject) (q procfs.Process, there bool) {
	if o, ok := p.(*Other); ok && o.reaped() {
		return q, false
	}
	if o, ok := p.(*Process); ok {
		select {
		case <-o.ended:
			return q, false
		default:
		}
	}
	q, err := procfs.Who(p.PID())
	return q, err == nil
}

// state says in words what a process does.
func state(p procfs.Process) string {
	switch {
	case p.PID == 0:
		return "it is gone"
	case p.Zombie:
		return "it has ended, and nobody has waited for it"
	case p.Stopped():
		return "it is stopped"
	}
	return "it is there, and goes on"
}
