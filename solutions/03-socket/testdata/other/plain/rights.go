package socket

import (
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// end is a stream socket. Its Read is recvmsg(2), since read(2) throws away the
// descriptors that come with the bytes, and we read ahead: the bytes may belong to
// a message for which RecvFile is called later.
type end struct {
	*os.File
	conn    syscall.RawConn
	read    int64 // bytes so far
	came    arrivals
	control [controlSize]byte
}

// controlSize has room for one descriptor. The header of the control message and
// its alignment make it 24 bytes, and the kernel puts in what fits: two. Of those
// that do not fit no number is given out (MSG_CTRUNC, recvmsg(2)).
const controlSize = unix.SizeofCmsghdr + 8

func newEnd(f *os.File) *end {
	e := &end{File: f}
	e.conn, _ = f.SyscallConn() // fails for a nil file only, and so will Close
	return e
}

// Read reads what is there, and waits if that is nothing.
func (e *end) Read(p []byte) (int, error) {
	if e.conn == nil {
		return 0, os.ErrInvalid
	}
	var n, controls, flags int
	var err error
	connErr := e.conn.Read(func(fd uintptr) bool {
		for {
			// MSG_CMSG_CLOEXEC: a flag set later would leave a moment without it.
			n, controls, flags, _, err = unix.Recvmsg(int(fd), p, e.control[:], unix.MSG_CMSG_CLOEXEC)
			if err != unix.EINTR {
				return err != unix.EAGAIN
			}
		}
	})
	if connErr != nil {
		return 0, connErr
	}
	if err != nil {
		return 0, os.NewSyscallError("recvmsg", err)
	}
	return e.took(n, controls, flags)
}

// took counts what came, and keeps the descriptors.
func (e *end) took(n, controls, flags int) (int, error) {
	e.read += int64(n)
	fds := descriptors(e.control[:controls])
	if len(fds) == 0 && flags&unix.MSG_CTRUNC != 0 {
		fds = []int{lost}
	}
	e.came.add(e.read, fds)
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// lost is in the place of a descriptor that came when this process had none left: the
// kernel has dropped it, and says so in a flag only.
const lost = -1

// descriptors returns what is in a control message.
func descriptors(control []byte) []int {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	var all []int
	for _, m := range messages {
		if fds, err := unix.ParseUnixRights(&m); err == nil {
			all = append(all, fds...)
		}
	}
	return all
}

func (e *end) Close() error {
	err := e.File.Close()
	e.came.close()
	return err
}

// arrivals are descriptors that have come, and that no message has claimed yet.
//
// To which message does one belong? The kernel ends a read after the bytes that a
// descriptor was sent with. So it belongs to the message in which that read ended.
type arrivals struct {
	mu     sync.Mutex // Close comes from another goroutine
	closed bool
	list   []arrival
}

// arrival is a descriptor, and where in the stream the read ended that brought it.
type arrival struct {
	at int64
	fd int
}

func (a *arrivals) add(at int64, fds []int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, fd := range fds {
		if a.closed {
			closeAll([]int{fd})
			continue
		}
		a.list = append(a.list, arrival{at, fd})
	}
}

// take returns the descriptors of the message that ends at a place in the stream.
func (a *arrivals) take(end int64) []int {
	a.mu.Lock()
	defer a.mu.Unlock()
	var fds []int
	for len(a.list) > 0 && a.list[0].at <= end {
		fds = append(fds, a.list[0].fd)
		a.list = a.list[1:]
	}
	return fds
}

// isClosed says whether Close has closed what had come.
func (a *arrivals) isClosed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.closed
}

// drop closes the descriptors of that message.
func (a *arrivals) drop(end int64) { closeAll(a.take(end)) }

// dropAll closes all that have come.
func (a *arrivals) dropAll() { a.drop(1<<63 - 1) }

func (a *arrivals) close() {
	a.mu.Lock()
	a.closed = true
	a.mu.Unlock()
	a.dropAll()
}

func closeAll(fds []int) {
	for _, fd := range fds {
		if fd != lost {
			unix.Close(fd)
		}
	}
}

// isUnix is an error for a socket of another family, which carries no descriptor.
func isUnix(fd int) error {
	family, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err == nil && family != unix.AF_UNIX {
		err = unix.EOPNOTSUPP
	}
	return os.NewSyscallError("getsockopt SO_DOMAIN", err)
}

// SendFile sends the descriptor with the first bytes of the frame. Whatever is
// left after a short write goes without it: it would arrive a second time.
func (c *Conn) SendFile(p []byte, f *os.File) error {
	if err := c.makeFrame(p); err != nil {
		return err
	}
	if c.f.conn == nil {
		return os.ErrInvalid
	}
	if err := control(c.f, isUnix); err != nil {
		return err
	}
	var sent int
	err := control(f, func(fd int) error {
		rights := unix.UnixRights(fd)
		var err error
		connErr := c.f.conn.Write(func(socket uintptr) bool {
			for {
				sent, err = unix.SendmsgN(int(socket), c.frame, rights, nil, unix.MSG_NOSIGNAL)
				if err != unix.EINTR {
					return err != unix.EAGAIN
				}
			}
		})
		if connErr != nil {
			return connErr
		}
		return os.NewSyscallError("sendmsg", err)
	})
	if err != nil || sent == len(c.frame) {
		return err
	}
	_, err = c.f.Write(c.frame[sent:])
	return err
}

func (c *Conn) RecvFile() ([]byte, *os.File, error) {
	p, err := c.recvFrame(nil)
	if err != nil {
		c.f.came.dropAll()
		return nil, nil, err
	}
	fds := c.f.came.take(c.received())
	if c.f.came.isClosed() {
		closeAll(fds)
		return nil, nil, os.ErrClosed
	}
	if len(fds) == 0 {
		return p, nil, nil
	}
	closeAll(fds[1:])
	if fds[0] == lost {
		return nil, nil, fmt.Errorf("a message came with a file, and there was no descriptor left for it: %w", unix.EMFILE)
	}
	return p, os.NewFile(uintptr(fds[0]), "received"), nil
}
