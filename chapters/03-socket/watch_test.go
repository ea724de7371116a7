package socket_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	socket "ipcworkbook/chapters/03-socket"
	"ipcworkbook/harness/lab"
)

// changes says what happens to the attributes of files in a folder (inotify(7)).
type changes struct {
	l  *lab.Lab
	fd int
}

// watchAttributes begins to watch. A chmod(2) is an event, and so a moment in which a
// file had other permissions can be seen afterwards.
func watchAttributes(l *lab.Lab, folder string) changes {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	require.NoError(l, err, "inotify_init1()")
	_, err = unix.InotifyAddWatch(fd, folder, unix.IN_ATTRIB)
	require.NoError(l, err, "inotify_add_watch()")
	return changes{l, fd}
}

// seen returns the names of the files that were changed, and ends the watch.
func (c changes) seen() []string {
	defer unix.Close(c.fd)
	var names []string
	buf := make([]byte, 1<<16)
	n, err := unix.Read(c.fd, buf)
	if err == unix.EAGAIN {
		return nil
	}
	require.NoError(c.l, err, "reading from inotify")
	for buf = buf[:n]; len(buf) > 0; {
		length := binary.NativeEndian.Uint32(buf[12:])
		name := buf[unix.SizeofInotifyEvent:][:length]
		names = append(names, string(bytes.TrimRight(name, "\x00")))
		buf = buf[unix.SizeofInotifyEvent+length:]
	}
	return names
}

// withoutSecondCalls makes a socket, or receives a descriptor, in a process in which the
// call is refused that sets FD_CLOEXEC too late: another goroutine may have started a
// program since the descriptor was made.
var withoutSecondCalls = lab.NewRole("one who may not set FD_CLOEXEC", func(c *lab.Child) error {
	if err := c.RefuseCloseOnExec(); err != nil {
		return err
	}
	switch what := c.Text("what"); what {
	case "Pair()":
		a, b, err := socket.Pair()
		return closeOnExec(what, err, a, b)
	case "PacketPair()":
		a, b, err := socket.PacketPair()
		return closeOnExec(what, err, a, b)
	case "RecvFile()":
		a, b, err := socket.Pair()
		if err != nil {
			return err
		}
		r, _, err := os.Pipe()
		if err != nil {
			return err
		}
		if err := a.SendFile([]byte("an end of a pipe"), r); err != nil {
			return fmt.Errorf("SendFile(): %w", err)
		}
		_, f, err := b.RecvFile()
		return closeOnExec(what, err, f)
	default:
		s, err := socket.Listen(c.Text("path"))
		if err != nil {
			return fmt.Errorf("Listen(): %w", err)
		}
		defer s.Close()
		dialed, err := socket.Dial(context.Background(), c.Text("path"))
		if what == "Dial()" || err != nil {
			return closeOnExec("Dial()", err, dialed)
		}
		accepted, err := s.Accept()
		return closeOnExec(what, err, accepted)
	}
})

// closeOnExec returns an error if what was made without that call is not close-on-exec.
func closeOnExec(what string, err error, ends ...syscall.Conn) error {
	if err != nil {
		return fmt.Errorf("%s where F_SETFD is refused: %w", what, err)
	}
	for _, end := range ends {
		conn, err := end.SyscallConn()
		if err != nil {
			return err
		}
		var flags int
		if controlErr := conn.Control(func(fd uintptr) { flags, err = unix.FcntlInt(fd, unix.F_GETFD, 0) }); controlErr != nil {
			return controlErr
		}
		if err != nil {
			return err
		}
		if flags&unix.FD_CLOEXEC == 0 {
			return errors.New("close-on-exec is set by a second call (F_SETFD), or not at all (SOCK_CLOEXEC, accept4(2)): a program that another goroutine starts before it inherits the descriptor")
		}
	}
	return nil
}
