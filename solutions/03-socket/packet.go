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
	f    *end
	rest []byte // for what does not fit into the caller's memory
}

func NewPacketConn(f *os.File) *PacketConn {
	e := newEnd(f)
	e.in.flags |= unix.MSG_TRUNC // the length, and not how much of it there was room for
	return &PacketConn{f: e}
}

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
	switch {
	case len(p) == 0:
		return fmt.Errorf("%w: the other side would take it for the end", ErrEmpty)
	case len(p) > MaxMessage:
		return fmt.Errorf("%d bytes, the limit is %d: %w", len(p), MaxMessage, unix.EMSGSIZE)
	}
	return c.f.send(p, nil, nil)
}

func (c *PacketConn) Recv() ([]byte, error) { return c.RecvInto(nil) }

// RecvInto gives the kernel two places: the caller's memory, and another one for what
// does not fit there. What fits into neither would be thrown away.
func (c *PacketConn) RecvInto(buf []byte) ([]byte, error) {
	if c.rest == nil {
		c.rest = make([]byte, MaxMessage)
	}
	buf = buf[:cap(buf)]
	n, err := c.receive(buf, c.rest)
	switch {
	case err != nil:
		return nil, err
	case n > MaxMessage:
		return nil, fmt.Errorf("%w: a packet of %d bytes, the limit is %d", ErrTooLarge, n, MaxMessage)
	case n <= len(buf):
		return buf[:n], nil
	}
	p := make([]byte, n)
	copy(p[copy(p, buf):], c.rest)
	return p, nil
}

func (c *PacketConn) RecvFixed(buf []byte) (int, error) {
	n, err := c.receive(buf, nil)
	if err != nil {
		return 0, err
	}
	if n > len(buf) {
		return 0, fmt.Errorf("a packet of %d bytes, and room for %d: %w", n, len(buf), io.ErrShortBuffer)
	}
	return n, nil
}

// receive returns how long the packet is, also when there was less room for it:
// MSG_TRUNC asks for that. Descriptors that come with it are thrown away by the
// kernel, since there is no room for them.
func (c *PacketConn) receive(p, more []byte) (int, error) {
	n, err := c.f.receive(p, more, nil)
	if err == nil && n == 0 {
		err = io.EOF // nobody sends an empty packet
	}
	return n, err
}
