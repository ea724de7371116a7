package explain_test

import (
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestSocketAcceptWithoutAClient(t *testing.T) {
	for _, deaf := range []bool{false, true} {
		for name, by := range map[string]string{"raw": rawAccept, "poller": accept} {
			env, suffix, check := []string{}, "", func(t *testing.T, name string, c ...*child) { explainSockets(t, name, c...) }
			if deaf {
				env, suffix, check = []string{"HANG_DEAF=1"}, "-deaf", explainDeaf
			}
			t.Run(name+suffix, func(t *testing.T) {
				path, sock := sockPath(t, "a")
				var fds []int
				if by == rawAccept {
					fds = []int{listenAt(t, path, 5)}
				}
				server := start(t, "server", by, append(env, sock...), fds...)
				closeNow(t, fds...)
				isThere(t, path, server)
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
	for name, at := range map[string]string{"abstract": fmt.Sprintf("@explain%d", os.Getpid()), "tcp": "127.0.0.1:0"} {
		t.Run(name, func(t *testing.T) {
			explainSockets(t, "accept-"+name, start(t, "server", accept, []string{"SOCK=" + at}))
		})
	}
}

func TestSocketAcceptWhereTheFileIsGone(t *testing.T) {
	path, env := sockPath(t, "a")
	server := start(t, "server", accept, env)
	isThere(t, path, server)
	require.NoError(t, os.Remove(path))
	explainSockets(t, "accept-gone", server)
}

func TestSocketAcceptWhereTheFileBelongsToAnotherServer(t *testing.T) {
	path, env := sockPath(t, "a")
	older := start(t, "older", serve, env)
	isThere(t, path, older)
	client := start(t, "client", dialAndRead, env)
	hang(t, older, client) // it is connected
	require.NoError(t, os.Remove(path))
	newer := start(t, "newer", accept, env)
	isThere(t, path, newer)
	explainSockets(t, "accept-taken", older, newer, client)
}

func TestSocketAcceptWhereTheClientIsConnectedElsewhere(t *testing.T) {
	path, env := sockPath(t, "a")
	other, otherEnv := sockPath(t, "b")
	server := start(t, "server", accept, env)
	elsewhere := start(t, "elsewhere", answer, otherEnv)
	isThere(t, path, server)
	isThere(t, other, elsewhere)
	client := start(t, "client", ask, otherEnv)
	explainSockets(t, "accept-elsewhere", server, client, elsewhere)
}

func TestSocketAcceptOfASecondClientWhereThereIsOne(t *testing.T) {
	path, env := sockPath(t, "a")
	server := start(t, "server", serve, env)
	isThere(t, path, server)
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
	client := start(t, "client", rawConnect, append(env, "HANG_DEAF=1"), l)
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
