package procfs

import "golang.org/x/sys/unix"

// pipeFill returns how many bytes are in a pipe and how many fit, or -1 and -1;
// and whether the descriptor is a read end that has no writer any more.
//
// All of this needs a descriptor. Opening /proc/PID/fd/N would make one, but
// also a new reader or writer of the pipe: that wakes up who waits in open(2)
// for the other side of a FIFO, and turns an EPIPE into a write that waits.
// pidfd_getfd(2) copies the descriptor that is there, so nothing changes. It
// asks for the right to trace the process, as most of this package does.
func pipeFill(pid, fd int) (filled, capacity int, hangup bool) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, -1, false
	}
	defer unix.Close(pidfd)
	copied, err := unix.PidfdGetfd(pidfd, fd, 0)
	if err != nil {
		return -1, -1, false
	}
	defer unix.Close(copied)
	// TIOCINQ is FIONREAD under its other name.
	filled, err = unix.IoctlGetInt(copied, unix.TIOCINQ)
	if err != nil {
		return -1, -1, false
	}
	capacity, err = unix.FcntlInt(uintptr(copied), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		return -1, -1, false
	}
	polls := []unix.PollFd{{Fd: int32(copied)}} // POLLHUP is always asked for
	unix.Poll(polls, 0)
	return filled, capacity, polls[0].Revents&unix.POLLHUP != 0
}
