package socket_test

import (
	"errors"

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

// notUnix asks a socket of another family for what only AF_UNIX has.
func notUnix(l *lab.Lab) {
	a, _ := tcpPair(l)
	err := a.SendFile([]byte("with a file"), letter(l, "not sent"))
	require.Error(l, err, "SendFile() through a TCP socket: the kernel takes the bytes, drops the descriptor, and says nothing")
	require.ErrorIs(l, err, errors.ErrUnsupported, "SendFile() through a TCP socket")
}
