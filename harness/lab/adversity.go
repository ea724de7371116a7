package lab

import (
	"os"

	"golang.org/x/sys/unix"
)

// Narrow gives a pipe or a socket the smallest buffer that the kernel allows. A
// write of more than that waits in the middle, where [Process.Interrupt] makes
// it short; on a non-blocking descriptor it is short at once.
func (l *Lab) Narrow(end conn) {
	l.t.Helper()
	err := control(end, func(fd int) error {
		// The kernel rounds up to its minimum.
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETPIPE_SZ, 1)
		if err == unix.EBADF { // no pipe
			return os.NewSyscallError("setsockopt SO_SNDBUF", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1))
		}
		return os.NewSyscallError("fcntl F_SETPIPE_SZ", err)
	})
	if err != nil {
		l.fail(wrongEnd(err))
	}
}
