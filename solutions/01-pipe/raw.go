package pipe

import (
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// end is one end of a pipe. It is an os.File with a faster Read and Write.
//
// Before a system call os.File tells Go's scheduler that this thread may block,
// and afterwards that it is back. A raw system call saves that. But while it runs
// the scheduler cannot use this thread's place, and the garbage collector waits
// for it. So a raw call must never block:
//
//   - preadv2(2) and pwritev2(2) with RWF_NOWAIT never do. They answer EAGAIN
//     where read and write would wait, whether O_NONBLOCK is set or not;
//   - FIFOs and kernels before 6.4 do not know RWF_NOWAIT. There read(2) and
//     write(2) never block if O_NONBLOCK is set. We look each time: the flag is
//     shared by all processes that have the descriptor, and each may change it.
//     (Only one that does so between our look and our call makes it block.) What we
//     have opened ourselves and lent to nobody needs no look.
//
// After EAGAIN the runtime's poller waits, as it does for os.File. The raw call
// is made inside of syscall.RawConn's Read or Write, so Close wakes a waiting
// call, deadlines work, and the descriptor is not closed during the call.
//
// All else is left to os.File: a descriptor that blocks, the end of the stream,
// and every error. It makes the call again and finds the right words.
//
// One thing is lost: for the race detector a Write to an os.File comes before
// the Read that gets its bytes. It does not see raw calls.
type end struct {
	*os.File
	conn          syscall.RawConn
	read, write   func(fd uintptr) bool // made once, so that no call allocates
	p             []byte                // what the call under way has still to do
	n             int                   // what read has read
	withoutNowait bool                  // RWF_NOWAIT is not known here
	own           bool                  // nobody else can change the flags, and O_NONBLOCK is set
	stay          int                   // so many times no yield
}

func newEnd(f *os.File) *end {
	e := &end{File: f}
	e.conn, _ = f.SyscallConn() // fails for a nil file only, and so will Read
	e.read, e.write = e.readNow, e.writeNow
	return e
}

// opened says that the file was opened a moment ago, by its name: nobody else has
// this open file description.
func (e *end) opened() {
	_ = e.conn.Control(func(fd uintptr) { e.own = !e.blocks(fd) })
}

// SyscallConn lends the descriptor. Whoever has it may change the flags, or hand it
// to another process.
func (e *end) SyscallConn() (syscall.RawConn, error) {
	e.own = false
	return e.File.SyscallConn()
}

// Read reads what is there, and waits if that is nothing.
func (e *end) Read(p []byte) (int, error) {
	if len(p) > 0 && e.conn != nil {
		e.p, e.n = p, 0
		err := e.conn.Read(e.read)
		e.p = nil
		if err == nil && e.n > 0 {
			return e.n, nil
		}
	}
	return e.File.Read(p)
}

// readNow returns false if it has to be called again when there is something to
// read.
func (e *end) readNow(fd uintptr) bool {
	n, errno := e.now(fd, unix.SYS_PREADV2, unix.SYS_READ)
	if errno == unix.EAGAIN && e.yield() {
		n, errno = e.now(fd, unix.SYS_PREADV2, unix.SYS_READ)
	}
	if errno == unix.EAGAIN {
		return e.blocks(fd) // then os.File may wait in read(2)
	}
	if errno == 0 {
		e.n = n
	}
	return true
}

// Write writes all of p.
func (e *end) Write(p []byte) (int, error) {
	rest := p
	if len(p) > 0 && e.conn != nil {
		e.p = p
		_ = e.conn.Write(e.write) // os.File will have the same error
		rest, e.p = e.p, nil
		if len(rest) == 0 {
			return len(p), nil
		}
	}
	n, err := e.File.Write(rest)
	return len(p) - len(rest) + n, err
}

// writeNow goes on after a short write. It returns false if it has to be called
// again when there is room.
func (e *end) writeNow(fd uintptr) bool {
	for len(e.p) > 0 {
		n, errno := e.now(fd, unix.SYS_PWRITEV2, unix.SYS_WRITE)
		if errno == unix.EAGAIN {
			return e.blocks(fd)
		}
		if errno != 0 {
			return true
		}
		e.p = e.p[n:]
	}
	return true
}

// now makes one raw call for e.p, which does not block.
func (e *end) now(fd, nowait, plain uintptr) (int, syscall.Errno) {
	if !e.withoutNowait {
		part := unix.Iovec{Base: &e.p[0]}
		part.SetLen(len(e.p))
		// Offset -1: there are no positions in a pipe.
		n, _, errno := syscall.RawSyscall6(nowait, fd, uintptr(unsafe.Pointer(&part)), 1, ^uintptr(0), ^uintptr(0), unix.RWF_NOWAIT)
		if errno != unix.EOPNOTSUPP {
			return int(n), errno
		}
		e.withoutNowait = true
	}
	if e.blocks(fd) {
		return 0, unix.EAGAIN
	}
	n, _, errno := syscall.RawSyscall(plain, fd, uintptr(unsafe.Pointer(&e.p[0])), uintptr(len(e.p)))
	return int(n), errno
}

// blocks reports whether read(2) and write(2) on the descriptor wait.
func (e *end) blocks(fd uintptr) bool {
	if e.own {
		return false
	}
	flags, _, _ := syscall.RawSyscall(unix.SYS_FCNTL, fd, unix.F_GETFL, 0)
	return flags&unix.O_NONBLOCK == 0
}

// yield lets others run on this core before the reader goes to sleep. If the
// writer is one of them, it fills the pipe meanwhile, and nobody has to sleep or
// to be woken up. Where nobody waits for the core, this costs one short call.
//
// But somebody else may wait for it too, and keep it for milliseconds. Then there
// is no more yielding for a while.
func (e *end) yield() bool {
	if e.stay > 0 {
		e.stay--
		return false
	}
	begun := time.Now()
	syscall.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	if time.Since(begun) > 500*time.Microsecond {
		e.stay = 1000
	}
	return true
}
