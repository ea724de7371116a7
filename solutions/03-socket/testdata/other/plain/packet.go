package socket

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// PacketConn is one end of a SOCK_SEQPACKET connection.
type PacketConn struct {
	f *os.File
}

func NewPacketConn(f *os.File) *PacketConn { return &PacketConn{f: f} }

func (c *PacketConn) SyscallConn() (syscall.RawConn, error) { return c.f.SyscallConn() }
func (c *PacketConn) Close() error                          { return c.f.Close() }

func PacketPair() (*PacketConn, *PacketConn, error) {
	a, b, err := socketPair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, nil, err
	}
	return NewPacketConn(a), NewPacketConn(b), nil
}

func (c *PacketConn) Send(p []byte) error {
	if len(p) == 0 {
		return fmt.Errorf("%w: the other side would take it for the end", ErrEmpty)
	}
	conn, err := c.f.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = conn.Write(func(fd uintptr) bool {
		for {
			_, sendErr = unix.SendmsgN(int(fd), p, nil, nil, unix.MSG_NOSIGNAL)
			if sendErr != unix.EINTR {
				return sendErr != unix.EAGAIN
			}
		}
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("sendmsg", sendErr)
}

func (c *PacketConn) Recv() ([]byte, error) { return c.RecvInto(nil) }

// RecvInto looks how long the packet is before it takes it: what does not fit into
// the buffer is thrown away.
func (c *PacketConn) RecvInto(buf []byte) ([]byte, error) {
	n, err := c.receive(nil, unix.MSG_PEEK)
	if err != nil {
		return nil, err
	}
	if n > cap(buf) {
		buf = make([]byte, n)
	}
	p := buf[:n]
	_, err = c.receive(p, 0)
	return p, err
}

func (c *PacketConn) RecvFixed(buf []byte) (int, error) {
	n, err := c.receive(buf, 0)
	if err != nil {
		return 0, err
	}
	if n > len(buf) {
		return 0, fmt.Errorf("a packet of %d bytes, and room for %d: %w", n, len(buf), io.ErrShortBuffer)
	}
	return n, nil
}

// receive returns how long the packet is, also when there was less room for it:
// MSG_TRUNC asks for that. Descriptors that came with it are thrown away by the
// kernel, since there is no room for them.
func (c *PacketConn) receive(p []byte, flags int) (int, error) {
	conn, err := c.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var n int
	var recvErr error
	err = conn.Read(func(fd uintptr) bool {
		for {
			n, _, recvErr = unix.Recvfrom(int(fd), p, flags|unix.MSG_TRUNC)
			if recvErr != unix.EINTR {
				return recvErr != unix.EAGAIN
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case recvErr != nil:
		return 0, os.NewSyscallError("recvfrom", recvErr)
	case n == 0:
		return 0, io.EOF // nobody sends an empty packet
	}
	return n, nil
}
