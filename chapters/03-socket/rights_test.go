package socket_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
	"ipcworkbook/harness/lab"
)

// Step 10: a descriptor travels with a message (SCM_RIGHTS). It works after its
// file was unlinked and its sender has ended, and it is close-on-exec. None leaks
// that was not asked for, or that came with a message that is refused.
func TestDescriptorTravels(t *testing.T) {
	l := lab.New(t)

	// A file without a name, from a process that is gone.
	a, b := pair(l)
	sender := l.Start(sendsItsFile, lab.HandOver("conn", b), lab.Tell("path", l.Path("letter")))
	require.NoError(l, sender.Wait(), "the sender of a file")
	p, f := recvFile(l, a)
	require.Equal(l, "take this", string(p), "RecvFile(): the message")
	require.NotNil(l, f, "RecvFile(): the file of a message that came with one")
	l.MustBe("RecvFile(): the file", f, lab.RegularFile)
	require.Equal(l, "close-on-exec", l.OnExec(f), "RecvFile(), the file's descriptor: is MSG_CMSG_CLOEXEC given to recvmsg(2)?")
	content, err := io.ReadAll(f)
	require.NoError(l, err, "reading the file that was received")
	require.Equal(l, "the letter", string(content), "content of the file that was received: its name is gone, and its sender too")
	_, err = a.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() when the sender has closed")

	// Each descriptor belongs to its own message.
	a, b = pair(l)
	first, second := letter(l, "first"), letter(l, "second")
	require.NoError(l, a.Send([]byte("none")), "Send()")
	require.NoError(l, a.SendFile([]byte("one"), first), "SendFile()")
	require.NoError(l, a.Send([]byte("none again")), "Send()")
	require.NoError(l, a.SendFile(nil, second), "SendFile() with an empty message")
	require.NoError(l, a.SendFile([]byte("two"), first), "SendFile()")
	require.NoError(l, a.SendFile([]byte("three"), second), "SendFile()")
	require.NoError(l, a.Send([]byte("the last")), "Send()")
	require.NoError(l, first.Close(), "closing the file after SendFile(): the sender's own is still open")
	require.NoError(l, second.Close(), "closing the file after SendFile(): the sender's own is still open")
	var kept [][]byte
	for i, want := range []struct{ message, file string }{
		{"none", ""}, {"one", "first"}, {"none again", ""}, {"", "second"}, {"two", "first"}, {"three", "second"}, {"the last", ""},
	} {
		p, f := recvFile(l, b)
		kept = append(kept, p)
		require.Equal(l, want.message, string(p), "RecvFile() of message %d", i+1)
		got := ""
		if f != nil {
			content := make([]byte, 100)
			n, err := f.ReadAt(content, 0)
			require.ErrorIs(l, err, io.EOF, "reading the file of message %d", i+1)
			got = string(content[:n])
		}
		require.Equal(l, want.file, got, "RecvFile() of message %d, what is in its file (empty for none): did the Recv before it read ahead, by a call that throws descriptors away? Does a descriptor belong to the message that it came with?", i+1)
	}

	require.Equal(l, "none one none again  two three the last", string(bytes.Join(kept, []byte(" "))), "the messages of RecvFile(), after the last of them was received: does every RecvFile use the same buffer?")

	// The end of a pipe travels too, and stays as it was.
	a, b = pair(l)
	r, w, err := os.Pipe()
	require.NoError(l, err, "making a pipe")
	l.CloseAtEnd(r, w)
	before := l.Waits(w)
	require.NoError(l, a.SendFile([]byte("a pipe"), w), "SendFile() of a pipe's write end")
	require.Equal(l, before, l.Waits(w), "the descriptor that was sent: does File.Fd make it blocking for everybody who shares it?")
	_, f = recvFile(l, b)
	require.NotNil(l, f, "RecvFile() of a pipe's write end")
	require.NoError(l, w.Close(), "closing our own copy of the write end")
	write(l, f, []byte("through the pipe"))
	require.NoError(l, f.Close(), "closing the write end that was received")
	content, err = io.ReadAll(r)
	require.NoError(l, err, "reading from the pipe until its end: is a copy of the write end still open in your code?")
	flagsTravel(l, a, b)
	require.Equal(l, "through the pipe", string(content), "what came through a pipe whose write end was received")

	// A message that needs many writes carries its descriptor once.
	a, b = pair(l)
	l.Narrow(a)
	long := 100_001
	sender = l.Start(sendsFileWithMuch, lab.HandOver("conn", a), lab.Give("file", letter(l, "enclosed")), lab.Tell("size", strconv.Itoa(long)))
	sender.Blocks("the message is larger than the socket's buffer")
	sender.Interrupt(1)
	p, f = recvFile(l, b)
	l.SameBytes(pattern(long), p, "RecvFile() of %d bytes: does SendFile go on after a short write?", long)
	require.NotNil(l, f, "RecvFile() of %d bytes: the file", long)
	content, err = io.ReadAll(f)
	require.NoError(l, err, "reading the file of a long message")
	require.Equal(l, "enclosed", string(content), "content of the file that came with a long message")
	p, f = recvFile(l, b)
	require.Equal(l, "after", string(p), "RecvFile() of the message after it")
	require.Nil(l, f, "RecvFile() of the message after it, the file: is the descriptor sent again with every write?")
	require.NoError(l, sender.Wait(), "the sender of a long message")
	ours, theirs := rawPair(l, unix.SOCK_STREAM)
	l.Narrow(ours)
	conn := socket.NewConn(ours)
	l.CloseAtEnd(conn)
	send := l.Call("SendFile() of a message that is larger than the socket's buffer", func() error { return conn.SendFile(pattern(long), letter(l, "once")) })
	whole, came := recvRaw(l, theirs, len(frame(string(pattern(long)))))
	send.Returns(nil)
	l.SameBytes(frame(string(pattern(long))), whole, "the raw frame of SendFile()")
	require.Equal(l, []int{0}, came, "at which bytes of a long frame a descriptor came: is it sent again with what a short write has left?")

	failedSendKeepsNothing(l)
	packetsBringNone(l)

	// What nobody wants is closed at once.
	leaks := func(what, reason string, received int, act func(raw *os.File, b *socket.Conn)) {
		raw, other := rawPair(l, unix.SOCK_STREAM)
		b := socket.NewConn(other)
		l.CloseAtEnd(b)
		act(raw, b)
		require.Equal(l, received, copies(l, raw)-1, "how many of the descriptors that were sent are open after %s: %s", what, reason)
	}
	tooMuch := binary.BigEndian.AppendUint32(nil, 1<<32-1)
	leaks("Recv() of a message that came with a descriptor", "nobody asked for it. Who closes it?", 0, func(raw *os.File, b *socket.Conn) {
		sendRaw(l, raw, frame("unasked"), 1)
		require.NoError(l, expect(b, "unasked"), "Recv() of a message that came with a descriptor")
	})
	leaks("RecvInto() of a message that came with three descriptors", "nobody asked for them. Who closes them?", 0, func(raw *os.File, b *socket.Conn) {
		sendRaw(l, raw, frame("unasked"), 3)
		_, err := b.RecvInto(make([]byte, 100))
		require.NoError(l, err, "RecvInto() of a message that came with three descriptors")
	})
	for _, many := range []int{2, 3, 100} {
		leaks(fmt.Sprintf("RecvFile() of a message that came with %d descriptors", many), "one of them is returned. (In a control buffer for one there is room for two: see CMSG_SPACE in cmsg(3).)", 1, func(raw *os.File, b *socket.Conn) {
			sendRaw(l, raw, frame("too many"), many)
			p, f := recvFile(l, b)
			require.Equal(l, "too many", string(p), "RecvFile() of a message that came with %d descriptors", many)
			require.NotNil(l, f, "RecvFile() of a message that came with %d descriptors: the first one", many)
		})
	}
	for _, name := range []string{"Recv()", "RecvFile()"} {
		call := func(b *socket.Conn) (err error) {
			var f *os.File
			if name == "Recv()" {
				_, err = b.Recv()
			} else {
				_, f, err = b.RecvFile()
			}
			require.Nil(l, f, "%s, the file, with an error: who gets an error looks at no file, and closes none.", name)
			return err
		}
		leaks(name+" of a message that was refused", "its descriptor came with the header. Who closes it?", 0, func(raw *os.File, b *socket.Conn) {
			sendRaw(l, raw, tooMuch, 1)
			require.ErrorIs(l, call(b), socket.ErrTooLarge, "%s of a header that claims 4 GiB", name)
		})
		for _, sent := range []int{1, 2, 3, 4, 6} {
			for _, many := range []int{0, 1} {
				leaks(name+" of a message that was cut", "its descriptor came with the first byte. Who closes it?", 0, func(raw *os.File, b *socket.Conn) {
					sendRaw(l, raw, frame("hello")[:sent], many)
					require.NoError(l, unix.Shutdown(descriptor(l, raw), unix.SHUT_WR), "shutdown()")
					require.ErrorIs(l, call(b), io.ErrUnexpectedEOF, "%s of %d of a frame's 9 bytes", name, sent)
				})
			}
		}
		_, b := rawPair(l, unix.SOCK_STREAM)
		conn := socket.NewConn(b)
		l.CloseAtEnd(conn)
		waits := l.Call(name+" on an end that is closed meanwhile", func() error { return call(conn) })
		waits.Blocks("nothing has been sent")
		require.NoError(l, conn.Close(), "Close()")
		waits.ReturnsAnError()
	}
	raw, other := rawPair(l, unix.SOCK_STREAM)
	c := socket.NewConn(other)
	l.CloseAtEnd(c)
	require.NoError(l, raw.Close(), "closing the other side")
	_, _, err = c.RecvFile()
	require.ErrorIs(l, err, io.EOF, "RecvFile() when the other side has closed")
	leaks("Close() with a message unread that has a descriptor", "perhaps it was read ahead with the message before it. Who closes it?", 0, func(raw *os.File, b *socket.Conn) {
		write(l, raw, frame("before"))
		sendRaw(l, raw, frame("never received"), 1)
		require.NoError(l, expect(b, "before"), "Recv() of the message before it")
		require.NoError(l, b.Close(), "Close()")
	})

	l.RefusesCalls()
	require.NoError(l, l.Start(withoutSecondCalls, lab.Tell("what", "RecvFile()"), lab.Tell("path", "")).Wait(), "RecvFile() where nothing can be made close-on-exec by a second call")

	// A file that is closed cannot be sent, and its message does not go alone.
	a, b = pair(l)
	closed := letter(l, "closed")
	require.NoError(l, closed.Close(), "closing a file")
	require.Error(l, a.SendFile([]byte("without"), closed), "SendFile() of a closed file")
	waiting, err := lab.Waiting(b)
	require.NoError(l, err, "FIONREAD")
	require.Zero(l, waiting, "bytes in the socket after SendFile() of a closed file")
	filesReadAhead(l)
}

// flagsTravel sends an end of a pipe on which a read waits in the kernel.
func flagsTravel(l *lab.Lab, a, b *socket.Conn) {
	var fds [2]int
	require.NoError(l, unix.Pipe2(fds[:], unix.O_CLOEXEC), "making a pipe")
	r, w := os.NewFile(uintptr(fds[0]), "read end"), os.NewFile(uintptr(fds[1]), "write end")
	l.CloseAtEnd(r, w)
	before := l.Waits(r)
	require.NoError(l, a.SendFile([]byte("a pipe"), r), "SendFile() of a pipe's read end")
	_, f := recvFile(l, b)
	require.NotNil(l, f, "RecvFile() of a pipe's read end")
	require.Equal(l, before, l.Waits(r), "the sender's descriptor after RecvFile(): O_NONBLOCK belongs to the open file. Does RecvFile set it, for everybody who shares the file?")
}

// failedSendKeepsNothing sends a file when that cannot be.
func failedSendKeepsNothing(l *lab.Lab) {
	a, b := pair(l)
	f := letter(l, "returned")
	require.NoError(l, b.Close(), "Close() of the other side")
	require.ErrorIs(l, a.SendFile([]byte("late"), f), unix.EPIPE, "SendFile() when the other side has closed")
	require.ErrorIs(l, a.SendFile(make([]byte, socket.MaxMessage+1), f), socket.ErrTooLarge, "SendFile() of MaxMessage+1 bytes")
	require.Equal(l, 1, copies(l, f), "how many descriptors of the file are open after SendFile() has failed: is a copy left that was made for it?")
}

// packetsBringNone receives packets that come with descriptors.
func packetsBringNone(l *lab.Lab) {
	for _, call := range []struct {
		name    string
		receive func(c *socket.PacketConn) ([]byte, error)
	}{
		{"Recv()", (*socket.PacketConn).Recv},
		{"RecvInto()", func(c *socket.PacketConn) ([]byte, error) { return c.RecvInto(make([]byte, 100)) }},
		{"RecvFixed()", func(c *socket.PacketConn) ([]byte, error) {
			buf := make([]byte, 100)
			n, err := c.RecvFixed(buf)
			return buf[:n], err
		}},
	} {
		raw, other := rawPair(l, unix.SOCK_SEQPACKET)
		c := socket.NewPacketConn(other)
		l.CloseAtEnd(c)
		sendRaw(l, raw, []byte("unasked"), 3)
		p, err := call.receive(c)
		require.NoError(l, err, "%s of a packet that came with descriptors", call.name)
		require.Equal(l, "unasked", string(p), "%s of a packet that came with descriptors", call.name)
		require.Equal(l, 1, copies(l, raw), "how many descriptors are open of what came with a packet, with the test's own, after %s: nobody asked for them. Who closes them?", call.name)
	}
}

// recvFile receives a message and perhaps a file, which is closed when the test
// ends.
func recvFile(l *lab.Lab, c *socket.Conn) ([]byte, *os.File) {
	p, f, err := c.RecvFile()
	require.NoError(l, err, "RecvFile()")
	if f != nil {
		l.CloseAtEnd(f)
	}
	lab.CollectGarbage()
	return p, f
}

// letter is an open file with a text in it, and without a name.
func letter(l *lab.Lab, text string) *os.File {
	path := filepath.Join(l.Dir(), text)
	require.NoError(l, os.WriteFile(path, []byte(text), 0o600), "writing a file")
	f, err := os.Open(path)
	require.NoError(l, err, "opening a file")
	l.CloseAtEnd(f)
	require.NoError(l, os.Remove(path), "removing the file's name")
	return f
}

// recvRaw receives so many bytes, and says at which of them a read with a descriptor
// began.
func recvRaw(l *lab.Lab, f *os.File, n int) ([]byte, []int) {
	conn, err := f.SyscallConn()
	require.NoError(l, err, "SyscallConn()")
	all, came := make([]byte, 0, n), []int(nil)
	for len(all) < n {
		control := make([]byte, unix.CmsgSpace(4*253))
		var got, controls int
		var recvErr error
		require.NoError(l, conn.Read(func(fd uintptr) bool {
			got, controls, _, _, recvErr = unix.Recvmsg(int(fd), all[len(all):n], control, unix.MSG_CMSG_CLOEXEC)
			return recvErr != unix.EAGAIN
		}), "waiting for raw bytes")
		require.NoError(l, recvErr, "recvmsg()")
		require.NotZero(l, got, "bytes of a frame that is not whole: did the stream end?")
		messages, err := unix.ParseSocketControlMessage(control[:controls])
		require.NoError(l, err, "control messages")
		for _, m := range messages {
			fds, err := unix.ParseUnixRights(&m)
			require.NoError(l, err, "descriptors")
			for _, fd := range fds {
				unix.Close(fd)
				came = append(came, len(all))
			}
		}
		all = all[:len(all)+got]
	}
	return all, came
}

// copies is how many descriptors this process has of what f is.
func copies(l *lab.Lab, f *os.File) int {
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(l, err, "reading /proc/self/fd")
	n := 0
	for _, e := range entries {
		if target, _ := os.Readlink("/proc/self/fd/" + e.Name()); target == l.Target(f) {
			n++
		}
	}
	return n
}

// sendRaw sends bytes with so many descriptors, all of the socket itself.
func sendRaw(l *lab.Lab, socket *os.File, p []byte, many int) {
	var fds []int
	for range many {
		fds = append(fds, descriptor(l, socket))
	}
	var control []byte
	if many > 0 {
		control = unix.UnixRights(fds...)
	}
	require.NoError(l, unix.Sendmsg(descriptor(l, socket), p, control, nil, 0), "sendmsg()")
}

// descriptor is a descriptor's number, as long as its file is open. File.Fd would
// make it blocking.
func descriptor(l *lab.Lab, f *os.File) int {
	conn, err := f.SyscallConn()
	require.NoError(l, err, "SyscallConn()")
	var n int
	require.NoError(l, conn.Control(func(fd uintptr) { n = int(fd) }), "Control()")
	return n
}

var sendsItsFile = lab.NewRole("sender of a file", func(c *lab.Child) error {
	path := c.Text("path")
	if err := os.WriteFile(path, []byte("the letter"), 0o600); err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	conn := socket.NewConn(c.File("conn"))
	lab.CollectGarbage()
	if err := conn.SendFile([]byte("take this"), f); err != nil {
		return fmt.Errorf("SendFile(): %w", err)
	}
	return errors.Join(os.Remove(path), f.Close(), conn.Close())
})

var sendsFileWithMuch = lab.NewRole("sender of a file with a long message", func(c *lab.Child) error {
	size, err := strconv.Atoi(c.Text("size"))
	if err != nil {
		return err
	}
	conn := socket.NewConn(c.File("conn"))
	if err := conn.SendFile(pattern(size), c.File("file")); err != nil {
		return fmt.Errorf("SendFile(): %w", err)
	}
	if err := conn.Send([]byte("after")); err != nil {
		return fmt.Errorf("Send(): %w", err)
	}
	return conn.Close()
})

// Step 11: the server knows the peer's pid and uid from the kernel (SO_PEERCRED),
// and turns away whom its list of uids does not name.
func TestKernelSaysWhoThePeerIs(t *testing.T) {
	l := lab.New(t)
	path := l.SocketPath("s")
	s := listen(l, path)

	for range 2 {
		client := l.Start(waitsToBeTurnedAway, lab.Tell("path", path))
		c := accept(l, s)
		before := l.Waits(c)
		peer, err := c.Peer()
		require.NoError(l, err, "Peer()")
		require.Equal(l, before, l.Waits(c), "the descriptor after Peer(): is it made blocking, for everybody who shares it? (Fd of a file does that, and of the copy that net.UnixConn.File makes.) Then Close wakes nobody any more.")
		require.Equal(l, socket.Peer{PID: client.PID(), UID: os.Geteuid(), GID: os.Getegid()}, peer, "Peer() of a client in another process: is it the kernel that says so (SO_PEERCRED)?")
		client.Kill()
		again, err := c.Peer()
		require.NoError(l, err, "Peer() when the client is gone")
		require.Equal(l, peer, again, "Peer() when the client is gone: who it was when it connected")
	}

	// The same on the client's side.
	theirs := l.SocketPath("theirs")
	server := l.Start(server, lab.Tell("path", theirs))
	c := dial(l, theirs)
	peer, err := c.Peer()
	require.NoError(l, err, "Peer() of a server")
	require.Equal(l, server.PID(), peer.PID, "Peer() of a server: its pid")
	server.Exit()
	require.NoError(l, c.Close(), "Close()")
	takeFreeNumbers(l)
	peer, err = c.Peer()
	require.Error(l, err, "Peer() after Close(), which returned %+v: is another socket asked, which has the number now? Or is an error dropped? (The uid of an empty Peer is root's.)", peer)

	// Everybody here has one uid. So the lists are those that do not name it.
	stranger := os.Geteuid() + 1
	for _, list := range [][]int{{stranger}, nil, {stranger, stranger + 1}} {
		path := l.SocketPath(fmt.Sprint("for ", len(list)))
		s := listen(l, path)
		call := l.Call(fmt.Sprintf("AcceptFrom(%v) while only uid %d knocks", list, os.Geteuid()), func() error {
			c, err := s.AcceptFrom(list)
			if c != nil {
				c.Close()
			}
			return err
		})
		for range 2 {
			client := l.Start(waitsToBeTurnedAway, lab.Tell("path", path))
			call.Blocks("nobody has knocked whom the list names")
			var end string
			client.Report(&end)
			require.Equal(l, "turned away", end, "what becomes of a client that the list does not name: is its connection closed?")
			require.NoError(l, client.Wait(), "the client that was turned away")
		}
		require.NoError(l, s.Close(), "Close() of the Listener")
		call.ReturnsAnError()
	}

	l.RefusesCalls()
	require.NoError(l, l.Start(knowsNobody, lab.Tell("path", l.SocketPath("unknown"))).Wait(), "AcceptFrom() when the kernel does not say who the client is")

	path = l.SocketPath("for us")
	s = listen(l, path)
	client := l.Start(asks, lab.Tell("path", path))
	c, err = s.AcceptFrom([]int{stranger, os.Geteuid()})
	require.NoError(l, err, "AcceptFrom() when the list names the client")
	l.CloseAtEnd(c)
	require.NoError(l, expect(c, "hello"), "Recv() of what the client sent: was a byte of it read to find out who it is?")
	require.NoError(l, c.Send(bytes.ToUpper([]byte("hello"))), "Send()")
	var answer string
	client.Report(&answer)
	require.Equal(l, "HELLO", answer, "Recv() in the client")
	require.NoError(l, c.Close(), "Close()")
	client.Exit()

	c, _ = tcpPair(l)
	peer, err = c.Peer()
	require.ErrorIs(l, err, errors.ErrUnsupported, "Peer() of a TCP socket, which returned %+v: the kernel knows nobody there, and says so in the uid 4294967295 only", peer)
}

// knowsNobody has a list with root in it, whose uid is that of an empty Peer.
var knowsNobody = lab.NewRole("server that may not ask who is there", func(c *lab.Child) error {
	s, client, err := servesItself(c)
	if err != nil {
		return err
	}
	if err := c.RefuseCall(unix.EACCES, unix.SYS_GETSOCKOPT); err != nil {
		return err
	}
	accepted := make(chan error, 1)
	go func() {
		conn, err := s.AcceptFrom([]int{0})
		if err == nil {
			conn.Close()
		}
		accepted <- err
	}()
	if _, err := client.Recv(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("Recv() of the client: %v, and not io.EOF", err)
	}
	if err := errors.Join(client.Close(), s.Close()); err != nil {
		return fmt.Errorf("Close(): %w", err)
	}
	if <-accepted == nil {
		return errors.New("AcceptFrom() let the client in, and getsockopt(2) had failed: is the error of Peer looked at? The uid of an empty Peer is root's")
	}
	return nil
})

var waitsToBeTurnedAway = lab.NewRole("stranger", func(c *lab.Child) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: c.Text("path")}); err != nil {
		return err
	}
	n, err := unix.Read(fd, make([]byte, 1))
	if n > 0 || err != nil && err != unix.ECONNRESET {
		return fmt.Errorf("read() of a client: %d, %v", n, err)
	}
	c.Report("turned away")
	return nil
})
