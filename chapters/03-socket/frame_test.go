package socket_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
	"ipcworkbook/harness/lab"
)

// What the steps share: connections, raw frames, messages to compare.

// listen makes a Listener that is closed when the test ends.
func listen(l *lab.Lab, address string) *socket.Listener {
	s, err := socket.Listen(address)
	require.NoError(l, err, "Listen()")
	l.CloseAtEnd(s)
	lab.CollectGarbage() // closes a file of which only the number was kept
	return s
}

// accept takes the next client.
func accept(l *lab.Lab, s *socket.Listener) *socket.Conn {
	c, err := s.Accept()
	require.NoError(l, err, "Accept()")
	l.CloseAtEnd(c)
	lab.CollectGarbage()
	return c
}

// pair makes two connected sockets.
func pair(l *lab.Lab) (*socket.Conn, *socket.Conn) {
	a, b, err := socket.Pair()
	require.NoError(l, err, "Pair()")
	l.CloseAtEnd(a, b)
	lab.CollectGarbage()
	return a, b
}

// frame is a message as it travels: its length and its bytes.
func frame(message string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...)
}

// write writes all the bytes in one call.
func write(l *lab.Lab, f *os.File, parts ...[]byte) {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	_, err := f.Write(all)
	require.NoError(l, err, "writing raw bytes into the socket")
}

// receiver is a Conn or a PacketConn.
type receiver interface{ Recv() ([]byte, error) }

// expect receives one message and compares it.
func expect(r receiver, want string) error {
	got, err := r.Recv()
	if err != nil {
		return err
	}
	switch {
	case string(got) == want:
		return nil
	case max(len(got), len(want)) > 20: // nobody can read that
		return fmt.Errorf("of the %d bytes that were sent it received: %s", len(want), lab.Difference([]byte(want), got))
	}
	return fmt.Errorf("received %q where %q was sent", got, want)
}

// oneOf returns nil for an error that wraps one of several: all of them are right.
func oneOf(err error, right ...error) error {
	var names []string
	for _, r := range right {
		if errors.Is(err, r) {
			return nil
		}
		names = append(names, r.Error())
	}
	if err == nil {
		return fmt.Errorf("no error where there should be one of: %s", strings.Join(names, ", "))
	}
	return fmt.Errorf("%w, where there should be one of: %s", err, strings.Join(names, ", "))
}

// pattern is a message of n bytes in which no two pages are alike.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return p
}

// sizesUpTo are the sizes of a hundred messages. The first one is not empty.
func sizesUpTo(most int, random *rand.Rand) []int {
	sizes := []int{most}
	for range 99 {
		sizes = append(sizes, random.IntN(most+1))
	}
	return sizes
}

// join writes numbers as a role takes them: "1,2,3".
func join(numbers []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(numbers), "[]"), " ", ",")
}

// rawSocket makes a socket without the package.
func rawSocket(l *lab.Lab, kind int) (int, *os.File) {
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	require.NoError(l, err, "socket()")
	f := os.NewFile(uintptr(fd), "raw socket")
	l.CloseAtEnd(f)
	return fd, f
}

// rawServer listens at a path without the package.
func rawServer(l *lab.Lab, path string, kind, backlog int) (int, *os.File) {
	fd, f := rawSocket(l, kind)
	require.NoError(l, unix.Bind(fd, &unix.SockaddrUnix{Name: path}), "bind()")
	require.NoError(l, unix.Listen(fd, backlog), "listen()")
	return fd, f
}

// fullServer is a raw server with no place in its backlog.
func fullServer(l *lab.Lab, path string) (int, *os.File) {
	fd, f := rawServer(l, path, unix.SOCK_STREAM, 0)
	for {
		client, _ := rawSocket(l, unix.SOCK_STREAM)
		err := unix.Connect(client, &unix.SockaddrUnix{Name: path})
		if err == unix.EAGAIN {
			return fd, f
		}
		require.NoError(l, err, "connect()")
	}
}

// leaveStale leaves the file of a socket that nobody listens on.
func leaveStale(l *lab.Lab, path string) {
	fd, f := rawSocket(l, unix.SOCK_STREAM)
	require.NoError(l, unix.Bind(fd, &unix.SockaddrUnix{Name: path}), "bind()")
	require.NoError(l, f.Close(), "close()")
}

// rawClient connects without the package.
func rawClient(l *lab.Lab, address string) (*os.File, error) {
	fd, f := rawSocket(l, unix.SOCK_STREAM)
	return f, unix.Connect(fd, &unix.SockaddrUnix{Name: address})
}

// answers returns nil if somebody listens at the path. A full backlog says so too.
func answers(l *lab.Lab, path string) error {
	_, err := rawClient(l, path)
	if err == unix.EAGAIN {
		return nil
	}
	return err
}

// rawPair makes two connected sockets without the package.
func rawPair(l *lab.Lab, kind int) (*os.File, *os.File) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	require.NoError(l, err, "socketpair()")
	a, b := os.NewFile(uintptr(fds[0]), "raw socket"), os.NewFile(uintptr(fds[1]), "raw socket")
	l.CloseAtEnd(a, b)
	return a, b
}

// identity tells one file from another one at the same path.
func identity(l *lab.Lab, path string) uint64 {
	var st unix.Stat_t
	require.NoError(l, unix.Lstat(path, &st), "the file at the path")
	return st.Ino
}

// ignoredSignals returns the mask of ignored signals, as /proc shows it.
func ignoredSignals(l *lab.Lab) string {
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(l, err, "reading /proc/self/status")
	for line := range strings.Lines(string(status)) {
		if mask, ok := strings.CutPrefix(line, "SigIgn:\t"); ok {
			return strings.TrimSpace(mask)
		}
	}
	require.Fail(l, "no SigIgn line", "/proc/self/status")
	return ""
}
