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
// the queue is closed. So this takes a moment at most, and then the runtime's poller waits.
// Who waits for longer has time for it. The calls are made inside of syscall.RawConn's Read
// or Write: so Close wakes whom the poller lets wait, and the descriptor is not closed
// during a call.
//
// A descriptor that was handed over may be one that blocks and that the poller does not
// know: there all waiting is in the kernel.
type call struct {
	queue       *Queue
	receives    bool
	setDeadline func(time.Time) error
	begin       func(fd uintptr) // made once, so that no call allocates
	again       func(fd uintptr) bool

	memory   *byte
	length   int
	priority uint32
	deadline time.Time // zero if there is none
	try      bool      // never wait

	until  unix.Timespec
	armed  bool // the file has a deadline
	looked bool // it has waited in the kernel
	errno  syscall.Errno
	turn   turn
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

// goOn returns false if it has to be called again when the queue has changed.
//
// Somebody who shares the description may set O_NONBLOCK at any time, or take it away. So
// EAGAIN is no answer here: who waits for it is the poller, or poll(2) where the poller does
// not know the descriptor.
func (c *call) goOn(fd uintptr) bool {
	if c.looked { // the poller has waited
		c.now(fd)
		return c.errno != unix.EAGAIN || c.toPoller()
	}
	c.looked = true
	if !c.queue.polled {
		c.wait(fd, c.deadline)
		for c.errno == unix.EAGAIN {
			if c.errno = pollFor(fd, c.event(), c.deadline); c.errno == 0 {
				c.wait(fd, c.deadline)
			}
		}
		return true
	}
	until := time.Now().Add(moment)
	if !c.deadline.IsZero() && c.deadline.Before(until) {
		until = c.deadline
	}
	c.wait(fd, until)
	return c.errno != unix.ETIMEDOUT && c.errno != unix.EAGAIN || c.toPoller()
}

// moment is how long a call waits in the kernel at most, where the poller can do it too. It
// is longer than the pause between two ticks of the kernel's clock: a shorter one costs a
// timer of the hardware each time.
const moment = 20 * time.Millisecond

func (c *call) toPoller() bool { c.arm(); return false }

// event is what poll(2) is to wait for.
func (c *call) event() int16 {
	if c.receives {
		return unix.POLLIN
	}
	return unix.POLLOUT
}

// arm gives the file the deadline, before the poller waits the first time.
func (c *call) arm() {
	if !c.armed && !c.deadline.IsZero() {
		c.armed = c.setDeadline(c.deadline) == nil
	}
}

// now makes the raw call, which does not wait.
func (c *call) now(fd uintptr) {
	if c.receives {
		var n uintptr
		n, _, c.errno = unix.RawSyscall6(unix.SYS_MQ_TIMEDRECEIVE, fd, uintptr(unsafe.Pointer(c.memory)), uintptr(c.length),
			uintptr(unsafe.Pointer(&c.priority)), uintptr(unsafe.Pointer(&longAgo)), 0)
		if c.errno == 0 {
			c.length = int(n)
		}
	} else {
		_, _, c.errno = unix.RawSyscall6(unix.SYS_MQ_TIMEDSEND, fd, uintptr(unsafe.Pointer(c.memory)), uintptr(c.length),
			uintptr(c.priority), uintptr(unsafe.Pointer(&longAgo)), 0)
	}
	if c.errno == unix.ETIMEDOUT || c.errno == unix.EINTR {
		c.errno = unix.EAGAIN
	}
}

// wait makes the call on a descriptor that blocks. The deadline is a point in time, so
// it stays the same when a signal has interrupted the call.
func (c *call) wait(fd uintptr, deadline time.Time) {
	var until *unix.Timespec
	if !deadline.IsZero() {
		// UnixNano has no room for years after 2262, and the kernel none for those before 1970.
		c.until = unix.Timespec{Sec: max(0, deadline.Unix()), Nsec: int64(deadline.Nanosecond())}
		until = &c.until
	}
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
		var left *unix.Timespec
		if !deadline.IsZero() {
			t := unix.NsecToTimespec(max(0, time.Until(deadline)).Nanoseconds())
			left = &t
		}
		n, err := unix.Ppoll(fds, left, nil)
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
