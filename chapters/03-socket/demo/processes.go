package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
)

// role is the environment variable that makes this program a second process.
const role = "IPCWORKBOOK_DEMO_ROLE"

// startSecond starts this program once more. The new process has theirs as its
// descriptor 3, and this one keeps no copy of it: the second process shall have the
// only one, so that its death is seen here.
//
// Nothing takes care of our own death. The kernel closes our end then, the second
// process sees the end of the stream, and ends by itself.
func startSecond(secondRole string, theirs *socket.Conn) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f, err := duplicate(theirs)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), role+"="+secondRole)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{f}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return cmd, theirs.Close()
}

// duplicate returns a second descriptor of the same socket. It borrows the
// descriptor through SyscallConn: File.Fd would make the socket blocking for
// every process that shares it (golang/go#22934). os/exec calls Fd on the copy,
// but os.NewFile leaves alone what did not block before. The copy is
// close-on-exec, like the original: it goes to this one child, and to no other.
func duplicate(end syscall.Conn) (*os.File, error) {
	conn, err := end.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var dupErr error
	err = conn.Control(func(original uintptr) {
		fd, dupErr = unix.FcntlInt(original, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err != nil {
		return nil, err
	}
	if dupErr != nil {
		return nil, os.NewSyscallError("fcntl", dupErr)
	}
	return os.NewFile(uintptr(fd), "socket"), nil
}

// second is the second process: it finds its end at descriptor 3.
func second(do func(*socket.Conn) error) error {
	c := socket.NewConn(os.NewFile(3, "socket"))
	defer c.Close()
	return do(c)
}

// socketPair is two connected AF_UNIX sockets.
func socketPair() (ours, theirs *socket.Conn, err error) {
	ours, theirs, err = socket.Pair()
	if err != nil {
		return nil, nil, fmt.Errorf("making a socket pair: %w", err)
	}
	return ours, theirs, nil
}

// tcpPair is two sockets that are connected by TCP on 127.0.0.1. To your package
// they are stream sockets like others.
func tcpPair() (ours, theirs *socket.Conn, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	defer dialed.Close()
	accepted, err := l.Accept()
	if err != nil {
		return nil, nil, err
	}
	defer accepted.Close()
	if ours, err = conn(dialed); err != nil {
		return nil, nil, err
	}
	if theirs, err = conn(accepted); err != nil {
		ours.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// conn makes a Conn of a copy of a TCP connection.
func conn(tcp net.Conn) (*socket.Conn, error) {
	f, err := tcp.(*net.TCPConn).File()
	if err != nil {
		return nil, err
	}
	return socket.NewConn(f), nil
}
