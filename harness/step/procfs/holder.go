package procfs

import (
	"os"
	"strconv"
	"strings"
)

// Holder is a descriptor of another process that leads to a thing.
type Holder struct {
	Process Process // only who it is
	File    File
}

// Holders finds every descriptor in the machine that leads to the same thing now.
// Those of the step's processes were read while they hung: but has their pids.
// unread counts the processes that could not be looked at.
func Holders(of File, but map[int]bool) (found []Holder, unread int) {
	pids, _ := numbers(root)
	for _, pid := range pids {
		if but[pid] {
			continue
		}
		files, err := filesLike(pid, of)
		if os.IsPermission(err) {
			unread++
		}
		if len(files) == 0 {
			continue
		}
		p, err := Who(pid)
		if err != nil {
			p.PID = pid // it ended meanwhile
		}
		for _, f := range files {
			found = append(found, Holder{p, f})
		}
	}
	return found, unread
}

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
		if f, ok := readFile(pid, fd); ok && f.Same(of) {
			files = append(files, f)
		}
	}
	return files, nil
}
