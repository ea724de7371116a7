package mqueue

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Queue is a descriptor of a POSIX queue.
type Queue struct {
	f       *os.File
	conn    syscall.RawConn
	closed  atomic.Bool
	in, out call
	scratch []byte // as large as the largest message; nil until it is needed
	size    int    // of the largest message, 0 until it is known
}

func NewQueue(f *os.File) *Queue {
	q := &Queue{f: f}
	q.conn, _ = f.SyscallConn() // fails for a nil file only
	q.in.queue, q.in.receives = q, true
	q.in.begin, q.in.again = q.in.start, q.in.goOn
	q.out.queue = q
	q.out.begin, q.out.again = q.out.start, q.out.goOn
	return q
}

func (q *Queue) SyscallConn() (syscall.RawConn, error) { return q.f.SyscallConn() }

func (q *Queue) Close() error {
	q.closed.Store(true)
	q.in.close()
	q.out.close()
	return q.f.Close()
}

func (q *Queue) Attr() (Attr, error) {
	var a mqAttr
	err := q.control("mq_getattr", func(fd uintptr) (errno syscall.Errno) {
		_, _, errno = unix.RawSyscall(unix.SYS_MQ_GETSETATTR, fd, 0, uintptr(unsafe.Pointer(&a)))
		return errno
	})
	return Attr{MaxMessages: a.maxMessages, MaxSize: a.maxSize, Messages: a.messages}, err
}

func (q *Queue) Send(p []byte) error { return q.send(p, 0, time.Time{}, false) }

func (q *Queue) SendPriority(p []byte, priority int, deadline time.Time) error {
	return q.send(p, priority, deadline, false)
}

func (q *Queue) TrySend(p []byte, priority int) error {
	return q.send(p, priority, time.Time{}, true)
}

// send checks the priority: an int has numbers that become others in 32 bits.
func (q *Queue) send(p []byte, priority int, deadline time.Time, try bool) error {
	if q.conn == nil {
		return os.ErrInvalid
	}
	if priority < 0 || priority > MaxPriority {
		return fmt.Errorf("mq_timedsend: priority %d is not in 0 to %d: %w", priority, MaxPriority, unix.EINVAL)
	}
	c := &q.out
	c.memory, c.length, c.priority = unsafe.SliceData(p), len(p), uint32(priority)
	c.deadline, c.try = deadline, try
	err := q.conn.Control(c.begin)
	if err == nil && c.errno == unix.EAGAIN && !try {
		err = c.wait()
	}
	err = q.result(c, err)
	if err == unix.EMSGSIZE {
		if attr, attrErr := q.Attr(); attrErr == nil {
			err = fmt.Errorf("mq_timedsend: %d bytes, and the queue's messages have %d at most: %w", len(p), attr.MaxSize, err)
		}
	}
	return named("mq_timedsend", err)
}

func (q *Queue) Recv() ([]byte, error) { return q.RecvInto(nil) }

func (q *Queue) RecvInto(buf []byte) ([]byte, error) {
	p, _, err := q.receive(buf, time.Time{}, false)
	return p, err
}

func (q *Queue) RecvPriority(buf []byte, deadline time.Time) ([]byte, int, error) {
	return q.receive(buf, deadline, false)
}

func (q *Queue) TryRecv(buf []byte) ([]byte, int, error) {
	return q.receive(buf, time.Time{}, true)
}

// receive gives the kernel memory for the largest message, since it takes no less. Where
// the caller has brought so much, that is used; else the message is copied.
func (q *Queue) receive(buf []byte, deadline time.Time, try bool) ([]byte, int, error) {
	if q.conn == nil {
		return nil, 0, os.ErrInvalid
	}
	if q.size == 0 {
		attr, err := q.Attr()
		if err != nil {
			return nil, 0, err
		}
		q.size = attr.MaxSize
	}
	into := buf[:cap(buf)]
	if len(into) < q.size {
		if q.scratch == nil {
			q.scratch = make([]byte, q.size)
		}
		into = q.scratch
	}
	c := &q.in
	c.memory, c.length = &into[0], len(into)
	c.deadline, c.try = deadline, try
	err := q.conn.Control(c.begin)
	if err == nil && c.errno == unix.EAGAIN && !try {
		err = c.wait()
	}
	if err := q.result(c, err); err != nil {
		return nil, 0, named("mq_timedreceive", err)
	}
	return fitted(into[:c.length], buf), int(c.priority), nil
}

// fitted is the message in the caller's memory, or in new memory if it is longer than
// that.
func fitted(message, buf []byte) []byte {
	n := len(message)
	if n > cap(buf) {
		return append(make([]byte, 0, n), message...)
	}
	p := buf[:n]
	copy(p, message) // costs nothing where it is there already
	return p
}

// Ready looks at the number of messages, and takes none. There is no call of the kernel that
// would wait for that.
func (q *Queue) Ready(deadline time.Time) error {
	if q.conn == nil {
		return os.ErrInvalid
	}
	c := &q.in
	c.memory, c.deadline, c.try, c.looked = nil, deadline, false, true
	err := q.conn.Control(c.begin)
	if err == nil && c.errno == unix.EAGAIN {
		err = c.wait()
	}
	return named("poll", q.result(c, err))
}

// control borrows the descriptor for a call that does not wait.
func (q *Queue) control(name string, f func(fd uintptr) syscall.Errno) error {
	if q.conn == nil {
		return os.ErrInvalid
	}
	var errno syscall.Errno
	err := q.conn.Control(func(fd uintptr) { errno = f(fd) })
	if err != nil {
		return q.end(err)
	}
	if errno != 0 {
		return os.NewSyscallError(name, errno)
	}
	return nil
}

// result is how a call ended.
func (q *Queue) result(c *call, err error) error {
	c.memory, c.looked = nil, false
	switch {
	case err != nil:
		return q.end(err)
	case c.errno == 0:
		return nil
	case c.errno == unix.ETIMEDOUT:
		return os.ErrDeadlineExceeded
	case c.errno == unix.EAGAIN && c.receives:
		return ErrEmpty
	case c.errno == unix.EAGAIN:
		return ErrFull
	}
	return c.errno
}

// end names the error of a file that was closed as package os does.
func (q *Queue) end(err error) error {
	if q.closed.Load() {
		return os.ErrClosed
	}
	return err
}

// named adds a call's name to an error of the kernel.
func named(call string, err error) error {
	if errno, ok := err.(syscall.Errno); ok {
		return os.NewSyscallError(call, errno)
	}
	return err
}
