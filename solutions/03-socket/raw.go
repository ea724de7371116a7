package socket

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// end is one end of a connection. It is an os.File with faster calls.
//
// Before a system call os.File tells Go's scheduler that this thread may block,
// and afterwards that it is back. A raw system call saves that. But while it runs
// the scheduler cannot use this thread's place, and the garbage collector waits
// for it. So a raw call must never block. With MSG_DONTWAIT recvmsg(2) and sendmsg(2)
// never do: they answer EAGAIN where they would wait, whether O_NONBLOCK is set or
// not.
//
// After EAGAIN the runtime's poller waits. The call is made inside of
// syscall.RawConn's Read or Write. So Close wakes a waiting call, and the
// descriptor is not closed during the call. A descriptor that blocks is not known to
// the poller: then the call is made once more, by the scheduler's rules, and may
// wait in the kernel.
//
// One thing is lost: for the race detector a Write to an os.File comes before the
// Read that gets its bytes. It does not see raw calls.
type end struct {
	*os.File
	conn    syscall.RawConn
	in, out call // used by two goroutines at the same time
}

// call is recvmsg(2) or sendmsg(2), with what it is given and what it returned. Where
// there is one piece and nothing beside it, it is recvfrom(2) or sendto(2): they do
// the same, and need no description of it in memory.
type call struct {
	number, flags uintptr
	one           uintptr // the call for one piece
	single        bool    // there is one piece only, the first of parts
	message       unix.Msghdr
	parts         [2]unix.Iovec
	now           func(fd uintptr) bool // made once, so that no call allocates
	n             int
	errno         syscall.Errno
	stay          int // so many times no yield
}

func newEnd(f *os.File) *end {
	e := &end{File: f}
	e.conn, _ = f.SyscallConn() // fails for a nil file only
	// MSG_CMSG_CLOEXEC: a flag that is set later leaves a moment without it.
	e.in.number, e.in.one, e.in.flags = unix.SYS_RECVMSG, unix.SYS_RECVFROM, unix.MSG_CMSG_CLOEXEC
	e.in.now = e.in.read
	e.out.number, e.out.one, e.out.flags = unix.SYS_SENDMSG, unix.SYS_SENDTO, unix.MSG_NOSIGNAL
	e.out.now = e.out.write
	return e
}

// receive fills two pieces of memory, one after the other, and a third one with
// control messages. It returns how many bytes it got; of the control messages that
// is in e.in.message.Controllen, and what was cut in e.in.message.Flags.
func (e *end) receive(p, more, control []byte) (int, error) {
	if e.conn == nil {
		return 0, os.ErrInvalid
	}
	e.in.set(p, more, control)
	err := e.conn.Read(e.in.now)
	return e.in.result("recvfrom", "recvmsg", err)
}

// send sends two pieces, and control messages with the first byte. Whatever is left
// after a short write goes without them: they would arrive a second time.
func (e *end) send(p, more, control []byte) error {
	if e.conn == nil {
		return os.ErrInvalid
	}
	for {
		e.out.set(p, more, control)
		err := e.conn.Write(e.out.now)
		n, err := e.out.result("sendto", "sendmsg", err)
		if err != nil || n == len(p)+len(more) {
			return err
		}
		control = nil
		if n >= len(p) {
			n -= len(p)
			p, more = more, nil
		}
		p = p[n:]
	}
}

func (c *call) set(p, more, control []byte) {
	c.parts[0].Base = unsafe.SliceData(p)
	c.parts[0].SetLen(len(p))
	if c.single = len(more)+len(control) == 0; c.single {
		return
	}
	c.parts[1].Base = unsafe.SliceData(more)
	c.parts[1].SetLen(len(more))
	c.message = unix.Msghdr{Iov: &c.parts[0]}
	c.message.SetIovlen(len(c.parts))
	if len(control) > 0 {
		c.message.Control = &control[0]
		c.message.SetControllen(len(control))
	}
}

func (c *call) result(one, name string, err error) (int, error) {
	c.parts[0].Base, c.parts[1].Base, c.message.Control = nil, nil, nil
	if err != nil {
		return 0, err
	}
	if c.errno != 0 {
		if c.single {
			name = one
		}
		return 0, os.NewSyscallError(name, c.errno)
	}
	return c.n, nil
}

// read returns false if it has to be called again when there is something to read.
func (c *call) read(fd uintptr) bool {
	c.try(fd)
	if c.errno == unix.EAGAIN && c.yield() {
		c.try(fd)
	}
	return c.waited(fd)
}

// write returns false if it has to be called again when there is room.
func (c *call) write(fd uintptr) bool {
	c.try(fd)
	return c.waited(fd)
}

// try makes the raw call, which does not block.
func (c *call) try(fd uintptr) {
	flags := c.flags | unix.MSG_DONTWAIT
	var n uintptr
	if c.single {
		n, _, c.errno = syscall.RawSyscall6(c.one, fd, uintptr(unsafe.Pointer(c.parts[0].Base)), uintptr(c.parts[0].Len), flags, 0, 0)
	} else {
		n, _, c.errno = syscall.RawSyscall(c.number, fd, uintptr(unsafe.Pointer(&c.message)), flags)
	}
	c.n = int(n)
}

// waited reports whether there is a result. On a descriptor that blocks it waits for
// one.
func (c *call) waited(fd uintptr) bool {
	if c.errno != unix.EAGAIN {
		return true
	}
	flags, _, _ := syscall.RawSyscall(unix.SYS_FCNTL, fd, unix.F_GETFL, 0)
	if flags&unix.O_NONBLOCK != 0 {
		return false
	}
	for {
		var n uintptr
		if c.single {
			n, _, c.errno = syscall.Syscall6(c.one, fd, uintptr(unsafe.Pointer(c.parts[0].Base)), uintptr(c.parts[0].Len), c.flags, 0, 0)
		} else {
			n, _, c.errno = syscall.Syscall(c.number, fd, uintptr(unsafe.Pointer(&c.message)), c.flags)
		}
		if c.n = int(n); c.errno != unix.EINTR {
			return true
		}
	}
}

// yield lets others run on this core before the reader goes to sleep. If the writer
// is one of them, it fills the socket meanwhile, and nobody has to sleep or to be
// woken up. Where nobody waits for the core, this costs one short call.
//
// But somebody else may wait for it too, and keep it for milliseconds. Then there
// is no more yielding for a while.
func (c *call) yield() bool {
	if c.stay > 0 {
		c.stay--
		return false
	}
	begun := time.Now()
	syscall.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	if time.Since(begun) > 500*time.Microsecond {
		c.stay = 1000
	}
	return true
}
