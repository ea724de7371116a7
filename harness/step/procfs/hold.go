package procfs

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Held are copies, in this process, of descriptors of the processes that hang.
type Held struct{ fds []int }

// Hold copies the descriptors of the processes to this one, until Release is
// called.
//
// It is for the time in which they are asked for their dumps: the first one that
// ends would close its ends of pipes and sockets and give up its locks, and the
// next one would wake up, go on, and dump something else than where it hung. And
// it is for the time in which the hang is explained: as long as somebody has a FIFO
// open, its inode number belongs to no other.
//
// What this process has the other end of is not held, so it still sees end of
// file on the pipes that it reads the dumps from. Where copying is not allowed
// nothing is held.
func Hold(ps []Process) *Held {
	own, _ := readFiles(os.Getpid())
	held := new(Held)
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
			if slices.ContainsFunc(own, f.Same) {
				continue
			}
			// Copies are close-on-exec from the start.
			if fd, err := unix.PidfdGetfd(pidfd, f.FD, 0); err == nil {
				held.fds = append(held.fds, fd)
			}
		}
		unix.Close(pidfd)
	}
	return held
}

// Release closes the copies.
func (h *Held) Release() {
	for _, fd := range h.fds {
		unix.Close(fd)
	}
	h.fds = nil
}

// Has reports whether a descriptor of this process is a copy.
func (h *Held) Has(pid, fd int) bool {
	return h != nil && pid == os.Getpid() && slices.Contains(h.fds, fd)
}
