package lab

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// What a second call would set is not set, and what the first one asks for is.
func TestFlagsBySecondCallsAreRefused(t *testing.T) {
	l := New(t)
	l.RefusesCalls()
	var got []string
	l.Start(changesFlags).Report(&got)
	require.Equal(l, []string{
		"F_SETFD: operation not permitted", "F_SETFD with 0: <nil>", "FIOCLEX: operation not permitted",
		"F_SETFL without O_NONBLOCK: operation not permitted", "F_SETFL with O_NONBLOCK: <nil>",
		"F_GETFD: 0", "F_GETFD after O_CLOEXEC: 1", "umask: permission denied",
	}, got)
}

var changesFlags = NewRole("changes flags", func(c *Child) error {
	if err := errors.Join(c.RefuseCloseOnExec(), c.RefuseBlocking()); err != nil {
		return err
	}
	var plain, cloexec [2]int
	if err := unix.Pipe2(plain[:], 0); err != nil {
		return err
	}
	if err := unix.Pipe2(cloexec[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	var got []string
	show := func(what string, result any) { got = append(got, fmt.Sprint(what, ": ", result)) }
	fd := uintptr(plain[0])
	_, err := unix.FcntlInt(fd, unix.F_SETFD, unix.FD_CLOEXEC)
	show("F_SETFD", err)
	_, err = unix.FcntlInt(fd, unix.F_SETFD, 0)
	show("F_SETFD with 0", err)
	show("FIOCLEX", unix.IoctlSetInt(plain[0], 0x5451, 0))
	_, err = unix.FcntlInt(fd, unix.F_SETFL, os.O_RDONLY)
	show("F_SETFL without O_NONBLOCK", err)
	_, err = unix.FcntlInt(fd, unix.F_SETFL, unix.O_NONBLOCK)
	show("F_SETFL with O_NONBLOCK", err)
	flags, _ := unix.FcntlInt(fd, unix.F_GETFD, 0)
	show("F_GETFD", flags)
	flags, _ = unix.FcntlInt(uintptr(cloexec[0]), unix.F_GETFD, 0)
	show("F_GETFD after O_CLOEXEC", flags)
	if err := c.RefuseCall(unix.EACCES, unix.SYS_UMASK); err != nil {
		return err
	}
	_, _, errno := unix.Syscall(unix.SYS_UMASK, 0o77, 0, 0)
	show("umask", errno)
	c.Report(got)
	return nil
})
