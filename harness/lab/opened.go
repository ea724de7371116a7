package lab

import (
	"os"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/verdict"
)

// Opened is an open file description: what open(2) makes, and what all copies of a
// descriptor share.
type Opened struct{ lab *Lab }

// Opened marks the open file description behind an end, so that it is known
// again. The mark is who gets SIGIO for it (fcntl(2), F_SETOWN). As long as nobody
// asks for SIGIO with O_ASYNC it means nothing.
func (l *Lab) Opened(end conn) Opened {
	l.t.Helper()
	err := control(end, func(fd int) error {
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETOWN, os.Getpid())
		return os.NewSyscallError("fcntl F_SETOWN", err)
	})
	if err != nil {
		l.fail(wrongEnd(err))
	}
	return Opened{l}
}

// MustStillBe asserts that the end has the open file description that was marked,
// and not one that was made by opening the file again. Reason is the likeliest
// one for a failure.
func (o Opened) MustStillBe(what string, end conn, reason string) {
	o.lab.t.Helper()
	var owner int
	err := control(end, func(fd int) (err error) {
		owner, err = unix.FcntlInt(uintptr(fd), unix.F_GETOWN, 0)
		return os.NewSyscallError("fcntl F_GETOWN", err)
	})
	if err != nil {
		o.lab.fail(wrongEnd(err))
	}
	if owner != os.Getpid() {
		o.lab.fail(failure{Verdict: verdict.Wrong, Call: what, Reason: reason, Detail: []string{
			"expected: the file is still open as it was opened first",
			"got:      it was opened again"}})
	}
}
