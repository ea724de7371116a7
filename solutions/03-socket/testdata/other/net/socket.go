// Package socket is chapter 3 on package net, which knows stream sockets, packets and
// control messages. What it does in its own way is done again here: it removes no
// stale file, it removes a successor's, and it does not wait for a server. The
// specification is in the stub, chapters/03-socket/socket.go.
package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
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

// conn is what a net.UnixConn and a net.TCPConn have in common.
type conn interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

// broken is in the place of a connection that could not be made.
type broken struct {
	net.Conn
	err error
}

func (b broken) SyscallConn() (syscall.RawConn, error) { return nil, b.err }
func (b broken) CloseWrite() error                     { return b.err }
func (b broken) Read([]byte) (int, error)              { return 0, b.err }
func (b broken) Write([]byte) (int, error)             { return 0, b.err }
func (b broken) Close() error                          { return b.err }

// own takes the file's descriptor over: net.FileConn makes a copy.
func own(f *os.File) conn {
	c, err := net.FileConn(f)
	if err != nil {
		return broken{err: err}
	}
	f.Close()
	known, ok := c.(conn)
	if !ok {
		c.Close()
		return broken{err: errors.ErrUnsupported}
	}
	return known
}

// Conn is one end of a stream connection.
type Conn struct{ c conn }

func NewConn(f *os.File) *Conn { return &Conn{own(f)} }

func (c *Conn) SyscallConn() (syscall.RawConn, error) { return c.c.SyscallConn() }
func (c *Conn) Close() error                          { return c.c.Close() }
func (c *Conn) CloseWrite() error                     { return c.c.CloseWrite() }

func Pair() (*Conn, *Conn, error) {
	a, b, err := pair(unix.SOCK_STREAM)
	if err != nil {
		return nil, nil, err
	}
	return NewConn(a), NewConn(b), nil
}

func pair(kind int) (*os.File, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "first"), os.NewFile(uintptr(fds[1]), "second"), nil
}

func frame(p []byte) ([]byte, error) {
	if len(p) > MaxMessage {
		return nil, tooLarge(p)
	}
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, HeaderSize+len(p)), uint32(len(p))), p...), nil
}

// Send writes the header, and then the message: on a stream nobody else sends between.
func (c *Conn) Send(p []byte) error {
	if len(p) > MaxMessage {
		return tooLarge(p)
	}
	_, err := c.c.Write(binary.BigEndian.AppendUint32(nil, uint32(len(p))))
	if err == nil && len(p) > 0 {
		_, err = c.c.Write(p)
	}
	return err
}

func tooLarge(p []byte) error {
	return fmt.Errorf("%w: %d bytes are more than %d", ErrTooLarge, len(p), MaxMessage)
}

// SendFile sends the descriptor with the first bytes, and what is left without it.
func (c *Conn) SendFile(p []byte, f *os.File) error {
	all, err := frame(p)
	if err != nil {
		return err
	}
	to, ok := c.c.(*net.UnixConn)
	if !ok {
		return errors.ErrUnsupported
	}
	from, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var n int
	var sendErr error
	err = from.Control(func(fd uintptr) {
		n, _, sendErr = to.WriteMsgUnix(all, unix.UnixRights(int(fd)), nil)
	})
	if err = errors.Join(err, sendErr); err != nil || n == len(all) {
		return err
	}
	_, err = to.Write(all[n:])
	return err
}

// read fills p, and adds the descriptors that come on the way.
func (c *Conn) read(p []byte, files *[]*os.File) error {
	unixConn, _ := c.c.(*net.UnixConn)
	for got := 0; got < len(p); {
		var n int
		var err error
		if unixConn == nil {
			n, err = c.c.Read(p[got:])
		} else {
			control := make([]byte, unix.CmsgSpace(4))
			var controls, flags int
			n, controls, flags, _, err = unixConn.ReadMsgUnix(p[got:], control)
			came := received(control[:controls])
			if len(came) == 0 && flags&unix.MSG_CTRUNC != 0 {
				came = append(came, nil) // there was no descriptor for it
			}
			*files = append(*files, came...)
		}
		got += n
		if errors.Is(err, io.EOF) { // ReadMsgUnix wraps it, and Read does not
			err = io.EOF
			if got > 0 {
				err = io.ErrUnexpectedEOF
			}
		}
		if err != nil && got < len(p) {
			return err
		}
	}
	return nil
}

func received(control []byte) []*os.File {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	var files []*os.File
	for _, m := range messages {
		fds, _ := unix.ParseUnixRights(&m)
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "from the other side"))
		}
	}
	return files
}

// recv reads exactly one frame, and never more: so each descriptor that comes belongs
// to this one.
func (c *Conn) recv(buf []byte) (p []byte, files []*os.File, err error) {
	defer func() {
		if err != nil {
			closeFiles(files)
			p, files = nil, nil
		}
	}()
	header := make([]byte, HeaderSize)
	if err := c.read(header, &files); err != nil {
		return nil, files, err
	}
	n := binary.BigEndian.Uint32(header)
	if n > MaxMessage {
		return nil, files, fmt.Errorf("%w: a header of %d, and the limit is %d", ErrTooLarge, n, MaxMessage)
	}
	if int(n) > cap(buf) {
		buf = make([]byte, n)
	}
	p = buf[:n]
	err = c.read(p, &files)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return p, files, err
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

func (c *Conn) Recv() ([]byte, error) { return c.RecvInto(nil) }

func (c *Conn) RecvInto(buf []byte) ([]byte, error) {
	p, files, err := c.recv(buf)
	closeFiles(files)
	return p, err
}

func (c *Conn) RecvFile() ([]byte, *os.File, error) {
	p, files, err := c.recv(nil)
	if len(files) == 0 {
		return p, nil, err
	}
	closeFiles(files[1:])
	if files[0] == nil {
		return nil, nil, fmt.Errorf("no descriptor left: %w", unix.EMFILE)
	}
	return p, files[0], err
}

// Peer says who is at the other end of a connection.
type Peer struct{ PID, UID, GID int }

func (c *Conn) Peer() (Peer, error) {
	if _, ok := c.c.(*net.UnixConn); !ok {
		return Peer{}, errors.ErrUnsupported
	}
	raw, err := c.c.SyscallConn()
	if err != nil {
		return Peer{}, err
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(err, credErr); err != nil {
		return Peer{}, err
	}
	return Peer{int(cred.Pid), int(cred.Uid), int(cred.Gid)}, nil
}

// PacketConn is one end of a SOCK_SEQPACKET connection.
type PacketConn struct {
	c    conn
	room []byte // for the largest packet
}

func NewPacketConn(f *os.File) *PacketConn { return &PacketConn{c: own(f)} }

func (c *PacketConn) SyscallConn() (syscall.RawConn, error) { return c.c.SyscallConn() }
func (c *PacketConn) Close() error                          { return c.c.Close() }

func PacketPair() (*PacketConn, *PacketConn, error) {
	a, b, err := pair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, nil, err
	}
	return NewPacketConn(a), NewPacketConn(b), nil
}

func (c *PacketConn) Send(p []byte) error {
	if len(p) == 0 {
		return ErrEmpty
	}
	if len(p) > MaxMessage {
		return unix.EMSGSIZE
	}
	_, err := c.c.Write(p)
	return err
}

func (c *PacketConn) Recv() ([]byte, error) { return c.RecvInto(nil) }

func (c *PacketConn) RecvInto(buf []byte) ([]byte, error) {
	if c.room == nil {
		c.room = make([]byte, MaxMessage)
	}
	n, err := c.RecvFixed(c.room)
	if errors.Is(err, io.ErrShortBuffer) {
		err = fmt.Errorf("%w: a packet of more than %d bytes", ErrTooLarge, MaxMessage)
	}
	if err != nil {
		return nil, err
	}
	return append(buf[:0], c.room[:n]...), nil
}

func (c *PacketConn) RecvFixed(buf []byte) (int, error) {
	from, ok := c.c.(*net.UnixConn)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	n, _, flags, _, err := from.ReadMsgUnix(buf, nil)
	if err == nil && flags&unix.MSG_TRUNC != 0 {
		return 0, io.ErrShortBuffer
	}
	if errors.Is(err, io.EOF) {
		err = io.EOF
	}
	return n, err
}
