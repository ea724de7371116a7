package procfs

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Hold copies the descriptors of the processes to this one, until release is
// called. It is for the time in which they are asked for their dumps: the first
// one that ends would close its ends of pipes and sockets and give up its
// locks, and the next one would wake up, go on, and dump something else than
// where it hung.
//
// What this process has the other end of is not held, so it still sees end of
// file on the pipes that it reads the dumps from. Where copying is not allowed
// nothing is held.
func Hold(ps []Process) (release func()) {
	own, _ := readFiles(os.Getpid())
	var held []int
	for _, p := range ps {
		pidfd, err := unix.PidfdOpen(p.PID, 0)
		if err != nil {
			continue
		}
		for _, f := range p.Files {
			switch f.Kind {
			case Pipe, FIFO, Socket, MQueue, Regular:
			default:
				continue
			}
			if slices.ContainsFunc(own, f.same) {
				continue
			}
			// Copies are close-on-exec from the start.
			if fd, err := unix.PidfdGetfd(pidfd, f.FD, 0); err == nil {
				held = append(held, fd)
			}
		}
		unix.Close(pidfd)
	}
	return func() {
		for _, fd := range held {
			unix.Close(fd)
		}
		held = nil
	}
}
