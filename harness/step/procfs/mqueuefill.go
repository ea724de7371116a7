package procfs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

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

// queueFill asks for the attributes of a queue on a copy of the descriptor, as
// pipeFill does.
func queueFill(pid, fd int) *PosixQueue {
	q := &PosixQueue{Messages: -1, Limit: -1, Size: -1}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return q
	}
	defer unix.Close(pidfd)
	copied, err := unix.PidfdGetfd(pidfd, fd, 0)
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
