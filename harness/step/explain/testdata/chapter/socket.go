package chapter

import (
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// Accept waits for a client.
func Accept(l net.Listener) { check2(l.Accept()) }

// Serve accepts a client, and then another one.
func Serve(l net.Listener) {
	conn, _ := l.Accept()
	check2(l.Accept())
	conn.Close()
}

func RawAccept(fd int) {
	_, _, err := unix.Accept4(fd, unix.SOCK_CLOEXEC)
	check(0, err)
}

// BareAccept does not tell the runtime that it blocks.
func BareAccept(fd int) { unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, 0, 0, 0) }

func RawConnect(fd int, path string) {
	check(0, unix.Connect(fd, &unix.SockaddrUnix{Name: path}))
}

func Dial(network, addr string) { check2(net.Dial(network, addr)) }

// Ask sends a question and reads the answer. It does not call CloseWrite.
func Ask(conn net.Conn) {
	check(conn.Write([]byte("question")))
	check2(io.ReadAll(conn))
}

// Answer reads the question until its end, and writes the answer.
func Answer(conn net.Conn) {
	check2(io.ReadAll(conn))
	check(conn.Write([]byte("answer")))
}

func ReadConn(conn net.Conn) { check(conn.Read(make([]byte, 100))) }

func WriteConn(conn net.Conn) { check(conn.Write(make([]byte, 10_000_000))) }

func RawReceive(fd int) {
	n, _, err := unix.Recvfrom(fd, make([]byte, 100), 0)
	check(n, err)
}

func ReceiveFrom(conn net.PacketConn) {
	_, _, err := conn.ReadFrom(make([]byte, 100))
	check(0, err)
}

// Flood sends datagrams until nothing more fits.
func Flood(fd int) {
	for {
		check(0, unix.Sendto(fd, []byte("x"), 0, nil))
	}
}

// FloodTo sends datagrams to a socket with a name.
func FloodTo(fd int, path string) {
	for {
		check(0, unix.Sendto(fd, []byte("x"), 0, &unix.SockaddrUnix{Name: path}))
	}
}

func check2[T any](_ T, err error) { check(0, err) }
