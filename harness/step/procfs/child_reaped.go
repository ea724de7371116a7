package procfs

import "fmt"

// reaped is about a child whose end was taken by somebody who did not mean it.
// Nothing in the kernel remembers such a child but a pidfd, if the process still
// has one: os.StartProcess keeps it until the Process is waited for. So one that
// stands for nobody any more belongs to an end that its owner was never told.
func (p *Process) reaped() (lines, advice []string) {
	for _, f := range p.Files {
		if f.Kind == Pidfd && f.Reaped {
			lines = append(lines, fmt.Sprintf("fd %d is the pidfd of a process that has ended, and somebody has waited for it already.", f.FD))
		}
	}
	if len(lines) == 0 {
		return nil, nil
	}
	return lines, []string{
		"The end of a child is told once. wait4(2) with -1 takes it for every child,",
		"and code that waits for that very child is never told: wait for each pid that you started.",
	}
}
