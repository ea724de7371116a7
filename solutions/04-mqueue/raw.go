package mqueue

import (
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// call is mq_timedsend(2) or mq_timedreceive(2), with what it is given and what it
// returned.
//
// Before a system call package syscall tells Go's scheduler that this thread may block,
// and afterwards that it is back. A raw system call saves that. But while it runs the
// scheduler cannot use this thread's place, and the garbage collector waits for it. So
// a raw call must never block. These two never do when their deadline has passed:
// they answer ETIMEDOUT where they would wait, or EAGAIN if O_NONBLOCK is set. That flag
// belongs to all who share the description, so nothing here relies on it.
//
// Where it has to wait, the call is made once more by the scheduler's rules, and waits in
// the kernel, which hands a message over without a detour. But nothing wakes it there when
// the queue is closed. So this takes a moment at most, and then it sleeps (see sleeper).
// Who waits for longer has time for it. The calls are made inside of syscall.RawConn's
// Control: so the descriptor is not closed during a call.
type call struct {
	queue    *Queue
	receives bool
	begin    func(fd uintptr) // made once, so that no call allocates
	again    func(fd uintptr)

	memory   *byte // nil only looks whether there is a message
	length   int
	priority uint32
	deadline time.Time // zero if there is none
	try      bool      // never wait

	until  unix.Timespec
	looked bool // it has waited in the kernel
	errno  syscall.Errno
	turn   turn
	sleeper
}

// longAgo is a deadline that has passed.
var longAgo unix.Timespec

// start makes the call at once, and once more when it has let others run. It does not wait.
func (c *call) start(fd uintptr) {
	c.now(fd)
	if c.errno == unix.EAGAIN && !c.try && c.turn.give() {
		c.now(fd)
	}
}

// wait makes the call again, until it does not have to wait any more.
//
// Somebody who shares the description may set O_NONBLOCK at any time, or take it away. So
// EAGAIN is no answer here.
func (c *call) wait() error {
	defer c.rest()
	for {
		if err := c.queue.conn.Control(c.again); err != nil || c.errno != unix.EAGAIN {
			return err
		}
		if c.armed {
			if err := c.sleep(c.deadline); err != nil {
				return err
			}
		}
	}
}

// goOn waits in the kernel for a moment. Afterwards it looks, and who looks has asked to be
// woken before: a message that comes in between is not missed.
func (c *call) goOn(fd uintptr) {
	switch {
	case !c.looked:
		c.looked = true
		c.block(fd, c.soon())
	case c.arm(fd, c.event()):
		c.now(fd)
		return
	default: // there is no descriptor for it
		if c.errno = pollFor(fd, c.event(), c.soon()); c.errno == 0 {
			c.now(fd)
		}
	}
	if c.errno == unix.ETIMEDOUT && (c.deadline.IsZero() || time.Now().Before(c.deadline)) {
		c.errno = unix.EAGAIN
	}
}

// moment is how long a call waits in the kernel at most. It is longer than the pause between
// two ticks of the kernel's clock: a shorter one costs a timer of the hardware each time.
const moment = 20 * time.Millisecond

// soon is in a moment, or at the deadline.
func (c *call) soon() time.Time {
	until := time.Now().Add(moment)
	if !c.deadline.IsZero() && c.deadline.Before(until) {
		return c.deadline
	}
	return until
}

// event is what is waited for.
func (c *call) event() int16 {
	if c.receives {
		return unix.POLLIN
	}
	return unix.POLLOUT
}

// now makes the raw call, which does not wait.
func (c *call) now(fd uintptr) {
	switch {
	case c.memory == nil && c.receives:
		var a mqAttr
		_, _, c.errno = unix.RawSyscall(unix.SYS_MQ_GETSETATTR, fd, 0, uintptr(unsafe.Pointer(&a)))
		if c.errno == 0 && a.messages == 0 {
			c.errno = unix.EAGAIN
		}
	case c.receives:
		var n uintptr
		n, _, c.errno = unix.RawSyscall6(unix.SYS_MQ_TIMEDRECEIVE, fd, uintptr(unsafe.Pointer(c.memory)), uintptr(c.length),
			uintptr(unsafe.Pointer(&c.priority)), uintptr(unsafe.Pointer(&longAgo)), 0)
		if c.errno == 0 {
			c.length = int(n)
		}
	default:
		_, _, c.errno = unix.RawSyscall6(unix.SYS_MQ_TIMEDSEND, fd, uintptr(unsafe.Pointer(c.memory)), uintptr(c.length),
			uintptr(c.priority), uintptr(unsafe.Pointer(&longAgo)), 0)
	}
	if c.errno == unix.ETIMEDOUT || c.errno == unix.EINTR {
		c.errno = unix.EAGAIN
	}
}

// block makes the call on a descriptor that blocks. The deadline is a point in time, so
// it stays the same when a signal has interrupted the call.
func (c *call) block(fd uintptr, deadline time.Time) {
	// UnixNano has no room for years after 2262, and the kernel none for those before 1970.
	c.until = unix.Timespec{Sec: max(0, deadline.Unix()), Nsec: int64(deadline.Nanosecond())}
	until := &c.until
	for {
		var n uintptr
		if c.receives {
			n, _, c.errno = unix.Syscall6(unix.SYS_MQ_TIMEDRECEIVE, fd, uintptr(unsafe.Pointer(c.memory)), uintptr(c.length),
				uintptr(unsafe.Pointer(&c.priority)), uintptr(unsafe.Pointer(until)), 0)
		} else {
			_, _, c.errno = unix.Syscall6(unix.SYS_MQ_TIMEDSEND, fd, uintptr(unsafe.Pointer(c.memory)), uintptr(c.length),
				uintptr(c.priority), uintptr(unsafe.Pointer(until)), 0)
		}
		if c.receives && c.errno == 0 {
			c.length = int(n)
		}
		if c.errno != unix.EINTR {
			return
		}
	}
}

// pollFor waits until there is something to be received, or room. poll(2) has no point
// in time but a duration, which is counted anew after each signal.
func pollFor(fd uintptr, event int16, deadline time.Time) syscall.Errno {
	fds := []unix.PollFd{{Fd: int32(fd), Events: event}}
	for {
		left := unix.NsecToTimespec(max(0, time.Until(deadline)).Nanoseconds())
		n, err := unix.Ppoll(fds, &left, nil)
		switch {
		case err == nil && n > 0:
			return 0
		case err == nil:
			return unix.ETIMEDOUT
		case err != unix.EINTR:
			return err.(syscall.Errno)
		}
	}
}

// turn lets others run on this core before somebody goes to sleep. If the other side is
// one of them, it fills the queue meanwhile, or empties it, and nobody has to sleep or to
// be woken up. Where nobody waits for the core, this costs one short call.
//
// But somebody else may wait for the core too, and keep it for milliseconds. Then there
// is no more yielding for a while.
type turn struct {
	stay int // so many times no yield
}

func (t *turn) give() bool {
	if t.stay > 0 {
		t.stay--
		return false
	}
	begun := time.Now()
	syscall.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	if time.Since(begun) > 500*time.Microsecond {
		t.stay = 1000
	}
	return true
}
