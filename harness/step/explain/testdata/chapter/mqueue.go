package chapter

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// QueueReceive takes a message out of a queue, for which it would wait for ever.
func QueueReceive(fd int) error {
	b := make([]byte, 8192)
	_, _, errno := unix.Syscall6(unix.SYS_MQ_TIMEDRECEIVE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0, 0, 0)
	return failed(errno)
}

// QueueSend puts a message into a queue.
func QueueSend(fd int) error {
	b := []byte("message")
	_, _, errno := unix.Syscall6(unix.SYS_MQ_TIMEDSEND, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0, 0, 0)
	return failed(errno)
}

// BareQueueReceive does not tell the runtime that it blocks.
func BareQueueReceive(fd int) {
	b := make([]byte, 8192)
	syscall.RawSyscall6(unix.SYS_MQ_TIMEDRECEIVE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0, 0, 0)
}

// QueueFlood sends until nothing more fits.
func QueueFlood(fd int) {
	for QueueSend(fd) == nil {
	}
}

// QueueDrain receives until the end of the queue, which it has not.
func QueueDrain(fd int) {
	for QueueReceive(fd) == nil {
	}
}

// PolledReceive waits for the queue in the runtime's poller.
func PolledReceive(f *os.File) {
	conn, err := f.SyscallConn()
	check(0, err)
	check(0, conn.Read(func(fd uintptr) bool { return QueueReceive(int(fd)) != unix.EAGAIN }))
}

func failed(errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

// EpolledReceive waits in the runtime's poller for an epoll instance of its own, in which the queue is.
func EpolledReceive(fd int) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	check(0, err)
	check(0, unix.SetNonblock(epoll, true))
	check(0, unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLONESHOT}))
	conn, err := os.NewFile(uintptr(epoll), "epoll").SyscallConn()
	check(0, err)
	check(0, conn.Read(func(epoll uintptr) bool {
		n, _ := unix.EpollWait(int(epoll), make([]unix.EpollEvent, 1), 0)
		return n > 0
	}))
}
