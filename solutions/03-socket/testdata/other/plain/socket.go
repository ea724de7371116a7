// Package socket is chapter 3 without anything that is only there to be fast: os.File
// and package unix make the calls. The specification is in the stub,
// chapters/03-socket/socket.go.
package socket

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	HeaderSize = 4
	MaxMessage = 1 << 20
	MaxPath    = len(unix.RawSockaddrUnix{}.Path) - 1
)

var (
	ErrTooLarge = errors.New("message too large")
	ErrEmpty    = errors.New("empty message")
)

// readAhead is enough for many small messages in one system call.
const readAhead = 64 << 10

// Conn is one end of a stream connection.
type Conn struct {
	f     *end
	in    *bufio.Reader // has what was read and belongs to later messages
	frame []byte        // used again by every Send
}

func NewConn(f *os.File) *Conn {
	e := newEnd(f)
	return &Conn{f: e, in: bufio.NewReaderSize(e, readAhead)}
}

func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.f.SyscallConn() }
func (c *Conn) Close() error                          { return c.f.Close() }

func Pair() (*Conn, *Conn, error) {
	a, b, err := socketPair(unix.SOCK_STREAM)
	if err != nil {
		return nil, nil, err
	}
	return NewConn(a), NewConn(b), nil
}

// socketPair makes both ends close-on-exec, and non-blocking so that the runtime's
// poller waits for them: then Close wakes a call that waits.
func socketPair(kind int) (*os.File, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket"), nil
}

// Send puts header and message into one buffer, so that a small message is one
// system call. Write goes on after a short write.
func (c *Conn) Send(p []byte) error {
	if err := c.makeFrame(p); err != nil {
		return err
	}
	_, err := c.f.Write(c.frame)
	return err
}

func (c *Conn) makeFrame(p []byte) error {
	if len(p) > MaxMessage {
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrTooLarge, len(p), MaxMessage)
	}
	c.frame = binary.BigEndian.AppendUint32(c.frame[:0], uint32(len(p)))
	c.frame = append(c.frame, p...)
	return nil
}

func (c *Conn) Recv() ([]byte, error) { return c.RecvInto(nil) }

// RecvInto closes descriptors that came with the message: who calls it does not
// want them.
func (c *Conn) RecvInto(buf []byte) ([]byte, error) {
	p, err := c.recvFrame(buf)
	if err != nil {
		c.f.came.dropAll()
		return nil, err
	}
	c.f.came.drop(c.received())
	return p, nil
}

// recvFrame reads until the frame is whole: one read returns what is there, which
// may be less than a frame, or more than one. What is more waits in c.in for the
// next one.
func (c *Conn) recvFrame(buf []byte) ([]byte, error) {
	var header [HeaderSize]byte
	// io.EOF here means that the stream ended between two messages.
	if _, err := io.ReadFull(c.in, header[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(header[:])
	if n > MaxMessage {
		return nil, fmt.Errorf("%w: the header claims %d bytes, the limit is %d", ErrTooLarge, n, MaxMessage)
	}
	if int(n) > cap(buf) {
		buf = make([]byte, n)
	}
	p := buf[:n]
	_, err := io.ReadFull(c.in, p)
	if errors.Is(err, io.EOF) {
		// A header without its message: io.ReadFull calls that a clean end.
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// received is how many bytes of the stream the messages so far have.
func (c *Conn) received() int64 { return c.f.read - int64(c.in.Buffered()) }

// CloseWrite tells the other side, and leaves our descriptor open. Close would end
// both directions, and only when nobody else has a copy.
func (c *Conn) CloseWrite() error {
	return control(c.f, func(fd int) error {
		return os.NewSyscallError("shutdown", unix.Shutdown(fd, unix.SHUT_WR))
	})
}

// Peer says who is at the other end of a connection.
type Peer struct {
	PID, UID, GID int
}

func (c *Conn) Peer() (Peer, error) {
	var p Peer
	err := control(c.f, func(fd int) error {
		if err := isUnix(fd); err != nil {
			return err
		}
		cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return os.NewSyscallError("getsockopt SO_PEERCRED", err)
		}
		p = Peer{PID: int(cred.Pid), UID: int(cred.Uid), GID: int(cred.Gid)}
		return nil
	})
	return p, err
}

// control borrows the descriptor from its file. File.Fd would give the number for
// good, and make the socket blocking for every process that shares it.
func control(f syscall.Conn, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := conn.Control(func(fd uintptr) { inner = do(int(fd)) }); err != nil {
		return err
	}
	return inner
}
