package console

import (
	"errors"
	"os"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// openTerminal makes a terminal: the slave is what the program has, the master
// is ours. A new terminal is in its usual mode already (echo, lines, signals).
func openTerminal() (master, slave *os.File, err error) {
	blocking, slave, err := pty.Open()
	if err != nil {
		return nil, nil, err
	}
	defer blocking.Close()
	if err := pty.Setsize(blocking, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		slave.Close()
		return nil, nil, err
	}
	// Package pty asks its file for the descriptor, which makes it blocking:
	// neither a deadline nor Close would end a Read or Write then. A second
	// file, made of a descriptor that does not block, has both again.
	fd, err := unix.FcntlInt(blocking.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		slave.Close()
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	return os.NewFile(uintptr(fd), blocking.Name()), slave, nil
}

// resize changes the size of a terminal by its master. A call of Fd would make that blocking.
func resize(master *os.File, columns, rows int) error {
	conn, err := master.SyscallConn()
	if err != nil {
		return err
	}
	size := unix.Winsize{Col: uint16(columns), Row: uint16(rows)}
	ctlErr := conn.Control(func(fd uintptr) { err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &size) })
	return errors.Join(err, ctlErr)
}
