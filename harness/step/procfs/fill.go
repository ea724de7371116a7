package procfs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// pipeFill returns how many bytes are in a pipe and how many fit, or -1 and -1;
// and whether the descriptor is a read end that has no writer any more.
//
// All of this needs a descriptor. Opening /proc/PID/fd/N would make one, but
// also a new reader or writer of the pipe: that wakes up who waits in open(2)
// for the other side of a FIFO, and turns an EPIPE into a write that waits. A copy of
// the descriptor that is there changes nothing.
func pipeFill(pid, fd int) (filled, capacity int, hangup bool) {
	copied, err := copyOf(pid, fd)
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
	for {
		if _, err := unix.Poll(polls, 0); err != unix.EINTR {
			break
		}
	}
	return filled, capacity, polls[0].Revents&unix.POLLHUP != 0
}

// PosixQueue is what the kernel says of a POSIX message queue.
type PosixQueue struct {
	Messages, Limit int // that are in it, that fit; -1 if not known
	Size            int // of the longest message; -1 if not known
	Unlinked        bool
}

// isQueue reports whether the descriptor is one of a POSIX message queue. Its
// link in /proc shows the name alone, "/jobs", like a file in the root folder;
// but it lies in a file system of its own. See mq_overview(7).
func isQueue(link string) bool {
	const magic = 0x19800202 // MQUEUE_MAGIC
	var fs unix.Statfs_t
	return unix.Statfs(link, &fs) == nil && int64(fs.Type) == magic
}

// queueFill asks for the attributes of a queue.
func queueFill(pid, fd int) *PosixQueue {
	q := &PosixQueue{Messages: -1, Limit: -1, Size: -1}
	copied, err := copyOf(pid, fd)
	if err != nil {
		return q
	}
	defer unix.Close(copied)
	var st unix.Stat_t
	if unix.Fstat(copied, &st) == nil {
		q.Unlinked = st.Nlink == 0
	}
	// struct mq_attr: flags, limit, size, messages, and four for later use. With
	// no new attributes mq_getsetattr(2) is mq_getattr(3).
	var attr [8]int // C's long is as wide as an int here
	_, _, errno := unix.Syscall(unix.SYS_MQ_GETSETATTR, uintptr(copied), 0, uintptr(unsafe.Pointer(&attr)))
	if errno == 0 {
		q.Limit, q.Size, q.Messages = attr[1], attr[2], attr[3]
	}
	return q
}

// copyOf copies a descriptor of another process to this one, until it is closed. It
// asks for the right to trace the process, as most of this package does.
func copyOf(pid, fd int) (int, error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(pidfd)
	return unix.PidfdGetfd(pidfd, fd, 0)
}
