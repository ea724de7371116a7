package limits

import (
	"fmt"
	"math/rand/v2"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// queues are the limits of message queues. Their bytes belong to a user, in all
// processes and namespaces together; how many there may be belongs to a namespace.
func queues() []Limit {
	return []Limit{
		{
			Name: "bytes for POSIX queues", Key: "RLIMIT_MSGQUEUE, for all queues of a user",
			Mend:  "remove old queues in /dev/mqueue, or ulimit -q 8192000, as root",
			words: []string{unix.EMFILE.Error()}, own: "bytes for message queues are used up",
			left: func() error { return ofQueue(unix.EMFILE) }, most: queueBytes,
		},
		{
			Name: "POSIX queues of the usual size, 10 messages of 8192 bytes", Key: "fs.mqueue.msg_max, fs.mqueue.msgsize_max",
			Mend:  "sudo sysctl fs.mqueue.msg_max=10 fs.mqueue.msgsize_max=8192",
			words: []string{unix.EINVAL.Error()},
			left:  func() error { return ofQueue(unix.EINVAL) },
		},
		{
			Name: "POSIX queues", Key: "fs.mqueue.queues_max",
			Mend:  "remove old queues in /dev/mqueue, or sudo sysctl fs.mqueue.queues_max=1024",
			words: []string{unix.ENOSPC.Error(), "mq_open"},
			left:  func() error { return ofQueue(unix.ENOSPC) }, most: sysctl("fs/mqueue/queues_max"),
		},
		{
			Name: "System V queues", Key: "kernel.msgmni",
			Mend:  "ipcs -q shows them, ipcrm -q ID removes one; or sudo sysctl kernel.msgmni=32000",
			words: []string{unix.ENOSPC.Error(), "msgget"},
			left:  systemVQueue, most: sysctl("kernel/msgmni"),
		},
	}
}

func queueBytes() (uint64, bool) {
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_MSGQUEUE, &limit)
	return limit.Cur, err == nil && limit.Cur != unix.RLIM_INFINITY
}

// ofQueue makes a POSIX queue of the usual size and removes it, and returns the kernel's
// refusal if it is that one. A queue may be refused for other reasons: EMFILE is also a
// process without a descriptor.
func ofQueue(refusal unix.Errno) error {
	free, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil
	}
	unix.Close(free)
	name, err := unix.BytePtrFromString(fmt.Sprintf("ipc-limit-%d-%08x", os.Getpid(), rand.Uint32()))
	if err != nil {
		return nil
	}
	attr := [8]int{1: 10, 2: 8192} // messages, and bytes of each
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(name)),
		uintptr(unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC), 0o600, uintptr(unsafe.Pointer(&attr)), 0, 0)
	if errno == refusal {
		return errno
	}
	if errno == 0 {
		unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(name)), 0, 0)
		unix.Close(int(fd))
	}
	return nil
}

func systemVQueue() error {
	id, _, errno := unix.Syscall(unix.SYS_MSGGET, unix.IPC_PRIVATE, 0o600, 0)
	if errno == unix.ENOSPC {
		return errno
	}
	if errno == 0 {
		unix.Syscall(unix.SYS_MSGCTL, id, unix.IPC_RMID, 0)
	}
	return nil
}
