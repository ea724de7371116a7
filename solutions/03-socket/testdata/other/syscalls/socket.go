// Package socket is chapter 3 on system calls alone, with sockets that may block. A
// socket gets its mode in a private folder and its name by link(2), which replaces
// nothing. The specification is in the stub, chapters/03-socket/socket.go.
package socket

import (
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
	MaxPath    = 107
)

var (
	ErrTooLarge = errors.New("message too large")
	ErrEmpty    = errors.New("empty message")
)

// Conn is one end of a stream connection.
type Conn struct{ e *end }

func NewConn(f *os.File) *Conn { return &Conn{own(f)} }

func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.e.SyscallConn() }
func (c *Conn) Close() error                          { return c.e.Close() }

func pair(kind int) (*end, *end, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	a, err := newEnd(fds[0])
	if err != nil {
		unix.Close(fds[1])
		return nil, nil, err
	}
	b, err := newEnd(fds[1])
	if err != nil {
		a.Close()
		return nil, nil, err
	}
	return a, b, nil
}

func Pair() (*Conn, *Conn, error) {
	a, b, err := pair(unix.SOCK_STREAM)
	if err != nil {
		return nil, nil, err
	}
	return &Conn{a}, &Conn{b}, nil
}

// send sends all of p, and the control message with its first byte.
func (e *end) send(p, control []byte) error {
	for {
		var n int
		err := e.do("sendmsg", unix.POLLOUT, func() (err error) {
			n, err = unix.SendmsgN(e.fd, p, control, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
			return err
		})
		if err != nil {
			return err
		}
		if p, control = p[n:], nil; len(p) == 0 {
			return nil
		}
	}
}

// recv receives what is there, and descriptors with it.
func (e *end) recv(p []byte, fds *[]int) (n, flags int, err error) {
	control := make([]byte, unix.CmsgSpace(4*16))
	var controls int
	err = e.do("recvmsg", unix.POLLIN, func() (err error) {
		n, controls, flags, _, err = unix.Recvmsg(e.fd, p, control, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	before := len(*fds)
	messages, _ := unix.ParseSocketControlMessage(control[:controls])
	for _, m := range messages {
		if came, err := unix.ParseUnixRights(&m); err == nil {
			*fds = append(*fds, came...)
		}
	}
	if len(*fds) == before && flags&unix.MSG_CTRUNC != 0 {
		*fds = append(*fds, -1) // there was no number for it
	}
	return n, flags, nil
}

func (c *Conn) Send(p []byte) error { return c.sendFrame(p, nil) }

// mustBeUnix is an error for a socket of another family, which carries no descriptor.
func (e *end) mustBeUnix() error {
	return e.do("getsockopt", 0, func() error {
		family, err := unix.GetsockoptInt(e.fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
		if err == nil && family != unix.AF_UNIX {
			err = unix.EOPNOTSUPP
		}
		return err
	})
}

func (c *Conn) SendFile(p []byte, f *os.File) error {
	if err := c.e.mustBeUnix(); err != nil {
		return err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = raw.Control(func(fd uintptr) { sendErr = c.sendFrame(p, unix.UnixRights(int(fd))) })
	return errors.Join(err, sendErr)
}

func (c *Conn) sendFrame(p, control []byte) error {
	if len(p) > MaxMessage {
		return fmt.Errorf("%w: %d bytes, and no more than %d are allowed", ErrTooLarge, len(p), MaxMessage)
	}
	all := make([]byte, HeaderSize+len(p))
	binary.BigEndian.PutUint32(all, uint32(len(p)))
	copy(all[HeaderSize:], p)
	return c.e.send(all, control)
}

// fill reads until p is full.
func (c *Conn) fill(p []byte, fds *[]int) error {
	for got := 0; got < len(p); {
		n, _, err := c.e.recv(p[got:], fds)
		switch {
		case err != nil:
			return err
		case n == 0 && got == 0:
			return io.EOF
		case n == 0:
			return io.ErrUnexpectedEOF
		}
		got += n
	}
	return nil
}

func (c *Conn) recvFrame(buf []byte, fds *[]int) ([]byte, error) {
	header := make([]byte, HeaderSize)
	if err := c.fill(header, fds); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(header)
	if n > MaxMessage {
		return nil, fmt.Errorf("%w: a header says %d, and no more than %d are allowed", ErrTooLarge, n, MaxMessage)
	}
	if int(n) > cap(buf) {
		buf = make([]byte, n)
	}
	err := c.fill(buf[:n], fds)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

func (c *Conn) Recv() ([]byte, error) { return c.RecvInto(nil) }

func (c *Conn) RecvInto(buf []byte) ([]byte, error) {
	var fds []int
	p, err := c.recvFrame(buf, &fds)
	closeAll(fds)
	return p, err
}

func (c *Conn) RecvFile() ([]byte, *os.File, error) {
	var fds []int
	p, err := c.recvFrame(nil, &fds)
	if err != nil || len(fds) == 0 {
		closeAll(fds)
		return p, nil, err
	}
	closeAll(fds[1:])
	if fds[0] < 0 {
		return nil, nil, fmt.Errorf("a file came, and this process has as many as it may have: %w", unix.EMFILE)
	}
	return p, os.NewFile(uintptr(fds[0]), "received"), nil
}

func (c *Conn) CloseWrite() error {
	return c.e.do("shutdown", 0, func() error { return unix.Shutdown(c.e.fd, unix.SHUT_WR) })
}

// Peer says who is at the other end of a connection.
type Peer struct{ PID, UID, GID int }

func (c *Conn) Peer() (p Peer, err error) {
	if err := c.e.mustBeUnix(); err != nil {
		return Peer{}, err
	}
	err = c.e.do("getsockopt", 0, func() error {
		cred, err := unix.GetsockoptUcred(c.e.fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err == nil {
			p = Peer{int(cred.Pid), int(cred.Uid), int(cred.Gid)}
		}
		return err
	})
	return p, err
}

// PacketConn is one end of a SOCK_SEQPACKET connection.
type PacketConn struct {
	e    *end
	room []byte // for the largest packet
}

func NewPacketConn(f *os.File) *PacketConn { return newPacketConn(own(f)) }

func newPacketConn(e *end) *PacketConn {
	return &PacketConn{e: e, room: make([]byte, MaxMessage)}
}

func (c *PacketConn) SyscallConn() (syscall.RawConn, error) { return c.e.SyscallConn() }
func (c *PacketConn) Close() error                          { return c.e.Close() }

func PacketPair() (*PacketConn, *PacketConn, error) {
	a, b, err := pair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, nil, err
	}
	return newPacketConn(a), newPacketConn(b), nil
}

func (c *PacketConn) Send(p []byte) error {
	if len(p) == 0 {
		return ErrEmpty
	}
	if len(p) > MaxMessage {
		return unix.EMSGSIZE
	}
	return c.e.send(p, nil)
}

func (c *PacketConn) Recv() ([]byte, error) { return c.RecvInto(nil) }

// RecvInto takes the whole packet, into memory for the largest one, and then no more
// than it needs.
func (c *PacketConn) RecvInto(buf []byte) ([]byte, error) {
	n, err := c.RecvFixed(c.room)
	if errors.Is(err, io.ErrShortBuffer) {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, err
	}
	return append(buf[:0], c.room[:n]...), nil
}

func (c *PacketConn) RecvFixed(buf []byte) (int, error) {
	var fds []int
	n, flags, err := c.e.recv(buf, &fds)
	closeAll(fds)
	switch {
	case err != nil:
		return 0, err
	case flags&unix.MSG_TRUNC != 0:
		return 0, io.ErrShortBuffer
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
