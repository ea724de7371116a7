package socket_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
	"ipcworkbook/harness/lab"
)

// Step 3: a message sent in one process arrives in another, and an answer comes
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
	l.RefusesCalls()
	for _, what := range []string{"Pair()", "Accept()", "Dial()"} {
		child := l.Start(withoutSecondCalls, lab.Tell("what", what), lab.Tell("path", l.SocketPath("for "+what)))
		require.NoError(l, child.Wait(), "%s where nothing can be made close-on-exec by a second call", what)
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
	require.NoError(l, a.Send([]byte("hello")), `Send("hello") on a pair whose other end was handed over: does Close of a copy end the connection for all who have one (shutdown)?`)
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

// Step 4: messages keep their boundaries over short reads and writes: in
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
	for _, sent := range []int{0, 2, socket.HeaderSize + 2} { // inside a header, and inside a message
		recv := l.Call("Recv() that a signal interrupts while it waits: does it go on after EINTR?", func() error { return expect(b, "hello") })
		write(l, raw, frame("hello")[:sent])
		recv.Blocks(fmt.Sprintf("%d of the frame's 9 bytes have arrived", sent))
		recv.Interrupt(1)
		write(l, raw, frame("hello")[sent:])
		recv.ReturnsSoon(nil)
	}

	path := l.SocketPath("interrupted")
	s := listen(l, path)
	var accepted *socket.Conn
	accepting := l.Call("Accept() that a signal interrupts while it waits: does it go on after EINTR?", func() (err error) {
		accepted, err = s.Accept()
		return err
	})
	accepting.Blocks("nobody has come")
	accepting.Interrupt(1)
	dial(l, path)
	accepting.ReturnsSoon(nil)
	l.CloseAtEnd(accepted)

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
	belongsToTheCaller(l)
	headersAcrossBuffers(l)
	anyFamily(l)
	handedOverBlocking(l, unix.SOCK_STREAM, func(f *os.File) receiver { return socket.NewConn(f) }, frame)

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
	half := l.Call("Recv() that has half a header when a Send() of 70001 bytes comes: do they share memory for a header?", func() error { return expect(a, "hello") })
	write(l, l.File(b), frame("hello")[:2])
	half.Blocks("2 of the frame's 9 bytes have arrived")
	require.NoError(l, a.Send(pattern(70_001)), "Send() of 70001 bytes")
	write(l, l.File(b), frame("hello")[2:])
	half.ReturnsSoon(nil)
	require.NoError(l, expect(b, string(pattern(70_001))), "Recv() at the other end")
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

// belongsToTheCaller does with a message what a caller may do: keep it, while later ones
// are received, and append to it.
func belongsToTheCaller(l *lab.Lab) {
	a, b := pair(l)
	require.NoError(l, a.Send([]byte("first")), "Send()")
	first, err := b.Recv()
	require.NoError(l, err, "Recv()")
	require.NoError(l, a.Send([]byte("other")), "Send()")
	require.NoError(l, expect(b, "other"), "Recv() of a later message")
	require.Equal(l, "first", string(first), "the first message, after a later one was received: is it a slice of a buffer that Recv reads into?")

	write(l, l.File(a), frame("one"), frame("two"))
	first, err = b.Recv()
	require.NoError(l, err, "Recv()")
	second, err := b.Recv()
	require.NoError(l, err, "Recv()")
	_ = append(first, "and what else the caller has to say"...)
	require.Equal(l, "two", string(second), "the second of two messages, when the caller has appended to the first one: does the capacity of what Recv returns reach into the next message?")
}

// headersAcrossBuffers sends a stream in which a header lies across each place where a
// buffer may end: the first bytes of it are in the buffer, and the others are not.
func headersAcrossBuffers(l *lab.Lab) {
	a, b := pair(l)
	var stream []byte
	var sizes []int
	for i, end := range []int{1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16} {
		size := end - 1 - i%3 - len(stream) - socket.HeaderSize
		sizes = append(sizes, size)
		stream = append(stream, frame(string(pattern(size)))...)
	}
	stream, sizes = append(stream, frame("last")...), append(sizes, len("last"))
	fills := l.Call("write() of a stream", func() error { _, err := l.File(a).Write(stream); return err })
	fills.Returns(nil) // all of it is in the socket, so a read fills the buffer that it has
	for i, size := range sizes {
		want := string(pattern(size))
		if size == len("last") {
			want = "last"
		}
		recv := l.Call(fmt.Sprintf("Recv() of message %d of a stream of %d bytes: are the bytes kept that a buffer has of the next header?", i+1, len(stream)), func() error { return expect(b, want) })
		recv.ReturnsSoon(nil)
	}
}

// tcpPair makes a connection of this machine with itself.
func tcpPair(l *lab.Lab) (a, b *socket.Conn) {
	const needsTCP = "This step needs TCP on 127.0.0.1: %v"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.Unsupported(needsTCP, err)
	}
	l.CloseAtEnd(listener)
	connect := func(c net.Conn, err error) *socket.Conn {
		if err != nil {
			l.Unsupported(needsTCP, err)
		}
		defer c.Close()
		f, err := c.(*net.TCPConn).File()
		require.NoError(l, err, "a copy of a TCP socket")
		conn := socket.NewConn(f)
		l.CloseAtEnd(conn)
		return conn
	}
	a = connect(net.Dial("tcp", listener.Addr().String()))
	b = connect(listener.Accept())
	lab.CollectGarbage()
	return a, b
}

// anyFamily sends through TCP, and back.
func anyFamily(l *lab.Lab) {
	a, b := tcpPair(l)
	const other = "a socket of another family will do too. Is it asked for what only AF_UNIX has?"
	require.NoError(l, a.Send([]byte("hello")), "Send() through a TCP socket: %s", other)
	require.NoError(l, expect(b, "hello"), "Recv() through a TCP socket: %s", other)
	require.NoError(l, b.Send([]byte("HELLO")), "Send() of the answer through a TCP socket: %s", other)
	require.NoError(l, expect(a, "HELLO"), "Recv() of the answer through a TCP socket: %s", other)
	require.NoError(l, a.Close(), "Close() of a TCP socket")
	_, err := b.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() through a TCP socket when the other side has closed")
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

// Step 5: RecvInto receives into memory that the caller brings, and a length that
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

	require.NoError(l, a.Send(nil), "Send(nil)")
	got, err = b.RecvInto(buf)
	require.NoError(l, err, "RecvInto() of an empty message")
	require.NotZero(l, cap(got), "the capacity of what RecvInto() returns for an empty message, with room for %d bytes: is it a part of buf? Who writes buf, err = RecvInto(buf) has lost the memory otherwise.", room)

	require.NoError(l, a.Send([]byte("lent")), "Send()")
	lent, err := b.RecvInto(buf)
	require.NoError(l, err, "RecvInto()")
	require.NoError(l, a.Send([]byte("other")), "Send()")
	require.NoError(l, expect(b, "other"), "Recv() after RecvInto()")
	require.Equal(l, "lent", string(lent), "the caller's memory after a later Recv(): it was lent for one RecvInto(). Is it kept, and used again?")

	// Each message goes where the one before it was.
	const each, size = 20, 16_000 // beside that a call may need some memory of its own
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

	// Four bytes of length would be 5 for it. The memory is only claimed: nobody touches it.
	const huge = 1<<32 + 5
	p, err := unix.Mmap(-1, 0, huge, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if err == nil {
		a, _ := pair(l)
		l.Call(fmt.Sprintf("Send() of %d bytes: is there a limit, and is the length compared before it is made a number of 32 bits?", huge), func() error { return a.Send(p) }).ReturnsSoon(socket.ErrTooLarge)
		require.NoError(l, unix.Munmap(p), "munmap()")
	}

	a, b = pair(l)
	send := l.Call("Send() of MaxMessage+1 bytes: is the length checked before anything is written?", func() error { return a.Send(make([]byte, socket.MaxMessage+1)) })
	send.ReturnsSoon(socket.ErrTooLarge)
	waiting, err := lab.Waiting(b)
	require.NoError(l, err, "FIONREAD")
	require.Zero(l, waiting, "bytes in the socket after a message was refused: is the length checked before the header goes out?")
	memoryOfItsOwn(l)
}

// handedOverBlocking receives on ends whose descriptors block, as another program may have made them.
func handedOverBlocking(l *lab.Lab, kind int, make func(f *os.File) receiver, packet func(string) []byte) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	require.NoError(l, err, "socketpair()")
	raw := os.NewFile(uintptr(fds[0]), "raw")
	c := make(os.NewFile(uintptr(fds[1]), "blocking"))
	l.CloseAtEnd(raw)
	if end, ok := c.(interface{ Close() error }); ok {
		l.CloseAtEnd(end)
	}
	recv := l.Call("Recv() on a socket that was handed over, and that blocks (without O_NONBLOCK)", func() error { return expect(c, "hello") })
	recv.Blocks("nothing has been sent")
	write(l, raw, packet("hello"))
	recv.Returns(nil)
}

// memoryOfItsOwn appends to what RecvInto returned where the caller's memory was too small.
func memoryOfItsOwn(l *lab.Lab) {
	a, b := pair(l)
	require.NoError(l, errors.Join(a.Send([]byte("first")), a.Send([]byte("other"))), "Send()")
	first, err := b.RecvInto(make([]byte, 1))
	require.NoError(l, err, "RecvInto() of a message that is longer than the caller's memory")
	other, err := b.RecvInto(make([]byte, 1))
	require.NoError(l, err, "RecvInto() of a message that is longer than the caller's memory")
	_ = append(first, "and what else the caller has to say"...)
	require.Equal(l, "other", string(other), "the second of two messages that were longer than the caller's memory, when the caller has appended to the first one: does the capacity of what RecvInto() returns reach into the next message?")
}
