package explain_test

import (
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

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
				isThere(t, path, s)
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
			consumer := start(t, "consumer", by, []string{"HANG_DEAF=1"}, a)
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
	producer := start(t, "producer", writeConn, []string{"HANG_DEAF=1"}, a)
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
		isThere(t, path, server)
		explainSockets(t, "datagram-bound", server)
	})
	t.Run("connected", func(t *testing.T) {
		path, env := sockPath(t, "a")
		server := start(t, "server", receiveFrom, env)
		isThere(t, path, server)
		fd := newSocket(t, unix.SOCK_DGRAM)
		require.NoError(t, unix.Connect(fd, &unix.SockaddrUnix{Name: path}))
		client := idleWith(t, "client", fd)
		closeNow(t, fd)
		explainSockets(t, "datagram-connected", server, client)
	})
	t.Run("gone", func(t *testing.T) {
		path, env := sockPath(t, "a")
		server := start(t, "server", receiveFrom, env)
		isThere(t, path, server)
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
	check := func(t *testing.T, name string, children ...*child) {
		t.Helper()
		hang(t, children...)
		explainSocketsRead(t, name, withoutSockDiag(read(t, children...)), children...)
	}
	t.Run("accept", func(t *testing.T) {
		path, env := sockPath(t, "a")
		server := start(t, "server", accept, env)
		isThere(t, path, server)
		check(t, "nodiag-accept", server)
	})
	t.Run("read", func(t *testing.T) {
		a, b := socketPair(t, unix.SOCK_STREAM)
		consumer := start(t, "consumer", rawRecv, nil, a)
		producer := idleWith(t, "producer", b)
		closeNow(t, a, b)
		check(t, "nodiag-read", consumer, producer)
	})
	t.Run("connect", func(t *testing.T) {
		path, env := sockPath(t, "a")
		l := listenAt(t, path, 0)
		require.NoError(t, unix.Connect(newSocket(t, unix.SOCK_STREAM), &unix.SockaddrUnix{Name: path}))
		client := start(t, "client", rawConnect, env)
		server := idleWith(t, "server", l)
		closeNow(t, l)
		check(t, "nodiag-connect", client, server)
	})
	t.Run("datagram", func(t *testing.T) {
		path, env := sockPath(t, "a")
		server := start(t, "server", receiveFrom, env)
		isThere(t, path, server)
		check(t, "nodiag-datagram", server)
	})
}

// withoutSockDiag leaves of UNIX sockets what /proc/PID/net/unix tells: a kernel can
// lack unix_diag.
func withoutSockDiag(ps []procfs.Process) []procfs.Process {
	for i := range ps {
		for j, s := range ps[i].Sockets {
			ps[i].NoPeers = true
			if s.IsUnix() {
				ps[i].Sockets[j] = procfs.SocketInfo{
					Family: s.Family, Type: s.Type, Listening: s.Listening, Inode: s.Inode, Name: s.Name,
					Unread: -1, Waiting: -1, Backlog: -1,
				}
			}
		}
	}
	return ps
}
