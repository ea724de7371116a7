package lab

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// socket runs the pump between two sockets and passes the end on.
func (p *pump) socket() error {
	queue, err := newQueue(p.out)
	if err != nil {
		return err
	}
	p.room = queue.empty
	buffer := make([]byte, largest)
	p.move = func(most int) (int, error) {
		n, _, err := unix.Recvfrom(p.in, buffer[:most], 0)
		if err != nil || n == 0 {
			return n, os.NewSyscallError("recvfrom", err)
		}
		// The queue is empty: a piece fits as a whole, and send does not wait.
		return n, os.NewSyscallError("sendto", unix.Send(p.out, buffer[:n], unix.MSG_NOSIGNAL))
	}
	switch err := p.run(); {
	case errors.Is(err, errGone):
		// Who writes to us gets EPIPE from now on.
		return shutdown(p.in, unix.SHUT_RD)
	case errors.Is(err, errEnd):
		how := unix.SHUT_WR
		if hungUp(p.in) {
			how = unix.SHUT_RDWR
		}
		return shutdown(p.out, how)
	case errors.Is(err, unix.ECONNRESET): // it was closed with bytes unread
		return shutdown(p.out, unix.SHUT_RDWR)
	default:
		return err
	}
}

// hungUp says that no copy of a pipe's write end is open any more, or that a socket's other
// side is closed. A side that only sends no more is not (POLLHUP, poll(2)).
func hungUp(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(fds, 0)
	for err == unix.EINTR { // by a signal of the runtime: poll(2) is never restarted
		n, err = unix.Poll(fds, 0)
	}
	return err == nil && n == 1 && fds[0].Revents&unix.POLLHUP != 0
}

// shutdown takes it for done when the other side is closed.
func shutdown(fd, how int) error {
	if err := unix.Shutdown(fd, how); err != unix.ENOTCONN {
		return os.NewSyscallError("shutdown", err)
	}
	return nil
}

// queue is what the other side of a socket has not read yet.
type queue struct{ socket, epoll int }

// newQueue asks for an event each time that something has been read: POLLOUT
// with EPOLLET. Without EPOLLET there is room for a second piece from the start.
func newQueue(socket int) (*queue, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// The kernel rounds up to its minimum.
	if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_SNDBUF, 1); err != nil {
		return nil, os.NewSyscallError("setsockopt SO_SNDBUF", err)
	}
	err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, socket, &unix.EpollEvent{Events: unix.EPOLLOUT | unix.EPOLLET})
	return &queue{socket, epoll}, os.NewSyscallError("epoll_ctl", err)
}

// empty waits until everything has been read, or thrown away with the reader.
func (q *queue) empty() error {
	for {
		// The memory that sent bytes take (SIOCOUTQ by its other name). For a
		// moment 1 is left, while the kernel gives the event.
		n, err := unix.IoctlGetInt(q.socket, unix.TIOCOUTQ)
		if err != nil {
			return os.NewSyscallError("ioctl SIOCOUTQ", err)
		}
		if n <= 1 {
			return nil
		}
		events := make([]unix.EpollEvent, 1)
		if _, err := unix.EpollWait(q.epoll, events, -1); err != nil && err != unix.EINTR {
			return os.NewSyscallError("epoll_wait", err)
		}
	}
}
