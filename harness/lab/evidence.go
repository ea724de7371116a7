package lab

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/verdict"
)

// Evidence is something that the kernel shows, beside what a call returned.
type Evidence struct {
	claim  string
	reason string
	look   func() (found string, ok bool)
}

// Holds says how many bytes wait in a pipe (FIONREAD).
func Holds(end conn, n int, reason string) Evidence {
	return Evidence{
		claim:  waiting(n) + " in the pipe meanwhile",
		reason: reason,
		look: func() (string, bool) {
			got, err := Waiting(end)
			if err != nil {
				return err.Error(), false
			}
			return waiting(got) + " there", got == n
		},
	}
}

// waiting says that so many bytes wait: 1 byte waits, 2 bytes wait.
func waiting(n int) string {
	if n == 1 {
		return "1 byte waits"
	}
	return count(n, "byte") + " wait"
}

// Waiting returns how many bytes wait in a pipe or socket to be read (FIONREAD).
func Waiting(end conn) (int, error) {
	var n int
	err := control(end, func(fd int) (err error) {
		n, err = unix.IoctlGetInt(fd, unix.TIOCINQ) // FIONREAD by its other name
		return os.NewSyscallError("ioctl FIONREAD", err)
	})
	return n, err
}

// Capacity returns how many bytes the pipe can hold (F_GETPIPE_SZ).
func (l *Lab) Capacity(end conn) int {
	var n int
	err := control(end, func(fd int) (err error) {
		n, err = unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0)
		return os.NewSyscallError("fcntl F_GETPIPE_SZ", err)
	})
	if err != nil {
		l.fail(wrongEnd(err))
	}
	return n
}

// Target returns what a descriptor is, as /proc/self/fd shows it: pipe:[4711].
func (l *Lab) Target(end conn) string {
	var target string
	err := control(end, func(fd int) (err error) {
		target, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		return err
	})
	if err != nil {
		l.fail(wrongEnd(err))
	}
	return target
}

// OnExec says what becomes of a descriptor when a program starts: it is
// "close-on-exec" or "inherited".
func (l *Lab) OnExec(end conn) string {
	var flags int
	err := control(end, func(fd int) (err error) {
		flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		return os.NewSyscallError("fcntl F_GETFD", err)
	})
	if err != nil {
		l.fail(wrongEnd(err))
	}
	if flags&unix.FD_CLOEXEC == 0 {
		return "inherited"
	}
	return "close-on-exec"
}

// Access says for what a descriptor was opened: "reading", "writing", or "reading
// and writing".
func (l *Lab) Access(end conn) string {
	return map[int]string{unix.O_RDONLY: "reading", unix.O_WRONLY: "writing", unix.O_RDWR: "reading and writing"}[l.statusFlags(end)&unix.O_ACCMODE]
}

// Waits says what a call on the descriptor does that cannot go on: in the kernel
// a "blocking" one waits, and a "non-blocking" one gives EAGAIN. All copies of
// the descriptor share this.
func (l *Lab) Waits(end conn) string {
	if l.statusFlags(end)&unix.O_NONBLOCK != 0 {
		return "non-blocking"
	}
	return "blocking"
}

func (l *Lab) statusFlags(end conn) int {
	var flags int
	err := control(end, func(fd int) (err error) {
		flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		return os.NewSyscallError("fcntl F_GETFL", err)
	})
	if err != nil {
		l.fail(wrongEnd(err))
	}
	return flags
}

func wrongEnd(err error) failure {
	return failure{Verdict: verdict.Wrong, Call: "SyscallConn()",
		Detail: []string{"expected: access to an open descriptor", "got:      " + err.Error()},
		Reason: "Was it closed before its time?"}
}
