package lab

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// owner tells the descriptors that count from those of the lab.
type owner func(procfs.Process, procfs.File) bool

// own leaves out the role's input and output, its two lines, all copies of them
// (the runtime makes one of the crash line), and what the test itself was started
// with and everybody inherits.
func (p *Process) own(all procfs.Process, f procfs.File) bool {
	return !p.lab.hadBefore(f) && !slices.ContainsFunc(all.Files, func(other procfs.File) bool {
		return (other.FD <= 2 || other.FD == p.lines || other.FD == p.lines+1) && other.Target == f.Target
	})
}

// hadBefore reports whether the descriptor was there before the step.
func (l *Lab) hadBefore(f procfs.File) bool {
	target, before := l.open[f.FD]
	return before && strings.HasPrefix(target, f.Target)
}

// own tells the descriptors of this step from those that were there before, and
// from those that the lab has for each process: a line, a pidfd, and a pipe for
// its output.
func (l *Lab) own(_ procfs.Process, f procfs.File) bool {
	return !l.hadBefore(f) && !slices.ContainsFunc(l.launched, func(p *Process) bool {
		switch f.Kind {
		case procfs.Pidfd:
			return f.Process == p.PID()
		case procfs.Socket:
			target, err := p.lineTarget()
			return err == nil && target == f.Target
		case procfs.Pipe:
			output, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/1", p.PID()))
			return err == nil && output == f.Target
		}
		return false
	})
}

// lineTarget is what our end of the line to the process is.
func (p *Process) lineTarget() (target string, err error) {
	err = control(p.line.f, func(fd int) error {
		target, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		return err
	})
	return target, err
}

// runtimesEventfds are the descriptors by which the Go runtime wakes up its
// poller. It waits for them without EPOLLET, and its mark is an address.
func runtimesEventfds(p procfs.Process) []int {
	var fds []int
	for _, f := range p.Files {
		for _, w := range f.Watched {
			if w.Events&unix.EPOLLET == 0 && w.Data != uint64(w.FD) {
				fds = append(fds, w.FD)
			}
		}
	}
	return fds
}
