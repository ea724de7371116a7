package socket_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
	"ipcworkbook/harness/lab"
)

// The end of step 10: a read may bring several messages at once, and files of some of them.
func filesReadAhead(l *lab.Lab) {
	a, b := pair(l)
	require.NoError(l, a.Send([]byte("plain")), "Send()")
	require.NoError(l, a.SendFile([]byte("with a file"), letter(l, "read ahead")), "SendFile()")
	require.NoError(l, expect(b, "plain"), "Recv() of a message before one with a file")
	p, f := recvFile(l, b)
	require.Equal(l, "with a file", string(p), "RecvFile() after a Recv()")
	require.NotNil(l, f, "RecvFile() after a Recv(), the file: has the Recv() read ahead, and closed what belongs to a later message?")

	// Of several descriptors the first one is it.
	raw, other := rawPair(l, unix.SOCK_STREAM)
	c := socket.NewConn(other)
	l.CloseAtEnd(c)
	first, second := letter(l, "the first"), letter(l, "the second")
	require.NoError(l, unix.Sendmsg(descriptor(l, raw), frame("two"), unix.UnixRights(descriptor(l, first), descriptor(l, second)), nil, 0), "sendmsg()")
	_, f = recvFile(l, c)
	require.NotNil(l, f, "RecvFile() of a message that came with two descriptors")
	require.Equal(l, l.Target(first), l.Target(f), "the file of RecvFile(), of two descriptors that came: the first one")

	// A file that came before Close is closed, and nobody says that there was none.
	a, b = pair(l)
	require.NoError(l, a.Send([]byte("plain")), "Send()")
	require.NoError(l, a.SendFile([]byte("with a file"), letter(l, "closed")), "SendFile()")
	require.NoError(l, expect(b, "plain"), "Recv() of a message before one with a file")
	require.NoError(l, b.Close(), "Close()")
	p, f, err := b.RecvFile()
	require.Error(l, err, "RecvFile() after Close(), which returned %q and the file %v: the message came with a file, which Close() has closed", p, f)

	notUnix(l)
}

// readsAheadWithoutDescriptors has no descriptor for the second of two messages, and none for a
// message that needs several reads.
var readsAheadWithoutDescriptors = lab.NewRole("receiver without a descriptor, which reads ahead", func(c *lab.Child) error {
	a, b, err := socket.Pair()
	if err != nil {
		return fmt.Errorf("Pair(): %w", err)
	}
	r, _, err := os.Pipe()
	if err != nil {
		return err
	}
	large := pattern(600_000)
	sent := make(chan error, 1)
	if err := errors.Join(a.Send([]byte("plain")), a.SendFile([]byte("with a file"), r)); err != nil {
		return fmt.Errorf("Send() and SendFile(): %w", err)
	}
	lack, err := noDescriptorLeft()
	if err != nil {
		return err
	}
	p, f, err := b.RecvFile()
	if err != nil || f != nil || string(p) != "plain" {
		return fmt.Errorf("RecvFile() of a message without a file returned %q, the file %v and the error %v: the next message's file found no descriptor. Is that taken for this one's?", p, f, err)
	}
	if _, _, err = b.RecvFile(); !errors.Is(err, unix.EMFILE) {
		return fmt.Errorf("RecvFile() of the message whose file found no descriptor: expected EMFILE, and got: %v", err)
	}
	go func() { sent <- a.SendFile(large, r) }()
	p, f, err = b.RecvFile()
	if !errors.Is(err, unix.EMFILE) {
		return fmt.Errorf("RecvFile() of a message of %d bytes, whose file found no descriptor, returned %d bytes, the file %v and the error %v, where EMFILE is expected. The kernel says it with the first bytes only (MSG_CTRUNC): is that remembered until the message is whole?", len(large), len(p), f, err)
	}
	if err := <-sent; err != nil {
		return fmt.Errorf("SendFile(): %w", err)
	}
	return errors.Join(lack.end(), a.Close(), b.Close())
})

// notUnix asks a socket of another family for what only AF_UNIX has.
func notUnix(l *lab.Lab) {
	a, _ := tcpPair(l)
	err := a.SendFile([]byte("with a file"), letter(l, "not sent"))
	require.Error(l, err, "SendFile() through a TCP socket: the kernel takes the bytes, drops the descriptor, and says nothing")
	require.ErrorIs(l, err, errors.ErrUnsupported, "SendFile() through a TCP socket")
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

// contextsOfDial are the end of step 2.
func contextsOfDial(l *lab.Lab) {
	path := l.SocketPath("contexts")
	listen(l, path)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	dialCall(l, ctx, "Dial() to a server that lives, with a context that has ended already: is it looked at before the first try?", path).ReturnsSoon(context.Canceled)
	lacking := l.Start(dialsWithoutDescriptors, lab.Tell("path", path))
	l.Call("Dial() in a process that has no descriptor left: EMFILE does not pass by itself", lacking.Wait).ReturnsSoon(nil)
}

var dialsWithoutDescriptors = lab.NewRole("client without a descriptor", func(c *lab.Child) error {
	r, w, err := os.Pipe() // Go makes its own descriptors with the first file
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	lack, err := noDescriptorLeft()
	if err != nil {
		return err
	}
	if _, err := socket.Dial(context.Background(), c.Text("path")); !errors.Is(err, unix.EMFILE) {
		return fmt.Errorf("Dial() in a process that has no descriptor left: expected EMFILE, and got: %v", err)
	}
	return lack.end()
})

// bytesAreCounted is the end of step 12: a letter may have more than one byte, and both sides name the limit.
func bytesAreCounted(l *lab.Lab) {
	folder := l.Dir()
	room := socket.MaxPath + 1 - len(folder)
	long := folder + "/" + strings.Repeat("é", room/2+1)
	s, err := socket.Listen(long)
	if err == nil { // there are ways, as above
		require.NoError(l, s.Close(), "Close()")
		return
	}
	require.ErrorIs(l, err, unix.ENAMETOOLONG, "Listen() at a path of %d letters and %d bytes: the kernel counts bytes", len([]rune(long)), len(long))
	_, err = socket.Dial(context.Background(), long)
	require.ErrorIs(l, err, unix.ENAMETOOLONG, "Dial() to a path of %d letters and %d bytes", len([]rune(long)), len(long))
	require.ErrorContains(l, err, fmt.Sprint(socket.MaxPath), "Dial() to a path of %d bytes: the text names the limit, as in Listen()", len(long))
}
