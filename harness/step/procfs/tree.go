package procfs

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Descendants returns every process below root, not root itself, parents
// before children. Zombies are among them: they are there until someone waits
// for them.
func Descendants(root int) []int {
	var all []int
	seen := map[int]bool{root: true}
	// One queue for all levels puts parents before children. The set guards
	// against a pid that is used again while we look.
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		for _, child := range Children(queue[0]) {
			if !seen[child] {
				seen[child] = true
				all = append(all, child)
				queue = append(queue, child)
			}
		}
	}
	return all
}

// IsBelow reports whether root is the parent of a process, or the parent of its parent, and so
// on. It asks from below: a look from above, as [Descendants] has it, misses a process whose
// parent ends meanwhile. It is another one's child then, of whom was asked before.
func IsBelow(root, pid int) bool {
	for at := pid; ; {
		s, err := readStat(procPath(at, "stat"))
		gone := err != nil || s.group < 0 // it is just being reaped: then stat shows no parent, and group -1
		switch {
		case gone && at != pid:
			at = pid // and look again who is its parent now
		case gone || s.parent == 0:
			return false
		case s.parent == root:
			return true
		default:
			at = s.parent
		}
	}
}

// Others returns all processes that /proc shows, but this one: in a PID namespace of its own
// the first process has no others than its descendants, and this is the shorter way to them.
func Others() []int {
	all, _ := numbers(root)
	return slices.DeleteFunc(all, func(pid int) bool { return pid == os.Getpid() })
}

// Children returns the direct children of a process, in ascending order.
func Children(pid int) []int {
	if children, ok := childrenFromTasks(pid); ok {
		return children
	}
	return childrenFromStat(pid)
}

// childrenFromTasks reads /proc/PID/task/*/children. A child belongs to the
// thread that started it, so every thread has a list. The file exists only in
// a kernel with CONFIG_PROC_CHILDREN; ok says whether it does.
func childrenFromTasks(pid int) (children []int, ok bool) {
	tids, err := numbers(procPath(pid, "task"))
	if err != nil {
		return nil, false
	}
	for _, tid := range tids {
		// A thread that has ended has no such file.
		there := glimpseOf(procPath(pid, "task", strconv.Itoa(tid), "children"), func(text []byte) {
			for _, f := range strings.Fields(string(text)) {
				if n, err := strconv.Atoi(f); err == nil {
					children = append(children, n)
				}
			}
		})
		ok = ok || there
	}
	return sorted(children), ok
}

// childrenFromStat asks every process of the machine for its parent.
func childrenFromStat(pid int) []int {
	var children []int
	pids, _ := numbers(root)
	for _, p := range pids {
		if s, err := readStat(procPath(p, "stat")); err == nil && s.parent == pid {
			children = append(children, p)
		}
	}
	return children
}

func sorted(ns []int) []int {
	slices.Sort(ns)
	return ns
}

// Group returns the processes of a process group, zombies as well.
func Group(group int) []int {
	pids, _ := numbers(root)
	return slices.DeleteFunc(pids, func(pid int) bool {
		now, err := unix.Getpgid(pid)
		return err != nil || now != group
	})
}

// SameNamespace reports whether a process is in the same namespace of a kind as this one.
func SameNamespace(pid int, kind string) bool {
	ours, _ := os.Readlink("/proc/self/ns/" + kind)
	theirs, err := os.Readlink(procPath(pid, "ns", kind))
	return err != nil || ours == theirs
}

// PidfdOf returns the process for which a descriptor of that process stands, 0 if it is none.
func PidfdOf(pid, fd int) int {
	f, _ := readFile(pid, fd)
	return f.Process
}
