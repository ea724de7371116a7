package pipe_test

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	pipe "ipcworkbook/chapters/01-pipe"
	"ipcworkbook/harness/lab"
)

// What the steps look at beside bytes: the flags of a descriptor, its number, and
// what happens when there is none left.

// flags says what a descriptor is, in the lab's words.
type flags struct{ OnExec, Waits string }

// flagsOf is what the lab says of an end, for a role.
func flagsOf(end syscall.Conn) (f flags, err error) {
	conn, err := end.SyscallConn()
	if err != nil {
		return f, err
	}
	controlErr := conn.Control(func(fd uintptr) {
		var ofNumber, ofDescription int
		ofNumber, err = unix.FcntlInt(fd, unix.F_GETFD, 0)
		if err == nil {
			ofDescription, err = unix.FcntlInt(fd, unix.F_GETFL, 0)
		}
		f.OnExec = map[bool]string{true: "close-on-exec", false: "inherited"}[ofNumber&unix.FD_CLOEXEC != 0]
		f.Waits = map[bool]string{true: "non-blocking", false: "blocking"}[ofDescription&unix.O_NONBLOCK != 0]
	})
	return f, errors.Join(err, controlErr)
}

// madeAtOnce makes a pipe where a second call cannot change a flag: what its ends are,
// they were from their first moment.
var madeAtOnce = lab.NewRole("maker of a pipe", func(c *lab.Child) error {
	if err := errors.Join(c.RefuseCloseOnExec(), c.RefuseBlocking()); err != nil {
		return err
	}
	r, w, err := pipe.New()
	if err != nil {
		return fmt.Errorf("New(): %w", err)
	}
	ofR, err := flagsOf(r)
	if err != nil {
		return err
	}
	ofW, err := flagsOf(w)
	if err != nil {
		return err
	}
	c.Report([]flags{ofR, ofW})
	return errors.Join(r.Close(), w.Close())
})

// handed makes a pipe as another process may hand it over: mode is 0 or O_NONBLOCK.
func handed(l *lab.Lab, mode int) (r, w *os.File) {
	var fds [2]int
	require.NoError(l, unix.Pipe2(fds[:], unix.O_CLOEXEC|mode), "pipe2()")
	r, w = os.NewFile(uintptr(fds[0]), "read end"), os.NewFile(uintptr(fds[1]), "write end")
	l.CloseAtEnd(r, w)
	return r, w
}

// flagsStay returns a function that asserts that two ends are as they were.
func flagsStay(l *lab.Lab, r, w syscall.Conn) func(after string) {
	const reason = "The flag belongs to the open file description, which all copies share, in other processes too. File.Fd makes it blocking."
	beforeR, beforeW := flags{l.OnExec(r), l.Waits(r)}, flags{l.OnExec(w), l.Waits(w)}
	return func(after string) {
		require.Equal(l, beforeR.Waits, l.Waits(r), "the read end after %s: %s", after, reason)
		require.Equal(l, beforeW.Waits, l.Waits(w), "the write end after %s: %s", after, reason)
		require.Equal(l, beforeR.OnExec, l.OnExec(r), "the read end after %s: was it duplicated without F_DUPFD_CLOEXEC?", after)
		require.Equal(l, beforeW.OnExec, l.OnExec(w), "the write end after %s: was it duplicated without F_DUPFD_CLOEXEC?", after)
	}
}

// numberOf is the number of the descriptor behind an end.
func numberOf(l *lab.Lab, end syscall.Conn) int {
	conn, err := end.SyscallConn()
	require.NoError(l, err, "SyscallConn()")
	var number int
	require.NoError(l, conn.Control(func(fd uintptr) { number = int(fd) }), "Control()")
	return number
}

// takeNumber makes a copy of an end under a number that was free: now it belongs to
// somebody else.
func takeNumber(l *lab.Lab, number int, end syscall.Conn) *os.File {
	from := numberOf(l, end)
	require.NoError(l, unix.Dup3(from, number, unix.O_CLOEXEC), "dup3()")
	f := os.NewFile(uintptr(number), "somebody else's")
	l.CloseAtEnd(f)
	return f
}

// noneLeft calls f while the process may open no descriptor, or only one, and returns
// what is wrong with its errors.
func noneLeft(what string, f func() error) error {
	poller, closeIt, err := os.Pipe() // Go makes its own descriptors with the first file
	if err != nil {
		return err
	}
	poller.Close()
	closeIt.Close()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	lowest := func() int {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err == nil {
			unix.Close(fd)
		}
		return fd
	}
	free := lowest()
	for n := range 2 {
		low := unix.Rlimit{Cur: uint64(free + n), Max: limit.Max}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &low); err != nil {
			return err
		}
		err := f()
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
		if n == 0 && !errors.Is(err, unix.EMFILE) || err == nil && what == "New()" {
			return fmt.Errorf("%s with %d descriptors free: expected the kernel's error, EMFILE (%w), and got: %v", what, n, unix.EMFILE, err)
		}
		if now := lowest(); err != nil && now != free {
			return fmt.Errorf("%s with %d descriptors free failed with %w, and left descriptor %d open", what, n, err, free)
		}
	}
	return nil
}
