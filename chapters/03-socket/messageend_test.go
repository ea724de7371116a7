package socket_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
	"ipcworkbook/harness/lab"
)

// Step 6: after CloseWrite the peer reads io.EOF, and can still answer.
func TestPeerCanAnswerAfterCloseWrite(t *testing.T) {
	l := lab.New(t)
	a, b := pair(l)
	peer := l.Start(countsUntilTheEnd, lab.HandOver("conn", b))
	copied := l.Start(holdsACopy, lab.Give("conn", a))
	for range 3 {
		require.NoError(l, a.Send(pattern(1000)), "Send()")
	}
	peer.Blocks("there may be more to come")
	before := l.Waits(a)
	require.NoError(l, a.CloseWrite(), "CloseWrite()")
	l.Call("Recv() of the answer after CloseWrite(): does CloseWrite end this direction (shutdown(2), SHUT_WR), and no other? Closing a copy of the descriptor ends none.", func() error { return expect(a, "3 messages") }).ReturnsSoon(nil)
	require.Equal(l, before, l.Waits(a), "the descriptor after CloseWrite(): is it made blocking, for everybody who shares it? (Fd of a file does that, and of the copy that net.UnixConn.File makes.)")
	require.NoError(l, expect(a, "and the end"), "Recv() of the second answer")
	require.ErrorIs(l, a.Send([]byte("late")), unix.EPIPE, "Send() after CloseWrite()")
	peer.Exit()
	copied.Exit()
	_, err := a.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() when the peer has closed too")
	_, err = a.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() once more: the end stays the end")

	// After Close the number may be another socket's.
	a, _ = pair(l)
	require.NoError(l, a.Close(), "Close()")
	others := takeFreeNumbers(l)
	err = a.CloseWrite()
	for _, f := range others {
		_, writeErr := f.WriteString("x")
		require.NoError(l, writeErr, "write() to a socket that was made between Close() and CloseWrite(): it has the number of the one that was closed. Was that number given to shutdown(2)?")
	}
	require.Error(l, err, "CloseWrite() after Close()")
	a, _ = pair(l)
	require.NoError(l, a.CloseWrite(), "CloseWrite()")
	require.NoError(l, a.Close(), "Close()")
	require.Error(l, a.CloseWrite(), "CloseWrite() after Close(), and after a CloseWrite() that went well: is its answer kept?")
}

// takeFreeNumbers makes sockets, which get the lowest numbers that are free.
func takeFreeNumbers(l *lab.Lab) []*os.File {
	var others []*os.File
	for range 4 {
		a, b := rawPair(l, unix.SOCK_STREAM)
		others = append(others, a, b)
	}
	return others
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

// Step 7: a peer that is killed never makes a hang. Inside a message Recv returns
// io.ErrUnexpectedEOF or ECONNRESET, between messages io.EOF or ECONNRESET. Sending
// gives EPIPE or ECONNRESET, and the signal's disposition is left alone. Close wakes
// who waits.
func TestKilledPeerNeverMakesAHang(t *testing.T) {
	l := lab.New(t)
	before := ignoredSignals(l)
	const cut = "does Recv tell a frame that was cut from a whole one, and from a clean end between two frames?"
	const reset = "the peer had not read everything, and the kernel says so (ECONNRESET). Is that error passed on?"

	whole := frame("hello")
	for _, unread := range []string{"", "the victim never reads this"} {
		for _, sent := range []int{0, 1, socket.HeaderSize, socket.HeaderSize + 2} {
			right, reason := io.ErrUnexpectedEOF, cut
			if sent == 0 {
				right = io.EOF
			}
			if unread != "" {
				right, reason = unix.ECONNRESET, reset
			}
			a, b := pair(l)
			victim := l.Start(writesRaw, lab.HandOver("conn", b), lab.Tell("bytes", string(whole[:sent])))
			var written int
			victim.Report(&written)
			require.Equal(l, sent, written, "what the victim wrote")
			if unread != "" {
				require.NoError(l, a.Send([]byte(unread)), "Send() to the victim, which does not read")
			}
			recv := l.Call(fmt.Sprintf("Recv() of %d of a frame's %d bytes: %s", sent, len(whole), reason), func() error {
				_, err := a.Recv()
				return err
			})
			recv.Blocks("the message is not whole and the peer lives")
			victim.Kill()
			recv.ReturnsSoon(right)
			require.NoError(l, oneOf(a.Send([]byte("hello")), unix.EPIPE, unix.ECONNRESET), "Send() to a peer that was killed")
		}
	}

	// What came before the reset is received.
	a, b := pair(l)
	victim := l.Start(writesRaw, lab.HandOver("conn", b), lab.Tell("bytes", string(frame("answer"))))
	var written int
	victim.Report(&written)
	require.NoError(l, a.Send([]byte("the victim never reads this")), "Send() to the victim, which does not read")
	victim.Kill()
	require.NoError(l, expect(a, "answer"), "Recv() of an answer, when its sender was killed and had not read everything: ECONNRESET comes behind the answer. Is what has come thrown away because of it?")
	_, err := a.Recv()
	require.ErrorIs(l, err, unix.ECONNRESET, "Recv() behind that answer: %s", reset)

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
			return oneOf(err, io.ErrUnexpectedEOF, unix.ECONNRESET)
		})
		recv.Returns(nil)
	}

	// Killed while we wait for room in its queue.
	a, b = pair(l)
	victim = l.Start(writesRaw, lab.HandOver("conn", b), lab.Tell("bytes", ""))
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
		recv := l.Call("Recv() on an end "+name+" that is closed meanwhile: "+stillWaits, func() error { _, err := conn.Recv(); return err })
		recv.Blocks("nothing has been sent")
		l.Call("Close() of an end "+name+" while a Recv() waits: "+closeWaits, conn.Close).ReturnsSoon(nil)
		recv.FailsSoon()
	}
	a, _ = pair(l)
	send = l.Call("Send() on an end that is closed meanwhile: "+stillWaits, func() error { return a.Send(pattern(socket.MaxMessage)) })
	send.Blocks("nobody reads, and the buffer is full")
	l.Call("Close() while a Send() waits: "+closeWaits, a.Close).ReturnsSoon(nil)
	send.FailsSoon()
	a, _ = pair(l)
	closesTwice(l, a)
	require.Equal(l, before, ignoredSignals(l), "the ignored signals of this process (SigIgn): does the package ignore SIGPIPE for the whole program?")
}

// stillWaits is why a call does not notice that its descriptor is closed.
const stillWaits = "does the socket block? Who waits in the kernel then is not woken by Close. With SOCK_NONBLOCK when it is made, the runtime waits, and Close wakes."

const closeWaits = "does it wait for that call? If the socket blocks, nobody wakes it: was it made without SOCK_NONBLOCK, or has File.Fd made it so?"

// closesTwice closes an end once more when others have got its number.
func closesTwice(l *lab.Lab, end interface{ Close() error }) {
	require.NoError(l, end.Close(), "Close()")
	var others []*os.File
	for range 4 { // the lowest numbers that are free
		r, w, err := os.Pipe()
		require.NoError(l, err, "making a pipe")
		l.CloseAtEnd(r, w)
		others = append(others, r, w)
	}
	end.Close()
	for _, f := range others {
		_, err := f.Stat()
		require.True(l, err == nil, "a file is still open that was opened between Close() and a second Close(): it has the number of the one that was closed. Was that number closed again?")
	}
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
