package procfs

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// holder is one descriptor that leads to the other end.
type holder struct {
	p      *Process
	file   File
	inStep bool // the process is one of the step's
}

// holders finds every descriptor in the machine that leads to the same pipe and
// fits. The step's own processes come first, from what was read while they
// hung; any other is looked at now. unread counts the processes that could not
// be looked at.
func (c *Case) holders(of File, fits func(File) bool) (found []holder, unread int) {
	inStep := map[int]bool{}
	for i := range c.Processes {
		p := &c.Processes[i]
		inStep[p.PID] = true
		if p.FilesErr != nil {
			unread++
		}
		for _, f := range p.Files {
			if f.same(of) && fits(f) {
				found = append(found, holder{p, f, true})
			}
		}
	}
	pids, _ := numbers(root)
	for _, pid := range pids {
		if inStep[pid] {
			continue
		}
		files, err := filesLike(pid, of)
		if os.IsPermission(err) {
			unread++
		}
		for _, f := range files {
			if fits(f) && !c.Held.has(pid, f.FD) {
				p := &Process{PID: pid}
				if s, err := readStat(procPath(pid, "stat")); err == nil {
					p.Role, _ = role(pid, s.comm)
				}
				found = append(found, holder{p, f, false})
			}
		}
	}
	return found, unread
}

func (h holder) isStopped() bool { return h.p.stopped() }

// filesLike reads the descriptors of a process that lead to the same pipe. It
// looks at the links first, because there are many processes.
func filesLike(pid int, of File) ([]File, error) {
	fds, err := numbers(procPath(pid, "fd"))
	if err != nil {
		return nil, err
	}
	var files []File
	for _, fd := range fds {
		target, err := os.Readlink(procPath(pid, "fd", strconv.Itoa(fd)))
		// A FIFO can have several names. A pipe or a socket has one.
		named := of.Kind != Pipe && of.Kind != Socket
		if err != nil || !named && target != of.Target || named && !strings.HasPrefix(target, "/") {
			continue
		}
		if f, ok := readFile(pid, fd); ok && f.same(of) {
			files = append(files, f)
		}
	}
	return files, nil
}

// most is how many lines of one list are shown.
const most = 8

// list writes one line for each holder, and marks those of the process itself.
func list(holders []holder, self int) []string {
	var lines []string
	width := 0
	for _, h := range holders {
		line := fmt.Sprintf("%s as fd %d", h.p.name(), h.file.FD)
		if h.isStopped() {
			line += "; it is stopped"
		}
		if !h.inStep {
			line += ", which is no process of this step"
		}
		lines = append(lines, line)
		width = max(width, len(line))
	}
	for i, h := range holders {
		if h.p.PID == self {
			lines[i] = fmt.Sprintf("%-*s  <- itself", width, lines[i])
		}
		lines[i] = "  " + lines[i]
	}
	if len(lines) > most {
		rest := len(lines) - most
		lines = append(lines[:most], fmt.Sprintf("  and %d more", rest))
	}
	return lines
}

// unreadLine says how complete a list is. It is empty for a complete one.
func unreadLine(unread int) []string {
	switch unread {
	case 0:
		return nil
	case 1:
		return []string{"(1 process could not be looked at.)"}
	}
	return []string{fmt.Sprintf("(%d processes could not be looked at.)", unread)}
}
