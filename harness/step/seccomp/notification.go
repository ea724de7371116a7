package seccomp

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Notification is struct seccomp_notif of linux/seccomp.h: a thread is about to make
// a call, and waits for an answer.
type Notification struct {
	id     uint64
	Thread uint32
	flags  uint32
	Number int32
	arch   uint32
	ip     uint64
	Args   [6]uint64
}

// answer is struct seccomp_notif_resp.
type answer struct {
	id    uint64
	val   int64
	error int32
	flags uint32
}

// ErrNoMore says that no process has the filter any more.
var ErrNoMore = errors.New("no process has the filter any more")

// Next waits for the next call. The listener has to be non-blocking.
func Next(listener *os.File) (n Notification, err error) {
	conn, err := listener.SyscallConn()
	if err != nil {
		return n, err
	}
	readErr := conn.Read(func(fd uintptr) bool {
		for {
			// To receive where there is nothing waits, in most kernels.
			ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			switch _, err = unix.Poll(ready, 0); {
			case err == unix.EINTR:
				continue // to wait for the next event would miss those that are there
			case err != nil:
				return true
			case ready[0].Revents == 0:
				return false
			case ready[0].Revents&unix.POLLIN == 0:
				err = ErrNoMore
				return true
			}
			n = Notification{}
			err = notifyIoctl(fd, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n))
			if err != unix.EINTR && err != unix.ENOENT { // it was killed meanwhile
				return true
			}
		}
	})
	return n, errors.Join(err, readErr)
}

// Pass lets the call go on.
func (n Notification) Pass(listener *os.File) error {
	return n.answer(listener, answer{flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE})
}

// Refuse lets the call fail with an error.
func (n Notification) Refuse(listener *os.File, errno unix.Errno) error {
	return n.answer(listener, answer{error: -int32(errno)})
}

func (n Notification) answer(listener *os.File, a answer) error {
	a.id = n.id
	conn, err := listener.SyscallConn()
	if err != nil {
		return err
	}
	ctlErr := conn.Control(func(fd uintptr) {
		for {
			// EINTR comes where another thread of the process is just about to ask.
			err = notifyIoctl(fd, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&a))
			if err != unix.EINTR {
				return
			}
		}
	})
	if err == unix.ENOENT { // it was killed meanwhile
		err = nil
	}
	return errors.Join(err, ctlErr)
}

func notifyIoctl(fd uintptr, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
