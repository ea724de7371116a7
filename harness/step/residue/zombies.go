package residue

import (
	"os"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// Children returns the children of this process that are not among those known.
func Children(known map[int]string) []int {
	var others []int
	for _, pid := range procfs.Children(os.Getpid()) {
		if known[pid] == "" {
			others = append(others, pid)
		}
	}
	return others
}

// Zombies returns those children that have ended and were not waited for.
func Zombies(children []int) []Object {
	var left []Object
	for _, pid := range children {
		if p, err := procfs.Read(pid); err == nil && p.Zombie {
			left = append(left, Object{Kind: Zombie, ID: pid, Name: p.Role})
		}
	}
	return left
}

// reap takes a zombie off the kernel's list.
func reap(pid int) error {
	_, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
	if err == unix.ECHILD {
		return nil
	}
	return os.NewSyscallError("wait4", err)
}
