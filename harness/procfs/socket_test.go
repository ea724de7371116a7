package procfs_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/procfs"
	"ipcworkbook/harness/procfs/testdata/chapter"
)

// explainSockets is explain for programs that open descriptors themselves: their
// numbers differ from machine to machine.
func explainSockets(t *testing.T, name string, children ...*child) procfs.Explanation {
	t.Helper()
	hang(t, children...)
	return explainSocketsRead(t, name, read(t, children...), children...)
}

// readIn reads a process at a moment in which it is in that call. The runtime's
// monitor wakes up a thread in a bare system call every 10 ms.
func readIn(t *testing.T, c *child, call string) (ps []procfs.Process) {
	eventually(t, "it is in "+call, func() bool {
		ps = read(t, c)
		return slices.ContainsFunc(ps[0].Threads, func(t procfs.Thread) bool {
			return t.Syscall == call && t.State == 'S'
		})
	})
	return ps
}

func explainSocketsRead(t *testing.T, name string, ps []procfs.Process, children ...*child) procfs.Explanation {
	t.Helper()
	e := procfs.Explain(procfs.Case{
		Processes: ps,
		Dumps:     dumps(t, ps, false, children...),
		Folder:    chapterFolder,
		After:     2 * time.Second,
	})
	golden(t, "socket-"+name, socketNormal(e.Text))
	if t.Failed() {
		for _, c := range children {
			t.Logf("dump of %d:\n%s", c.pid(), c.stderr.Bytes())
		}
	}
	return e
}

// explainDeaf is explainSockets for programs that give no dump.
func explainDeaf(t *testing.T, name string, children ...*child) {
	t.Helper()
	hang(t, children...)
	e := procfs.Explain(procfs.Case{Processes: read(t, children...), Folder: chapterFolder, After: time.Second})
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
	s = socketPath.ReplaceAllString(s, "/tmp/$1")
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

// isThere waits until the server has bound its socket.
func isThere(t *testing.T, path string) {
	eventually(t, "the server has made "+path, func() bool {
		_, err := os.Stat(path)
		return err == nil
	})
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

func TestSocketAcceptWithoutAClient(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		for name, by := range map[string]string{"raw": rawAccept, "poller": accept} {
			env, suffix, check := []string{}, "", func(t *testing.T, name string, c ...*child) { explainSockets(t, name, c...) }
			if deaf {
				env, suffix, check = []string{"PROCFS_DEAF=1"}, "-deaf", explainDeaf
			}
			t.Run(name+suffix, func(t *testing.T) {
				path, sock := sockPath(t, "a")
				var fds []int
				if by == rawAccept {
					fds = []int{listenAt(t, path, 5)}
				}
				server := start(t, "server", by, append(env, sock...), fds...)
				closeNow(t, fds...)
				isThere(t, path)
				check(t, "accept-"+name+suffix, server)
			})
		}
	}
}

func TestSocketAcceptInABareSystemCall(t *testing.T) {
	path, _ := sockPath(t, "a")
	l := listenAt(t, path, 5)
	server := start(t, "server", bareAccept, nil, l)
	closeNow(t, l)
	explainSocketsRead(t, "accept-bare", readIn(t, server, "accept4"), server)
}

func TestSocketAcceptOfAnAbstractNameAndOfTCP(t *testing.T) {
	for name, at := range map[string]string{"abstract": "@procfs" + filepath.Base(t.TempDir()), "tcp": "127.0.0.1:0"} {
		t.Run(name, func(t *testing.T) {
			explainSockets(t, "accept-"+name, start(t, "server", accept, []string{"SOCK=" + at}))
		})
	}
}

func TestSocketAcceptWhereTheFileIsGone(t *testing.T) {
	path, env := sockPath(t, "a")
	server := start(t, "server", accept, env)
	isThere(t, path)
	require.NoError(t, os.Remove(path))
	explainSockets(t, "accept-gone", server)
}

func TestSocketAcceptWhereTheFileBelongsToAnotherServer(t *testing.T) {
	path, env := sockPath(t, "a")
	older := start(t, "older", serve, env)
	isThere(t, path)
	client := start(t, "client", dialAndRead, env)
	hang(t, older, client) // it is connected
	require.NoError(t, os.Remove(path))
	newer := start(t, "newer", accept, env)
	isThere(t, path)
	explainSockets(t, "accept-taken", older, newer, client)
}

func TestSocketAcceptWhereTheClientIsConnectedElsewhere(t *testing.T) {
	path, env := sockPath(t, "a")
	other, otherEnv := sockPath(t, "b")
	server := start(t, "server", accept, env)
	elsewhere := start(t, "elsewhere", answer, otherEnv)
	isThere(t, path)
	isThere(t, other)
	client := start(t, "client", ask, otherEnv)
	explainSockets(t, "accept-elsewhere", server, client, elsewhere)
}

func TestSocketAcceptOfASecondClientWhereThereIsOne(t *testing.T) {
	path, env := sockPath(t, "a")
	server := start(t, "server", serve, env)
	isThere(t, path)
	client := start(t, "client", dialAndRead, env)
	explainSockets(t, "accept-again", server, client)
}

func TestSocketConnectIntoAFullBacklog(t *testing.T) {
	path, env := sockPath(t, "a")
	l := listenAt(t, path, 1)
	for range 2 {
		fd := newSocket(t, unix.SOCK_STREAM)
		require.NoError(t, unix.Connect(fd, &unix.SockaddrUnix{Name: path}))
	}
	client := start(t, "client", rawConnect, env)
	server := idleWith(t, "server", l)
	closeNow(t, l)
	explainSockets(t, "connect", client, server)
}

func TestSocketConnectWithoutADump(t *testing.T) {
	path, env := sockPath(t, "a")
	l := listenAt(t, path, 0)
	require.NoError(t, unix.Connect(newSocket(t, unix.SOCK_STREAM), &unix.SockaddrUnix{Name: path}))
	client := start(t, "client", rawConnect, append(env, "PROCFS_DEAF=1"), l)
	closeNow(t, l)
	explainDeaf(t, "connect-deaf", client)
}

func TestSocketConnectIntoAFullQueueOfTCP(t *testing.T) {
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(l) })
	require.NoError(t, unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(l, 0))
	name, err := unix.Getsockname(l)
	require.NoError(t, err)
	addr := fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
	first, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer first.Close()
	client := start(t, "client", dialOnly, []string{"SOCK=" + addr})
	server := idleWith(t, "server", l)
	closeNow(t, l)
	explainSockets(t, "connect-tcp", client, server)
}

func TestSocketReadOfAConnectionThatNobodyAccepted(t *testing.T) {
	path, env := sockPath(t, "a")
	l := listenAt(t, path, 5)
	client := start(t, "client", ask, env)
	server := idleWith(t, "server", l)
	closeNow(t, l)
	explainSockets(t, "read-queued", client, server)
}

// freePort is the port of a server that just ended.
func freePort(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func TestSocketReadOfBothBecauseCloseWriteIsForgotten(t *testing.T) {
	for _, name := range []string{"unix", "tcp"} {
		t.Run(name, func(t *testing.T) {
			path, env := sockPath(t, "a")
			server := ""
			if name == "tcp" {
				server = freePort(t)
				env = []string{"SOCK=" + server}
			}
			s := start(t, "server", answer, env)
			if name == "unix" {
				isThere(t, path)
			} else {
				hang(t, s)
			}
			client := start(t, "client", ask, env)
			explainSockets(t, "ring-read-"+name, client, s)
		})
	}
}

func TestSocketReadOfASocketPair(t *testing.T) {
	for name, by := range map[string]string{"raw": rawRecv, "poller": readConn, "poll": rawPoll} {
		t.Run(name, func(t *testing.T) {
			a, b := socketPair(t, unix.SOCK_STREAM)
			consumer := start(t, "consumer", by, nil, a)
			producer := idleWith(t, "producer", b)
			closeNow(t, a, b)
			explainSockets(t, "read-"+name, consumer, producer)
		})
	}
}

func TestSocketReadOfASocketPairWithoutADump(t *testing.T) {
	for name, by := range map[string]string{"raw": rawRecv, "poller": readConn} {
		t.Run(name, func(t *testing.T) {
			a, b := socketPair(t, unix.SOCK_STREAM)
			consumer := start(t, "consumer", by, []string{"PROCFS_DEAF=1"}, a)
			producer := idleWith(t, "producer", b)
			closeNow(t, a, b)
			explainDeaf(t, "read-deaf-"+name, consumer, producer)
		})
	}
}

func TestSocketReadOfASocketPairOfWhichThereAreCopies(t *testing.T) {
	for _, name := range []string{"itself", "third"} {
		t.Run(name, func(t *testing.T) {
			a, b := socketPair(t, unix.SOCK_STREAM)
			_, err := unix.Write(a, []byte("hello"))
			require.NoError(t, err)
			fds := []int{a, b}
			others := []*child{}
			if name == "third" {
				fds = fds[:1]
				others = []*child{idleWith(t, "producer", b), idleWith(t, "sibling", b)}
			}
			consumer := start(t, "consumer", rawRecv, nil, fds...)
			closeNow(t, a, b)
			explainSockets(t, "read-"+name, append([]*child{consumer}, others...)...)
		})
	}
}

func TestSocketWriteIntoFullBuffers(t *testing.T) {
	for name, by := range map[string]string{"raw": rawWrite, "poller": writeConn} {
		t.Run(name, func(t *testing.T) {
			a, b := socketPair(t, unix.SOCK_STREAM)
			producer := start(t, "producer", by, nil, a)
			consumer := idleWith(t, "consumer", b)
			closeNow(t, a, b)
			explainSockets(t, "write-"+name, producer, consumer)
		})
	}
}

func TestSocketWriteWithoutADump(t *testing.T) {
	a, b := socketPair(t, unix.SOCK_STREAM)
	producer := start(t, "producer", writeConn, []string{"PROCFS_DEAF=1"}, a)
	consumer := idleWith(t, "consumer", b)
	closeNow(t, a, b)
	explainDeaf(t, "write-deaf", producer, consumer)
}

func TestSocketReadOfTCPThatNobodyAccepted(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	require.NoError(t, err)
	defer f.Close()
	client := start(t, "client", ask, []string{"SOCK=" + l.Addr().String()})
	server := idleWith(t, "server", int(f.Fd()))
	l.Close()
	f.Close()
	explainSockets(t, "read-queued-tcp", client, server)
}

func TestSocketTwoWritersOfASocketPair(t *testing.T) {
	a, b := socketPair(t, unix.SOCK_STREAM)
	left := start(t, "left", rawWrite, nil, a)
	right := start(t, "right", writeConn, nil, b)
	closeNow(t, a, b)
	explainSockets(t, "ring-write", left, right)
}

func TestSocketReceiveWhereNobodySends(t *testing.T) {
	t.Run("seqpacket", func(t *testing.T) {
		a, b := socketPair(t, unix.SOCK_SEQPACKET)
		consumer := start(t, "consumer", rawReceive, nil, a)
		producer := idleWith(t, "producer", b)
		closeNow(t, a, b)
		explainSockets(t, "seqpacket", consumer, producer)
	})
	t.Run("pair", func(t *testing.T) {
		a, b := socketPair(t, unix.SOCK_DGRAM)
		consumer := start(t, "consumer", rawReceive, nil, a)
		producer := idleWith(t, "producer", b)
		closeNow(t, a, b)
		explainSockets(t, "datagram-pair", consumer, producer)
	})
	t.Run("closed", func(t *testing.T) {
		a, b := socketPair(t, unix.SOCK_DGRAM)
		consumer := start(t, "consumer", rawReceive, nil, a)
		closeNow(t, a, b)
		explainSockets(t, "datagram-closed", consumer)
	})
	t.Run("unbound", func(t *testing.T) {
		a := newSocket(t, unix.SOCK_DGRAM)
		client := start(t, "client", rawReceive, nil, a)
		closeNow(t, a)
		explainSockets(t, "datagram-unbound", client)
	})
	t.Run("bound", func(t *testing.T) {
		path, env := sockPath(t, "a")
		server := start(t, "server", receiveFrom, env)
		isThere(t, path)
		explainSockets(t, "datagram-bound", server)
	})
	t.Run("connected", func(t *testing.T) {
		path, env := sockPath(t, "a")
		server := start(t, "server", receiveFrom, env)
		isThere(t, path)
		fd := newSocket(t, unix.SOCK_DGRAM)
		require.NoError(t, unix.Connect(fd, &unix.SockaddrUnix{Name: path}))
		client := idleWith(t, "client", fd)
		closeNow(t, fd)
		explainSockets(t, "datagram-connected", server, client)
	})
	t.Run("gone", func(t *testing.T) {
		path, env := sockPath(t, "a")
		server := start(t, "server", receiveFrom, env)
		isThere(t, path)
		require.NoError(t, os.Remove(path))
		explainSockets(t, "datagram-gone", server)
	})
	t.Run("udp", func(t *testing.T) {
		explainSockets(t, "datagram-udp", start(t, "server", receiveUDP, []string{"SOCK=127.0.0.1:0"}))
	})
}

func TestSocketSendOfADatagramIntoAFullQueue(t *testing.T) {
	t.Run("connected", func(t *testing.T) {
		a, b := socketPair(t, unix.SOCK_DGRAM)
		client := start(t, "client", flood, nil, a)
		server := idleWith(t, "server", b)
		closeNow(t, a, b)
		explainSockets(t, "datagram-full", client, server)
	})
	t.Run("to a name", func(t *testing.T) {
		path, env := sockPath(t, "a")
		b := bound(t, unix.SOCK_DGRAM, path)
		a := newSocket(t, unix.SOCK_DGRAM)
		client := start(t, "client", floodTo, env, a)
		server := idleWith(t, "server", b)
		closeNow(t, a, b)
		explainSockets(t, "datagram-full-name", client, server)
	})
}

func TestSocketWithoutSockDiag(t *testing.T) {
	defer procfs.WithoutSockDiag()()
	t.Run("accept", func(t *testing.T) {
		path, env := sockPath(t, "a")
		server := start(t, "server", accept, env)
		isThere(t, path)
		explainSockets(t, "nodiag-accept", server)
	})
	t.Run("read", func(t *testing.T) {
		a, b := socketPair(t, unix.SOCK_STREAM)
		consumer := start(t, "consumer", rawRecv, nil, a)
		producer := idleWith(t, "producer", b)
		closeNow(t, a, b)
		explainSockets(t, "nodiag-read", consumer, producer)
	})
	t.Run("connect", func(t *testing.T) {
		path, env := sockPath(t, "a")
		l := listenAt(t, path, 0)
		require.NoError(t, unix.Connect(newSocket(t, unix.SOCK_STREAM), &unix.SockaddrUnix{Name: path}))
		client := start(t, "client", rawConnect, env)
		server := idleWith(t, "server", l)
		closeNow(t, l)
		explainSockets(t, "nodiag-connect", client, server)
	})
	t.Run("datagram", func(t *testing.T) {
		path, env := sockPath(t, "a")
		server := start(t, "server", receiveFrom, env)
		isThere(t, path)
		explainSockets(t, "nodiag-datagram", server)
	})
}
