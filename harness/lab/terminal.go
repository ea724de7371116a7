package lab

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/verdict"
)

// Terminal is a real one, a pty with its line discipline: what is typed there may become a
// signal, Ctrl-C for one (pty(7), termios(3)).
type Terminal struct {
	lab           *Lab
	master, slave *os.File

	mu   sync.Mutex
	said []byte // what was written to it and not asked for yet
	over bool   // no more will come
	hung bool
}

// Terminal makes a terminal of 80 columns and 24 rows. It is the controlling terminal of the
// process that gets it with [OnTerminal], and is gone at the end of the test.
func (l *Lab) Terminal() *Terminal {
	l.t.Helper()
	t, err := newTerminal()
	if err != nil {
		l.Unsupported("This step needs a terminal, and this machine gives none (pty(7)): %v.", err)
	}
	t.lab = l
	l.closers = append(l.closers, t.close)
	t.Resize(80, 24)
	go t.follow()
	return t
}

func newTerminal() (*Terminal, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/ptmx: %w", err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("ioctl TIOCSPTLCK", err)
	}
	// By a path below /dev/pts it might be that of another mount.
	peer, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		unix.Close(fd)
		return nil, os.NewSyscallError("ioctl TIOCGPTPEER", errno)
	}
	return &Terminal{master: os.NewFile(uintptr(fd), "keyboard"), slave: os.NewFile(peer, terminalName)}, nil
}

// follow takes what is written to the terminal.
func (t *Terminal) follow() {
	piece := make([]byte, 4096)
	for {
		n, err := t.master.Read(piece)
		t.mu.Lock()
		t.said = append(t.said, piece[:n]...)
		t.over = err != nil
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Type types on the keyboard. "\x03" is Ctrl-C: the terminal sends SIGINT to its foreground
// process group. "\x1a" is Ctrl-Z (SIGTSTP), "\x1c" Ctrl-\ (SIGQUIT), "\x04" at the start of
// a line is the end of file, and "\n" the Enter key.
func (t *Terminal) Type(text string) {
	t.lab.t.Helper()
	if _, err := t.master.WriteString(text); err != nil {
		t.lab.Fault("typing %q: %v", text, err)
	}
}

// Resize changes its size, in columns and rows. Where that is another size the foreground
// process group gets SIGWINCH.
func (t *Terminal) Resize(columns, rows int) {
	t.lab.t.Helper()
	size := unix.Winsize{Col: uint16(columns), Row: uint16(rows)}
	if err := control(t.master, func(fd int) error { return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &size) }); err != nil {
		t.lab.Fault("changing the size of a terminal: %v", err)
	}
}

// HangUp closes it, as a window is closed or a connection is lost: the leader of its session
// gets SIGHUP and SIGCONT, and so does the foreground process group. Reading from it is at
// the end then, and writing is EIO.
func (t *Terminal) HangUp() {
	t.lab.t.Helper()
	if t.hung {
		t.lab.Fault("the terminal was hung up twice")
	}
	t.hung = true
	if err := t.master.Close(); err != nil {
		t.lab.Fault("hanging a terminal up: %v", err)
	}
}

// Says waits until a text was written to the terminal, after what Says found last. The echo
// of what is typed is written there too, and a line ends in "\r\n". It fails the test when
// everything in the step sleeps, or no more will come.
func (t *Terminal) Says(text string) {
	t.lab.t.Helper()
	is := func() (found string, ok bool) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if at := bytes.Index(t.said, []byte(text)); at >= 0 {
			t.said = t.said[at+len(text):]
			return "", true
		}
		return fmt.Sprintf("%q", t.said), false
	}
	if found, ok := t.lab.until(is); !ok {
		t.lab.fail(failure{Verdict: verdict.Wrong, Call: "what is on the terminal",
			Detail: []string{fmt.Sprintf("expected: %q", text), "got:      " + strings.TrimSpace(found)}})
	}
}

// Foreground is the process group that gets the keyboard's signals (tcgetpgrp(3)).
func (t *Terminal) Foreground() int {
	t.lab.t.Helper()
	var group int
	err := control(t.master, func(fd int) (err error) {
		group, err = unix.IoctlGetInt(fd, unix.TIOCGPGRP)
		return err
	})
	if err != nil {
		t.lab.Fault("asking a terminal for its foreground process group: %v", err)
	}
	return group
}

func (t *Terminal) close() {
	if !t.hung {
		t.master.Close()
	}
	t.slave.Close()
}
