package socket_test

import (
	"bytes"
	"io"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/lab"
)

// Step 14: the client talks to a server that is written in Python, from the
// specification of the frame alone.
func TestClientTalksToPython(t *testing.T) {
	l := lab.New(t)
	python := l.Program("python3")
	path := l.SocketPath("s")
	server := l.Run(exec.Command(python, "-c", pythonServer, path))

	c := dial(l, path)
	for _, message := range []string{"hello", "", string(pattern(100_001)), "the last"} {
		require.NoError(l, c.Send([]byte(message)), "Send() of %d bytes to a server in Python", len(message))
	}
	require.NoError(l, c.CloseWrite(), "CloseWrite()")
	for _, message := range []string{"hello", "", string(pattern(100_001)), "the last"} {
		require.NoError(l, expect(c, message), "Recv() of what a server in Python sent back: is there more in your stream than frames?")
	}
	_, err := c.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() when the server in Python has closed")
	server.Says("the server in Python: is there more in your stream than frames?")
}

// Step 15: the server serves clients that know nothing of this package: one in
// Python, and socat(1), which passes on what it is given.
func TestServerServesPythonAndSocat(t *testing.T) {
	l := lab.New(t)
	python := l.Program("python3")
	path := l.SocketPath("s")
	s := listen(l, path)
	serving := l.Call("Serve()", func() error { return s.Serve(sendsBack) })
	serving.Blocks("no client has come yet")

	client := l.Run(exec.Command(python, "-c", pythonClient, path))
	client.Says("the client in Python: is there more in your stream than frames?")

	socat := exec.Command(l.Program("socat"), "-t5", "-", "UNIX-CONNECT:"+path)
	sent := bytes.Join([][]byte{frame("hello"), frame(""), frame(string(pattern(5000)))}, nil)
	var back bytes.Buffer
	socat.Stdin, socat.Stdout = bytes.NewReader(sent), &back
	l.Run(socat).Says("socat")
	l.SameBytes(sent, back.Bytes(), "what socat received: does the server answer a client that has ended its direction?")

	require.NoError(l, s.Close(), "Close() of the Listener")
	serving.Returns(nil)
}

const pythonFrames = `
import socket, struct, sys

def pattern(n):
    return bytes((i ^ i >> 8 ^ i >> 16) & 0xff for i in range(n))

def exactly(s, n):
    parts = []
    while n > 0:
        part = s.recv(n)
        if not part:
            break
        parts.append(part)
        n -= len(part)
    return b"".join(parts)

def receive(s):
    header = exactly(s, 4)
    if not header:
        return None
    if len(header) < 4:
        sys.exit("the stream ended inside a header")
    n, = struct.unpack(">I", header)
    if n > 1 << 20:
        sys.exit("a header claims %d bytes" % n)
    message = exactly(s, n)
    if len(message) < n:
        sys.exit("the stream ended inside a message")
    return message

def send(s, message):
    s.sendall(struct.pack(">I", len(message)) + message)

want = [b"hello", b"", pattern(100001), b"the last"]
`

const pythonServer = pythonFrames + `
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(sys.argv[1])
    listener.listen()
    s, _ = listener.accept()
with s:
    got = []
    while (message := receive(s)) is not None:
        got.append(message)
    if got != want:
        sys.exit("the server received messages of %s bytes, and not of %s" % ([len(m) for m in got], [len(m) for m in want]))
    for message in got:
        send(s, message)
`

const pythonClient = pythonFrames + `
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    for message in want:
        send(s, message)
        got = receive(s)
        if got != message:
            sys.exit("the client sent %d bytes and received %s" % (len(message), got and len(got)))
    s.shutdown(socket.SHUT_WR)
    if receive(s) is not None:
        sys.exit("the client received a message too many")
`
