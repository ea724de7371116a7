package explain_test

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/explain/testdata/chapter"
	"ipcworkbook/harness/step/procfs"
)

// explainSockets is explains for programs that open descriptors themselves: their
// numbers differ from machine to machine.
func explainSockets(t *testing.T, name string, children ...*child) explain.Explanation {
	t.Helper()
	hang(t, children...)
	return explainSocketsRead(t, name, read(t, children...), children...)
}

// readIn reads a process at a moment in which it is in that call. The runtime's
// monitor interrupts a raw system call that blocks every 10 ms.
//
// What is read first may be of a process that has not started yet. Only what is
// read when it was seen in the call counts.
func readIn(t *testing.T, c *child, call string) (ps []procfs.Process) {
	inCallOf(t, c, call)
	eventually(t, "it is in "+call+" once more", func() bool {
		ps = read(t, c)
		return isIn(ps[0], call)
	})
	return ps
}

func explainSocketsRead(t *testing.T, name string, ps []procfs.Process, children ...*child) explain.Explanation {
	t.Helper()
	e := explained(explain.Case{
		Processes: ps,
		Dumps:     dumps(t, ps, false, children...),
		Folder:    chapterFolder,
		After:     2 * time.Second,
	})
	golden(t, "socket-"+name, socketNormal(e.Text))
	if t.Failed() {
		for _, c := range children {
			t.Logf("dump of %d:\n%s", c.PID(), c.Stderr.Bytes())
		}
	}
	return e
}

// explainDeaf is explainSockets for programs that give no dump.
func explainDeaf(t *testing.T, name string, children ...*child) {
	t.Helper()
	hang(t, children...)
	e := explained(explain.Case{Processes: read(t, children...), Folder: chapterFolder, After: time.Second})
	golden(t, "socket-"+name, socketNormal(e.Text))
}

var (
	socketPattern   = regexp.MustCompile(`socket:\[(\d+)\]`)
	socketPath      = regexp.MustCompile(`/\S*/(\w+\.sock)`)
	abstractPattern = regexp.MustCompile(`@\w+`)
	portPattern     = regexp.MustCompile(`127\.0\.0\.1:(\d+)`)
	openedPattern   = regexp.MustCompile(`fd ([5-9]|\d{2,})\b`)
	fullPattern     = regexp.MustCompile(`\d{5,} bytes`)
	columnPattern   = regexp.MustCompile(` +<- itself`)
)

func socketNormal(s string) string {
	s = socketPath.ReplaceAllString(s, "…/$1")
	s = abstractPattern.ReplaceAllString(s, "@name")
	s = numbered(s, socketPattern, "socket:[%d]")
	s = numbered(s, portPattern, "127.0.0.1:%d")
	s = fullPattern.ReplaceAllString(s, "N bytes") // it depends on the kernel
	s = columnPattern.ReplaceAllString(s, "  <- itself")
	return openedPattern.ReplaceAllString(s, "fd N")
}

// Programs that make their sockets themselves. SOCK is where.

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func network() string {
	if strings.HasPrefix(os.Getenv("SOCK"), "127.") {
		return "tcp"
	}
	return "unix"
}

func listen() net.Listener { return must(net.Listen(network(), os.Getenv("SOCK"))) }
func dial() net.Conn       { return must(net.Dial(network(), os.Getenv("SOCK"))) }

// conn is the handed over descriptor 3 as Go has it, with no copy left.
func conn() net.Conn {
	f := os.NewFile(3, "socket")
	defer f.Close()
	return must(net.FileConn(f))
}

var (
	accept     = helper("accept", func() { chapter.Accept(listen()) })
	serve      = helper("serve", func() { chapter.Serve(listen()) })
	rawAccept  = helper("raw accept", func() { chapter.RawAccept(3) })
	bareAccept = helper("bare accept", func() { chapter.BareAccept(3) })
	rawConnect = helper("raw connect", func() {
		fd := must(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))
		chapter.RawConnect(fd, os.Getenv("SOCK"))
	})
	dialOnly    = helper("dial", func() { chapter.Dial(network(), os.Getenv("SOCK")) })
	dialAndRead = helper("dial and read", func() { chapter.ReadConn(dial()) })
	ask         = helper("ask", func() { chapter.Ask(dial()) })
	answer      = helper("answer", func() { chapter.Answer(must(listen().Accept())) })
	readConn    = helper("read conn", func() { chapter.ReadConn(conn()) })
	writeConn   = helper("write conn", func() { chapter.WriteConn(conn()) })
	rawReceive  = helper("raw receive", func() { chapter.RawReceive(3) })
	flood       = helper("flood", func() { chapter.Flood(3) })
	floodTo     = helper("flood to", func() { chapter.FloodTo(3, os.Getenv("SOCK")) })
	rawWrite    = helper("raw write", func() { chapter.RawSend(3, 10_000_000) })
	receiveFrom = helper("receive from", func() {
		chapter.ReceiveFrom(must(net.ListenPacket("unixgram", os.Getenv("SOCK"))))
	})
	receiveUDP = helper("receive udp", func() { chapter.ReceiveFrom(must(net.ListenPacket("udp", os.Getenv("SOCK")))) })
)

// sockPath is where a socket file is going to be.
func sockPath(t *testing.T, name string) (path string, env []string) {
	path = filepath.Join(t.TempDir(), name+".sock")
	return path, []string{"SOCK=" + path}
}

// isThere waits until the server waits for clients. The file alone does not tell:
// bind(2) makes it, and before listen(2) a client is refused.
func isThere(t *testing.T, path string, server *child) {
	eventually(t, "the server has made "+path, func() bool {
		_, err := os.Stat(path)
		return err == nil
	})
	hang(t, server)
}

// listenAt makes a listening socket with blocking calls.
func listenAt(t *testing.T, path string, backlog int) int {
	fd := bound(t, unix.SOCK_STREAM, path)
	require.NoError(t, unix.Listen(fd, backlog))
	return fd
}

func bound(t *testing.T, kind int, path string) int {
	fd := newSocket(t, kind)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	return fd
}

func newSocket(t *testing.T, kind int) int {
	fd, err := unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func socketPair(t *testing.T, kind int) (a, b int) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

// idleWith starts a process that has the descriptors from 4 on, and does nothing.
func idleWith(t *testing.T, role string, fds ...int) *child {
	return start(t, role, waitWord, []string{"IPC_CONTROL=3"}, append([]int{control(t)}, fds...)...)
}
