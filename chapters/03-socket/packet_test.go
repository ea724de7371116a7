package socket_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
	"ipcworkbook/harness/lab"
)

// Step 9: SOCK_SEQPACKET keeps the boundaries itself: one send, one receive. What is
// too large is EMSGSIZE, a short buffer is an error and not a silent cut, and an
// empty message is ErrEmpty.
func TestPacketsNeedNoFrames(t *testing.T) {
	l := lab.New(t)
	a, b := packetPair(l)
	l.MustBe("PacketPair(): the first end", a, lab.PacketSocket)
	l.MustBe("PacketPair(): the second end", b, lab.PacketSocket)
	require.Equal(l, "close-on-exec", l.OnExec(a), "PacketPair(): is SOCK_CLOEXEC set when the sockets are made?")
	require.Equal(l, "close-on-exec", l.OnExec(b), "PacketPair(): is SOCK_CLOEXEC set when the sockets are made?")

	l.RefusesCalls()
	require.NoError(l, l.Start(withoutSecondCalls, lab.Tell("what", "PacketPair()"), lab.Tell("path", "")).Wait(), "PacketPair() where nothing can be made close-on-exec by a second call")

	raw := l.File(b)
	require.NoError(l, a.Send([]byte("hello")), `Send("hello")`)
	sent := make([]byte, 100)
	n, err := raw.Read(sent)
	require.NoError(l, err, "reading the raw packet")
	require.Equal(l, "hello", string(sent[:n]), `the raw packet of Send("hello"): a packet needs no header`)

	for _, message := range []string{"one", "three", "x"} {
		require.NoError(l, a.Send([]byte(message)), "Send(%q)", message)
	}
	first, err := b.Recv()
	require.NoError(l, err, "Recv() of the first of several packets")
	for _, want := range []string{"three", "x"} {
		require.NoError(l, expect(b, want), "Recv() of %q, one of several packets: one packet is one message", want)
	}
	require.Equal(l, "one", string(first), "the first message, after later ones were received: does every Recv use the same buffer?")
	sender := l.Start(sendsPackets, lab.HandOver("conn", a))
	require.NoError(l, expect(b, "from another process"), "Recv() of a packet from another process")
	require.NoError(l, expect(b, string(pattern(70_001))), "Recv() of 70001 bytes: is there a buffer that is too small for them?")
	sender.Exit()
	largest(l)
	_, err = b.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() when the other side has closed")

	a, b = packetPair(l)
	for _, empty := range [][]byte{nil, {}} {
		require.ErrorIs(l, a.Send(empty), socket.ErrEmpty, "Send() of an empty message: the other side would take it for the end")
	}
	l.Narrow(a)
	send := l.Call("Send() of more than the send buffer has room for: is the kernel's error returned?", func() error { return a.Send(make([]byte, 64<<10)) })
	send.ReturnsSoon(unix.EMSGSIZE)
	recv := l.Call("Recv() after messages that were refused, which a signal interrupts: was something sent of them? Does it go on after EINTR?", func() error { return expect(b, "fits") })
	recv.Blocks("no message was sent")
	recv.Interrupt(1)
	require.NoError(l, a.Send([]byte("fits")), "Send() after a message that was too large")
	recv.Returns(nil)

	a, b = packetPair(l)
	for _, message := range []string{"hello", "next", "exact"} {
		require.NoError(l, a.Send([]byte(message)), "Send(%q)", message)
	}
	buf := make([]byte, 3, 100)
	n, err = b.RecvFixed(buf)
	require.ErrorIs(l, err, io.ErrShortBuffer, "RecvFixed() of 5 bytes into 3: the kernel cuts the packet and says so in a flag only (MSG_TRUNC)")
	require.Zero(l, n, "the length that RecvFixed() returns with an error: the packet is lost, and no part of it is a message")
	buf = make([]byte, 5)
	n, err = b.RecvFixed(buf)
	require.NoError(l, err, "RecvFixed() of the packet after the one that was too long")
	require.Equal(l, "next", string(buf[:n]), "RecvFixed() of the packet after the one that was too long: the rest of that one is gone")
	n, err = b.RecvFixed(buf)
	require.NoError(l, err, "RecvFixed() of 5 bytes into 5: that is no cut")
	require.Equal(l, "exact", string(buf[:n]), "RecvFixed() of 5 bytes into 5")

	memory := make([]byte, 0, 100)
	require.NoError(l, a.Send([]byte("hello")), `Send("hello")`)
	got, err := b.RecvInto(memory)
	require.NoError(l, err, "RecvInto() with room for 100 bytes")
	require.Equal(l, "hello", string(got), "RecvInto() with room for 100 bytes")
	require.Equal(l, "hello", string(memory[:5]), "the caller's memory after RecvInto(): is the message there?")
	require.NoError(l, a.Send(pattern(101)), "Send() of 101 bytes")
	got, err = b.RecvInto(memory)
	require.NoError(l, err, "RecvInto() of 101 bytes with room for 100")
	l.SameBytes(pattern(101), got, "RecvInto() of 101 bytes with room for 100: does a longer message get new memory?")

	largeOnesAreKept(l)
	packetsBothWays(l)

	// A full queue makes the sender wait.
	a, b = packetPair(l)
	l.Narrow(a)
	fill := l.Call("Send() of more packets than the queue has room for, which a signal interrupts: does it go on after EINTR?", func() error {
		for i := range 200 {
			if err := a.Send(bytes.Repeat([]byte{byte(i)}, 1000)); err != nil {
				return fmt.Errorf("packet %d: %w", i, err)
			}
		}
		return nil
	})
	fill.Blocks("the queue is full and nobody receives")
	fill.Interrupt(1)
	fill.Blocks("the queue is still full")
	for i := range 200 {
		require.NoError(l, expect(b, string(bytes.Repeat([]byte{byte(i)}, 1000))), "Recv() of packet %d of 200", i)
	}
	fill.Returns(nil)

	for _, one := range []struct {
		unread bool
		right  error
	}{{false, io.EOF}, {true, unix.ECONNRESET}} {
		unread, right := one.unread, one.right
		a, b = packetPair(l)
		victim := l.Start(holdsPackets, lab.HandOver("conn", b))
		var up bool
		victim.Report(&up)
		if unread {
			require.NoError(l, a.Send([]byte("the victim never reads this")), "Send()")
		}
		recv = l.Call("Recv() when the peer is killed: is the kernel's error passed on? It is ECONNRESET when the peer had not read everything.", func() error {
			_, err := a.Recv()
			return err
		})
		recv.Blocks("the peer lives and has sent nothing")
		victim.Kill()
		recv.ReturnsSoon(right)
		require.NoError(l, oneOf(a.Send([]byte("hello")), unix.EPIPE, unix.ECONNRESET), "Send() to a peer that was killed")
	}

	// Close wakes who waits.
	a, b = packetPair(l)
	recv = l.Call("Recv() on an end of PacketPair() that is closed meanwhile: "+stillWaits, func() error { _, err := b.Recv(); return err })
	recv.Blocks("nothing has been sent")
	l.Call("Close() while a Recv() waits: "+closeWaits, b.Close).ReturnsSoon(nil)
	recv.FailsSoon()
	a, _ = packetPair(l)
	send = l.Call("Send() on an end of PacketPair() that is closed meanwhile: "+stillWaits, func() error {
		for {
			if err := a.Send(pattern(1000)); err != nil {
				return err
			}
		}
	})
	send.Blocks("nobody receives, and the queue is full")
	l.Call("Close() while a Send() waits: "+closeWaits, a.Close).ReturnsSoon(nil)
	send.FailsSoon()
	a, _ = packetPair(l)
	closesTwice(l, a)
	handedOverBlocking(l, unix.SOCK_SEQPACKET, func(f *os.File) receiver { return socket.NewPacketConn(f) }, func(p string) []byte { return []byte(p) })
}

// largest sends packets as large as this machine lets them be. How large that is,
// nobody knows before.
func largest(l *lab.Lab) {
	a, b := packetPair(l)
	conn, err := a.SyscallConn()
	require.NoError(l, err, "SyscallConn()")
	require.NoError(l, conn.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, socket.MaxMessage)
	}), "SyscallConn()")
	require.NoError(l, err, "SO_SNDBUF")
	for _, size := range []int{400_001, 200_001, 131_073} {
		if errors.Is(a.Send(pattern(size)), unix.EMSGSIZE) {
			continue // there is less room
		}
		got, err := b.Recv()
		require.NoError(l, err, "Recv() of a packet of %d bytes", size)
		l.SameBytes(pattern(size), got, "Recv() of a packet of %d bytes: is there a buffer that is too small for it? The kernel cuts, and says so in a flag only (MSG_TRUNC).", size)
		require.NoError(l, a.Send(pattern(size)), "Send() of %d bytes", size)
		got, err = b.RecvInto(make([]byte, 100))
		require.NoError(l, err, "RecvInto() of a packet of %d bytes with room for 100", size)
		l.SameBytes(pattern(size), got, "RecvInto() of a packet of %d bytes with room for 100: is there a buffer that is too small for it?", size)
		return
	}
}

// largeOnesAreKept keeps large packets while others are received.
func largeOnesAreKept(l *lab.Lab) {
	a, b := packetPair(l)
	const size = 70_001
	var kept [][]byte
	for i := range 4 {
		require.NoError(l, a.Send(bytes.Repeat([]byte{byte(i)}, size)), "Send() of %d bytes", size)
		p, err := b.Recv()
		require.NoError(l, err, "Recv() of %d bytes", size)
		kept = append(kept, p)
	}
	for i, p := range kept {
		l.SameBytes(bytes.Repeat([]byte{byte(i)}, size), p, "large packet %d, after later ones were received: is it a part of the memory that every Recv uses?", i+1)
	}
}

// packetsBothWays sends on an end on which a Recv waits.
func packetsBothWays(l *lab.Lab) {
	a, b := packetPair(l)
	waits := l.Call("Recv()", func() error { return expect(a, "at last") })
	waits.Blocks("nothing has been sent yet")
	l.Call("Send() of a packet while a Recv() waits: does Recv hold a lock that Send needs?", func() error { return a.Send([]byte("hello")) }).ReturnsSoon(nil)
	require.NoError(l, expect(b, "hello"), "Recv() at the other end")
	require.NoError(l, b.Send([]byte("at last")), "Send()")
	waits.Returns(nil)
}

func packetPair(l *lab.Lab) (*socket.PacketConn, *socket.PacketConn) {
	a, b, err := socket.PacketPair()
	require.NoError(l, err, "PacketPair()")
	l.CloseAtEnd(a, b)
	lab.CollectGarbage()
	return a, b
}

var sendsPackets = lab.NewRole("sender of packets", func(c *lab.Child) error {
	conn := socket.NewPacketConn(c.File("conn"))
	lab.CollectGarbage()
	for _, message := range [][]byte{[]byte("from another process"), pattern(70_001)} {
		if err := conn.Send(message); err != nil {
			return fmt.Errorf("Send() of %d bytes: %w", len(message), err)
		}
	}
	c.Wait()
	return conn.Close()
})

var holdsPackets = lab.NewRole("victim with packets", func(c *lab.Child) error {
	conn := socket.NewPacketConn(c.File("conn"))
	c.Report(true)
	c.Wait()
	return conn.Close()
})
