package mqueue

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

type Queue struct {
	f      *os.File
	closed atomic.Bool
}

func NewQueue(f *os.File) *Queue { return &Queue{f: f} }

func (q *Queue) SyscallConn() (syscall.RawConn, error) { return q.f.SyscallConn() }

func (q *Queue) Close() error {
	q.closed.Store(true)
	return q.f.Close()
}

func (q *Queue) Attr() (Attr, error) {
	conn, err := q.f.SyscallConn()
	if err != nil {
		return Attr{}, err
	}
	var a mqAttr
	var errno syscall.Errno
	if err := conn.Control(func(fd uintptr) { a, errno = getAttr(fd) }); err != nil {
		return Attr{}, q.why(err)
	}
	if errno != 0 {
		return Attr{}, os.NewSyscallError("mq_getattr", errno)
	}
	return Attr{MaxMessages: a.maxMessages, MaxSize: a.maxSize, Messages: a.messages}, nil
}

func getAttr(fd uintptr) (a mqAttr, errno syscall.Errno) {
	_, _, errno = unix.Syscall(unix.SYS_MQ_GETSETATTR, fd, 0, uintptr(unsafe.Pointer(&a)))
	return a, errno
}

// why gives the error of a closed file its usual name.
func (q *Queue) why(err error) error {
	if q.closed.Load() {
		return os.ErrClosed
	}
	return err
}

// wait is how long a call may wait.
type wait struct {
	never bool
	until time.Time
}

// run makes a call that does not wait, as often as the poller says that something has
// changed. On a descriptor that blocks slowly waits. Somebody else may change that at any
// time. So there may be one that does not block and that the poller does not know: there
// poll(2) waits.
func (q *Queue) run(sends bool, w wait, quickly func(fd uintptr) syscall.Errno, slowly func(fd uintptr, until *unix.Timespec) syscall.Errno) (err error) {
	conn, err := q.f.SyscallConn()
	if err != nil {
		return err
	}
	poll, setDeadline := conn.Read, q.f.SetReadDeadline
	if sends {
		poll, setDeadline = conn.Write, q.f.SetWriteDeadline
	}
	var errno syscall.Errno
	armed, known := false, setDeadline(time.Time{}) == nil
	err = poll(func(fd uintptr) bool {
		for {
			for errno = quickly(fd); errno == unix.EINTR; {
				errno = quickly(fd)
			}
			if errno != unix.EAGAIN || w.never {
				return true
			}
			if flags, _ := unix.FcntlInt(fd, unix.F_GETFL, 0); flags&unix.O_NONBLOCK == 0 {
				errno = unix.EINTR
				for errno == unix.EINTR {
					errno = slowly(fd, timespec(w.until))
				}
				if errno != unix.EAGAIN {
					return true
				}
			}
			if known {
				if !w.until.IsZero() && !armed {
					armed = setDeadline(w.until) == nil
				}
				return false
			}
			if errno = pollFor(fd, sends, w.until); errno != 0 {
				return true
			}
		}
	})
	if armed {
		setDeadline(time.Time{})
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) || errno == unix.ETIMEDOUT:
		return os.ErrDeadlineExceeded
	case err != nil:
		return q.why(err)
	case errno != 0:
		return errno
	}
	return nil
}

func timespec(t time.Time) *unix.Timespec {
	if t.IsZero() {
		return nil
	}
	return &unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}

// past is a deadline that has passed: a call never waits for it.
func past() *unix.Timespec { return &unix.Timespec{} }

func full(errno syscall.Errno) syscall.Errno {
	if errno == unix.ETIMEDOUT {
		return unix.EAGAIN
	}
	return errno
}

func (q *Queue) Send(p []byte) error { return q.send(p, 0, wait{}) }

func (q *Queue) SendPriority(p []byte, priority int, deadline time.Time) error {
	return q.send(p, priority, wait{until: deadline})
}

func (q *Queue) TrySend(p []byte, priority int) error { return q.send(p, priority, wait{never: true}) }

func (q *Queue) send(p []byte, priority int, w wait) error {
	if priority < 0 || priority > MaxPriority {
		return fmt.Errorf("priority %d: %w", priority, unix.EINVAL)
	}
	timedsend := func(fd uintptr, until *unix.Timespec) syscall.Errno {
		_, _, errno := unix.Syscall6(unix.SYS_MQ_TIMEDSEND, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), uintptr(priority), uintptr(unsafe.Pointer(until)), 0)
		return errno
	}
	err := q.run(true, w, func(fd uintptr) syscall.Errno { return full(timedsend(fd, past())) }, timedsend)
	switch err {
	case unix.EAGAIN:
		return ErrFull
	case unix.EMSGSIZE:
		attr, attrErr := q.Attr()
		return errors.Join(attrErr, fmt.Errorf("sending %d bytes, and the limit is %d: %w", len(p), attr.MaxSize, err))
	}
	return err
}

func (q *Queue) Recv() ([]byte, error) {
	p, _, err := q.receive(nil, wait{})
	return p, err
}

func (q *Queue) RecvInto(buf []byte) ([]byte, error) {
	p, _, err := q.receive(buf, wait{})
	return p, err
}

func (q *Queue) RecvPriority(buf []byte, deadline time.Time) ([]byte, int, error) {
	return q.receive(buf, wait{until: deadline})
}

func (q *Queue) TryRecv(buf []byte) ([]byte, int, error) { return q.receive(buf, wait{never: true}) }

func (q *Queue) receive(buf []byte, w wait) ([]byte, int, error) {
	attr, err := q.Attr()
	if err != nil {
		return nil, 0, err
	}
	memory := buf[:cap(buf)]
	if len(memory) < attr.MaxSize {
		memory = make([]byte, attr.MaxSize)
	}
	var n uintptr
	var priority uint32
	timedreceive := func(fd uintptr, until *unix.Timespec) (errno syscall.Errno) {
		n, _, errno = unix.Syscall6(unix.SYS_MQ_TIMEDRECEIVE, fd, uintptr(unsafe.Pointer(&memory[0])), uintptr(len(memory)), uintptr(unsafe.Pointer(&priority)), uintptr(unsafe.Pointer(until)), 0)
		return errno
	}
	err = q.run(false, w, func(fd uintptr) syscall.Errno { return full(timedreceive(fd, past())) }, timedreceive)
	switch err {
	case nil:
		return into(buf, memory[:n]), int(priority), nil
	case unix.EAGAIN:
		return nil, 0, ErrEmpty
	}
	return nil, 0, err
}

// into puts a message where the caller wants it.
func into(buf, message []byte) []byte {
	if len(message) <= cap(buf) {
		buf = buf[:len(message)]
		copy(buf, message)
		return buf
	}
	return append([]byte(nil), message...)
}

func (q *Queue) Ready(deadline time.Time) error {
	return q.run(false, wait{until: deadline}, func(fd uintptr) syscall.Errno {
		a, errno := getAttr(fd)
		if errno == 0 && a.messages == 0 {
			errno = unix.EAGAIN
		}
		return errno
	}, func(fd uintptr, _ *unix.Timespec) syscall.Errno { return pollFor(fd, false, deadline) })
}

// pollFor waits until there is room, or something to be received.
func pollFor(fd uintptr, sends bool, deadline time.Time) syscall.Errno {
	event := int16(unix.POLLIN)
	if sends {
		event = unix.POLLOUT
	}
	for {
		left := -1 // no limit
		if !deadline.IsZero() {
			left = int(min(max(0, time.Until(deadline)), time.Hour)/time.Millisecond) + 1
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: event}}, left)
		switch {
		case err != nil && err != unix.EINTR:
			return err.(syscall.Errno)
		case n > 0:
			return 0
		case !deadline.IsZero() && !time.Now().Before(deadline):
			return unix.ETIMEDOUT
		}
	}
}
