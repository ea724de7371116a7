package socket

import (
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// end is a socket as the number of a descriptor. Every call is made so that it does
// not wait. Where it would, poll(2) waits: for the socket, and for an eventfd by
// which Close wakes whoever waits.
type end struct {
	err    error // why there is none; every call returns it
	fd     int
	wake   int
	closed atomic.Bool
	users  sync.RWMutex // held by calls, and by Close to wait until there are none
}

var errClosed = errors.New("the socket is closed")

// own takes a descriptor over: a copy of it, since a file closes its own when it is
// collected as garbage.
func own(f *os.File) *end {
	raw, err := f.SyscallConn()
	if err != nil {
		return &end{err: err}
	}
	fd := -1
	var dupErr error
	err = raw.Control(func(n uintptr) { fd, dupErr = unix.FcntlInt(n, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, dupErr); err != nil {
		return &end{err: err}
	}
	f.Close()
	e, err := newEnd(fd)
	if err != nil {
		return &end{err: err}
	}
	return e
}

// newEnd closes the descriptor if there is no eventfd for it.
func newEnd(fd int) (*end, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("eventfd", err)
	}
	return &end{fd: fd, wake: wake}, nil
}

// do makes a call until it has no reason to wait.
func (e *end) do(name string, events int16, call func() error) error {
	if e.err != nil {
		return e.err
	}
	e.users.RLock()
	defer e.users.RUnlock()
	for !e.closed.Load() {
		err := call()
		switch err {
		case unix.EINTR:
		case unix.EAGAIN:
			fds := []unix.PollFd{{Fd: int32(e.fd), Events: events}, {Fd: int32(e.wake), Events: unix.POLLIN}}
			if _, err := unix.Poll(fds, -1); err != nil && err != unix.EINTR {
				return os.NewSyscallError("poll", err)
			}
		default:
			return os.NewSyscallError(name, err)
		}
	}
	return errClosed
}

// Close wakes all who wait. When nobody uses the numbers any more they are given back.
func (e *end) Close() error {
	if e.err != nil {
		return e.err
	}
	if e.closed.Swap(true) {
		return errClosed
	}
	unix.Write(e.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	e.users.Lock()
	defer e.users.Unlock()
	return errors.Join(unix.Close(e.fd), unix.Close(e.wake))
}

// rawConn lends the descriptor.
type rawConn struct{ e *end }

func (e *end) SyscallConn() (syscall.RawConn, error) {
	if e.err != nil {
		return nil, e.err
	}
	return rawConn{e}, nil
}

func (c rawConn) Control(f func(fd uintptr)) error {
	return c.e.do("control", 0, func() error { f(uintptr(c.e.fd)); return nil })
}

func (c rawConn) Read(f func(fd uintptr) bool) error  { return c.until(f, unix.POLLIN) }
func (c rawConn) Write(f func(fd uintptr) bool) error { return c.until(f, unix.POLLOUT) }

func (c rawConn) until(f func(fd uintptr) bool, events int16) error {
	return c.e.do("poll", events, func() error {
		if !f(uintptr(c.e.fd)) {
			return unix.EAGAIN
		}
		return nil
	})
}
