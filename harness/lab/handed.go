package lab

import (
	"os"

	"golang.org/x/sys/unix"
)

// Handed is something that a new process gets from the test.
type Handed struct {
	name string
	end  conn
	text string
	ours interface{ Close() error } // to be closed here once it is handed over
	// begin is set if it says how the process starts.
	begin func(*beginning)
}

// Give hands a copy of a descriptor to the process. The test keeps its own.
func Give(name string, end conn) Handed { return Handed{name: name, end: end} }

// HandOver gives a descriptor away: once the process has its copy, the test's
// own is closed with Close.
func HandOver(name string, end interface {
	conn
	Close() error
}) Handed {
	return Handed{name: name, end: end, ours: end}
}

// Tell hands a text to the process.
func Tell(name, text string) Handed { return Handed{name: name, text: text} }

// File returns a file of the test's own on the same pipe, socket or file as end,
// to read or write raw bytes. It is closed when the test ends.
func (l *Lab) File(end conn) *os.File {
	f, err := dup(end, "raw")
	if err != nil {
		l.fail(wrongEnd(err))
	}
	l.closers = append(l.closers, func() { f.Close() })
	return f
}

// dup duplicates the descriptor behind end. It never calls File.Fd: that makes
// the open file description blocking for everybody who shares it, and a Recv in
// the test could not be interrupted any more (golang/go#22934).
func dup(end conn, name string) (*os.File, error) {
	var copied int
	err := control(end, func(fd int) (err error) {
		copied, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		return os.NewSyscallError("fcntl", err)
	})
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(copied), name), nil
}

// control lends the descriptor behind end to f.
func control(end conn, f func(fd int) error) error {
	raw, err := end.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}
