package socket_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
	"ipcworkbook/harness/lab"
)

// Step 4: a message sent in one process arrives in another, and an answer comes
// back: between a server and its client, and through a pair. It travels in the frame
// that the package's comment specifies.
func TestMessageArrivesInAnotherProcess(t *testing.T) {
	l := lab.New(t)

	a, b := pair(l)
	l.MustBe("Pair(): the first end", a, lab.StreamSocket)
	l.MustBe("Pair(): the second end", b, lab.StreamSocket)
	for _, end := range []*socket.Conn{a, b} {
		require.Equal(l, "close-on-exec", l.OnExec(end), "Pair(): is SOCK_CLOEXEC set when the sockets are made?")
	}
	raw := l.File(b)
	require.NoError(l, a.Send([]byte("hello")), `Send("hello")`)
	waiting, err := lab.Waiting(b)
	require.NoError(l, err, "FIONREAD")
	require.NotZero(l, waiting, `bytes in the socket after Send("hello"): is the frame still in a buffer of your own, or did a write fail unseen?`)
	sent := make([]byte, waiting)
	_, err = io.ReadFull(raw, sent)
	require.NoError(l, err, "reading the raw frame")
	require.Equal(l, "00 00 00 05 68 65 6c 6c 6f", fmt.Sprintf("% x", sent),
		`the raw frame of Send("hello"): is it the length, a uint32 in big-endian order, and then the message?`)

	a, b = pair(l)
	answerer := l.Start(answersOnPair, lab.HandOver("conn", b))
	require.NoError(l, a.Send([]byte("hello")), `Send("hello")`)
	require.NoError(l, expect(a, "HELLO"), "Recv() of the answer on a pair: does Recv ask for more bytes than the frame has?")
	answerer.Exit()

	// The client is another process.
	path := l.SocketPath("s")
	s := listen(l, path)
	client := l.Start(asks, lab.Tell("path", path))
	c := accept(l, s)
	l.MustBe("Accept()", c, lab.StreamSocket)
	require.Equal(l, "close-on-exec", l.OnExec(c), "Accept(): a connection has flags of its own. Is SOCK_CLOEXEC given to accept4(2)?")
	require.NoError(l, expect(c, "hello"), "Recv() of what the client sent")
	require.NoError(l, c.Send([]byte("HELLO")), `Send("HELLO") to the client`)
	var answer string
	client.Report(&answer)
	require.Equal(l, "HELLO", answer, "Recv() in the client")
	require.NoError(l, c.Close(), "Close() of the server's end")
	client.Exit()

	// The server is another process.
	path = l.SocketPath("theirs")
	l.Start(answersOne, lab.Tell("path", path))
	c = dial(l, path)
	l.MustBe("Dial()", c, lab.StreamSocket)
	require.Equal(l, "close-on-exec", l.OnExec(c), "Dial(): is SOCK_CLOEXEC set when the socket is made?")
	require.NoError(l, c.Send([]byte("hello")), `Send("hello") to the server`)
	require.NoError(l, expect(c, "HELLO"), "Recv() of the server's answer")
	_, err = c.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() when the server has closed")
}

// dial connects to a server that is there, or will be.
func dial(l *lab.Lab, address string) *socket.Conn {
	c, err := socket.Dial(context.Background(), address)
	require.NoError(l, err, "Dial()")
	l.CloseAtEnd(c)
	lab.CollectGarbage()
	return c
}

var asks = lab.NewRole("client that asks", func(c *lab.Child) error {
	conn, err := socket.Dial(context.Background(), c.Text("path"))
	if err != nil {
		return fmt.Errorf("Dial(): %w", err)
	}
	lab.CollectGarbage()
	if err := conn.Send([]byte("hello")); err != nil {
		return fmt.Errorf("Send(): %w", err)
	}
	answer, err := conn.Recv()
	if err != nil {
		return fmt.Errorf("Recv(): %w", err)
	}
	c.Report(string(answer))
	c.Wait()
	if _, err := conn.Recv(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("Recv() when the server has closed: %v, and not io.EOF", err)
	}
	return conn.Close()
})

var answersOnPair = lab.NewRole("answerer", func(c *lab.Child) error {
	conn := socket.NewConn(c.File("conn"))
	lab.CollectGarbage()
	if err := answer(conn); err != nil {
		return err
	}
	c.Wait()
	return conn.Close()
})

var answersOne = lab.NewRole("server for one", func(c *lab.Child) error {
	s, err := socket.Listen(c.Text("path"))
	if err != nil {
		return fmt.Errorf("Listen(): %w", err)
	}
	conn, err := s.Accept()
	if err != nil {
		return fmt.Errorf("Accept(): %w", err)
	}
	lab.CollectGarbage()
	return errors.Join(answer(conn), conn.Close(), s.Close())
})

// answer sends a message back in capital letters.
func answer(c *socket.Conn) error {
	message, err := c.Recv()
	if err != nil {
		return fmt.Errorf("Recv(): %w", err)
	}
	if err := c.Send(bytes.ToUpper(message)); err != nil {
		return fmt.Errorf("Send(): %w", err)
	}
	return nil
}

// Step 5: messages keep their boundaries over short reads and writes: in
// pieces that know nothing of frames, and through a buffer that is too small for
// them. Both sides may send at the same time.
func TestMessagesKeepTheirBoundaries(t *testing.T) {
	l := lab.New(t)
	a, b := pair(l)
	raw := l.File(a)

	recv := l.Call("Recv(): is one Read taken for a whole header, or for a whole message?", func() error { return expect(b, "hello") })
	for i, x := range frame("hello") {
		recv.Blocks(fmt.Sprintf("%d of the frame's 9 bytes have arrived", i))
		write(l, raw, []byte{x})
	}
	recv.Returns(nil)

	require.NoError(l, a.Send(nil), "Send(nil)")
	waiting, err := lab.Waiting(b)
	require.NoError(l, err, "FIONREAD")
	require.Equal(l, socket.HeaderSize, waiting, "bytes in the socket after Send(nil): an empty message is a header with nothing behind it")
	require.NoError(l, expect(b, ""), "Recv() of an empty message: is an empty message taken for the end?")
	write(l, raw, frame("one"), frame(""), frame("three"), frame(""))
	require.NoError(l, raw.Close(), "closing the raw end")
	require.NoError(l, a.Close(), "Close() of one end")
	first, err := b.Recv()
	require.NoError(l, err, "Recv() of the first message")
	for _, want := range []string{"", "three", ""} {
		require.NoError(l, expect(b, want), "Recv() of %q, which arrived together with others: does a Recv read more than its own message, and lose it?", want)
	}
	require.Equal(l, "one", string(first), "the first message, after later ones were received: does every Recv use the same buffer?")

	// A relay passes on the end of one message, say, with a part of the next header.
	a, b = pair(l)
	relayed := socket.NewConn(l.Relay(b, lab.Around(socket.HeaderSize)))
	l.CloseAtEnd(relayed)
	sizes := sizesUpTo(20, l.Rand("sizes"))
	l.Start(sendsPatterns, lab.HandOver("conn", a), lab.Tell("sizes", join(sizes)))
	for i, size := range sizes {
		require.NoError(l, expect(relayed, string(pattern(size))),
			"Recv() of message %d through a relay: does a Recv read more than its own message, and lose it?", i+1)
	}

	// The smallest buffer makes every write short.
	a, b = pair(l)
	l.Narrow(a)
	large := []int{100_001, socket.MaxMessage, 0, 5000}
	producer := l.Start(sendsPatterns, lab.HandOver("conn", a), lab.Tell("sizes", join(large)))
	producer.Blocks("the socket's buffer is full and nobody reads yet")
	producer.Interrupt(1)
	for _, size := range large {
		got, err := b.Recv()
		require.NoError(l, err, "Recv() of %d bytes: does Send go on after a short write? Does Recv take a message of MaxMessage bytes?", size)
		l.SameBytes(pattern(size), got, "Recv() of %d bytes: does Recv read until the message is whole? Does Send go on after a short write?", size)
	}

	// One direction does not wait for the other.
	a, b = pair(l)
	waits := l.Call("Recv()", func() error { return expect(a, "at last") })
	waits.Blocks("nothing has been sent yet")
	l.Call("Send() while a Recv() waits: does Recv hold a lock that Send needs?", func() error { return a.Send([]byte("hello")) }).ReturnsSoon(nil)
	require.NoError(l, expect(b, "hello"), "Recv() at the other end")
	require.NoError(l, b.Send([]byte("at last")), "Send()")
	waits.Returns(nil)
	l.Narrow(a)
	fills := l.Call("Send()", func() error { return a.Send(pattern(100_001)) })
	fills.Blocks("nobody reads, and the buffer is full")
	require.NoError(l, b.Send([]byte("meanwhile")), "Send()")
	l.Call("Recv() while a Send() waits: does Send hold a lock that Recv needs?", func() error { return expect(a, "meanwhile") }).ReturnsSoon(nil)
	require.NoError(l, expect(b, string(pattern(100_001))), "Recv() of 100001 bytes")
	fills.Returns(nil)

	// Both sides send more than the buffers hold, and receive at the same time.
	a, b = pair(l)
	l.Narrow(a)
	l.Narrow(b)
	size := 200_001
	other := l.Start(sendsAndReceives, lab.HandOver("conn", b), lab.Tell("size", strconv.Itoa(size)))
	send := l.Call("Send() while the other side sends too: does Send keep Recv from reading?", func() error { return a.Send(pattern(size)) })
	send.Blocks("both sides send, and nobody receives yet")
	other.Go()
	got, err := a.Recv()
	require.NoError(l, err, "Recv() while Send() goes on in another goroutine")
	l.SameBytes(pattern(size), got, "Recv() while Send() goes on in another goroutine")
	send.Returns(nil)
}

var sendsPatterns = lab.NewRole("producer", func(c *lab.Child) error {
	conn := socket.NewConn(c.File("conn"))
	for size := range strings.SplitSeq(c.Text("sizes"), ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			return err
		}
		if err := conn.Send(pattern(n)); err != nil {
			return fmt.Errorf("Send() of %d bytes: %w", n, err)
		}
	}
	return conn.Close()
})

var sendsAndReceives = lab.NewRole("both ways", func(c *lab.Child) error {
	conn := socket.NewConn(c.File("conn"))
	size, err := strconv.Atoi(c.Text("size"))
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- conn.Send(pattern(size)) }()
	c.Wait()
	if err := expect(conn, string(pattern(size))); err != nil {
		return fmt.Errorf("Recv(): %w", err)
	}
	if err := <-sent; err != nil {
		return fmt.Errorf("Send(): %w", err)
	}
	return conn.Close()
})

// Step 6: RecvInto receives into memory that the caller brings, and a length that
// lies takes none: it is an error that names the limit.
func TestMemoryFollowsTheMessage(t *testing.T) {
	l := lab.New(t)
	a, b := pair(l)
	const room = 100
	buf := make([]byte, 0, room)

	require.NoError(l, a.Send([]byte("hello")), `Send("hello")`)
	got, err := b.RecvInto(buf)
	require.NoError(l, err, "RecvInto() with room for %d bytes", room)
	require.Equal(l, "hello", string(got), "RecvInto() with room for %d bytes: is what it returns as long as the message?", room)
	require.Equal(l, "hello", string(buf[:len(got)]), "the caller's memory after RecvInto(): is the message there? It is cap(buf) that counts, not len(buf).")
	for _, size := range []int{room, 0, room + 1, 0, 3 * room, 1} {
		require.NoError(l, a.Send(pattern(size)), "Send() of %d bytes", size)
		got, err = b.RecvInto(buf)
		require.NoError(l, err, "RecvInto() of %d bytes with room for %d", size, room)
		l.SameBytes(pattern(size), got, "RecvInto() of %d bytes with room for %d: does a longer message get new memory?", size, room)
	}

	// Each message goes where the one before it was.
	const each, size = 300, 1000
	a, b = pair(l)
	l.Start(sendsPatterns, lab.HandOver("conn", a), lab.Tell("sizes", join(slices.Repeat([]int{size}, each))))
	got = make([]byte, size)
	allocated := lab.Allocated(func() {
		for range each {
			if got, err = b.RecvInto(got); err != nil {
				return
			}
		}
	})
	require.NoError(l, err, "RecvInto() of one of %d messages", each)
	l.SameBytes(pattern(size), got, "RecvInto() of the last of %d messages", each)
	require.Less(l, allocated, uint64(each*size/2), "bytes that RecvInto() allocated for %d messages of %d bytes, with room for each: is there new memory for every message?", each, size)
	_, err = b.RecvInto(got)
	require.ErrorIs(l, err, io.EOF, "RecvInto() when the other side has closed")

	for _, claim := range []uint32{socket.MaxMessage + 1, 1 << 31, 1<<32 - 1} {
		a, b := pair(l)
		write(l, l.File(a), binary.BigEndian.AppendUint32(nil, claim), []byte("hello"))
		var err error
		var allocated uint64
		recv := l.Call(fmt.Sprintf("Recv() of a header that claims %d bytes: is the length checked before anything else is read?", claim), func() error {
			allocated = lab.Allocated(func() { _, err = b.Recv() })
			return err
		})
		recv.ReturnsSoon(socket.ErrTooLarge) // the other side lives: more never comes
		require.ErrorContains(l, err, strconv.Itoa(socket.MaxMessage), "Recv() of a header that claims %d bytes: the text names the limit", claim)
		require.Less(l, allocated, uint64(socket.MaxMessage), "bytes that Recv() allocated: is the length checked before memory is taken?")
	}

	a, b = pair(l)
	send := l.Call("Send() of MaxMessage+1 bytes: is the length checked before anything is written?", func() error { return a.Send(make([]byte, socket.MaxMessage+1)) })
	send.ReturnsSoon(socket.ErrTooLarge)
	waiting, err := lab.Waiting(b)
	require.NoError(l, err, "FIONREAD")
	require.Zero(l, waiting, "bytes in the socket after a message was refused: is the length checked before the header goes out?")
}

// Step 7: after CloseWrite the peer reads io.EOF, and can still answer.
func TestPeerCanAnswerAfterCloseWrite(t *testing.T) {
	l := lab.New(t)
	a, b := pair(l)
	peer := l.Start(countsUntilTheEnd, lab.HandOver("conn", b))
	copied := l.Start(holdsACopy, lab.Give("conn", a))
	for range 3 {
		require.NoError(l, a.Send(pattern(1000)), "Send()")
	}
	peer.Blocks("there may be more to come")
	require.NoError(l, a.CloseWrite(), "CloseWrite()")
	require.NoError(l, expect(a, "3 messages"), "Recv() of the answer after CloseWrite(): does CloseWrite end one direction only?")
	require.NoError(l, expect(a, "and the end"), "Recv() of the second answer")
	require.ErrorIs(l, a.Send([]byte("late")), unix.EPIPE, "Send() after CloseWrite()")
	peer.Exit()
	copied.Exit()
	_, err := a.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() when the peer has closed too")
	_, err = a.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() once more: the end stays the end")
}

// A copy of the descriptor keeps the connection open, but not the direction that
// CloseWrite has ended.
var holdsACopy = lab.NewRole("holder of a copy of our end", func(c *lab.Child) error {
	conn := socket.NewConn(c.File("conn"))
	c.Wait()
	return conn.Close()
})

var countsUntilTheEnd = lab.NewRole("peer that counts", func(c *lab.Child) error {
	conn := socket.NewConn(c.File("conn"))
	for n := 0; ; n++ {
		_, err := conn.Recv()
		if err == nil {
			continue
		}
		if !errors.Is(err, io.EOF) {
			return fmt.Errorf("Recv() after the other side's CloseWrite(): %w", err)
		}
		for _, answer := range []string{fmt.Sprint(n, " messages"), "and the end"} {
			if err := conn.Send([]byte(answer)); err != nil {
				return fmt.Errorf("Send() after the other side's CloseWrite(): %w", err)
			}
		}
		c.Wait()
		return conn.Close()
	}
})

// Step 8: a peer that is killed never makes a hang. Inside a message Recv returns
// io.ErrUnexpectedEOF or ECONNRESET, between messages io.EOF or ECONNRESET. Sending
// gives EPIPE or ECONNRESET, and the signal's disposition is left alone. Close wakes
// who waits.
func TestKilledPeerNeverMakesAHang(t *testing.T) {
	l := lab.New(t)
	before := ignoredSignals(l)
	const cut = "does Recv tell a frame that was cut from a whole one, and from a clean end between two frames?"
	inside := []error{io.ErrUnexpectedEOF, unix.ECONNRESET}
	between := []error{io.EOF, unix.ECONNRESET}

	whole := frame("hello")
	for _, unread := range []string{"", "the victim never reads this"} {
		for _, sent := range []int{0, 1, socket.HeaderSize, socket.HeaderSize + 2} {
			right := inside
			if sent == 0 {
				right = between
			}
			a, b := pair(l)
			victim := l.Start(writesRaw, lab.HandOver("conn", b), lab.Tell("bytes", string(whole[:sent])))
			var written int
			victim.Report(&written)
			require.Equal(l, sent, written, "what the victim wrote")
			if unread != "" {
				require.NoError(l, a.Send([]byte(unread)), "Send() to the victim, which does not read")
			}
			recv := l.Call(fmt.Sprintf("Recv() of %d of a frame's %d bytes: %s", sent, len(whole), cut), func() error {
				_, err := a.Recv()
				return oneOf(err, right...)
			})
			recv.Blocks("the message is not whole and the peer lives")
			victim.Kill()
			recv.Returns(nil)
			require.NoError(l, oneOf(a.Send([]byte("hello")), unix.EPIPE, unix.ECONNRESET), "Send() to a peer that was killed")
		}
	}

	// Killed in the middle of Send, in a later message and in a larger one.
	random := l.Rand("cut")
	size := 2<<16 + random.IntN(1<<12)
	length := socket.HeaderSize + size
	for _, sent := range []int{
		1 + random.IntN(socket.HeaderSize-1), // inside the header
		socket.HeaderSize,
		socket.HeaderSize + 1<<16, // a whole number of buffers, for who reads piece by piece
		socket.HeaderSize + 1 + random.IntN(size-1),
	} {
		a, b := pair(l)
		victim := l.Start(sendsOnAndOn, lab.HandOver("conn", b), lab.Tell("size", strconv.Itoa(size)))
		whole := random.IntN(2)
		relayed := socket.NewConn(l.Relay(a, lab.Around(socket.HeaderSize), lab.KillAfter(whole*length+sent, victim)))
		l.CloseAtEnd(relayed)
		for range whole {
			require.NoError(l, expect(relayed, string(pattern(size))), "Recv() of a whole message before the cut")
		}
		recv := l.Call(fmt.Sprintf("Recv() of %d of a frame's %d bytes, sent by Send(): %s", sent, length, cut), func() error {
			_, err := relayed.Recv()
			return oneOf(err, inside...)
		})
		recv.Returns(nil)
	}

	// Killed while we wait for room in its queue.
	a, b := pair(l)
	victim := l.Start(writesRaw, lab.HandOver("conn", b), lab.Tell("bytes", ""))
	send := l.Call("Send() to a peer that is killed meanwhile", func() error {
		return oneOf(a.Send(pattern(socket.MaxMessage)), unix.EPIPE, unix.ECONNRESET)
	})
	send.Blocks("the peer does not read, and its queue is full")
	victim.Kill()
	send.Returns(nil)

	// Nor does our own Close: it wakes who waits.
	path := l.SocketPath("s")
	s := listen(l, path)
	dialed, second := dial(l, path), dial(l, path)
	accept(l, s)
	accepted := accept(l, s) // of the second one
	require.NoError(l, second.Send(nil), "Send()")
	require.NoError(l, expect(accepted, ""), "Recv()")
	a, _ = pair(l)
	for _, end := range []struct {
		name string
		conn *socket.Conn
	}{{"of Pair()", a}, {"of Accept()", accepted}, {"of Dial()", dialed}} {
		name, conn := end.name, end.conn
		recv := l.Call("Recv() on an end "+name+" that is closed meanwhile", func() error { _, err := conn.Recv(); return err })
		recv.Blocks("nothing has been sent")
		require.NoError(l, conn.Close(), "Close() of an end %s", name)
		recv.ReturnsAnError()
	}
	a, _ = pair(l)
	send = l.Call("Send() on an end that is closed meanwhile", func() error { return a.Send(pattern(socket.MaxMessage)) })
	send.Blocks("nobody reads, and the buffer is full")
	require.NoError(l, a.Close(), "Close()")
	send.ReturnsAnError()
	require.Equal(l, before, ignoredSignals(l), "the ignored signals of this process (SigIgn): does the package ignore SIGPIPE for the whole program?")
}

var writesRaw = lab.NewRole("victim", func(c *lab.Child) error {
	n, err := c.File("conn").WriteString(c.Text("bytes"))
	if err != nil {
		return err
	}
	c.Report(n)
	c.Wait()
	return nil
})

var sendsOnAndOn = lab.NewRole("victim in Send", func(c *lab.Child) error {
	size, err := strconv.Atoi(c.Text("size"))
	if err != nil {
		return err
	}
	for conn := socket.NewConn(c.File("conn")); ; {
		if err := conn.Send(pattern(size)); err != nil {
			return fmt.Errorf("Send() of %d bytes: %w", size, err)
		}
	}
})
