package lab

import (
	"errors"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// waiter is a call that waits, and how to let it go on.
type waiter struct {
	restarts bool // by the kernel
	call     func() error
	goOn     func() error
}

func waiters(t *testing.T, l *Lab) map[string]waiter {
	t.Helper()
	queue, _, errno := unix.Syscall(unix.SYS_MSGGET, unix.IPC_PRIVATE, 0o600, 0)
	require.Zero(t, errno)
	t.Cleanup(func() { unix.Syscall(unix.SYS_MSGCTL, queue, unix.IPC_RMID, 0) })
	set, _, errno := unix.Syscall(unix.SYS_SEMGET, unix.IPC_PRIVATE, 1, 0o600)
	require.Zero(t, errno)
	t.Cleanup(func() { unix.Syscall(unix.SYS_SEMCTL, set, 0, unix.IPC_RMID) })
	type sembuf struct {
		num     uint16
		op, flg int16
	}
	semop := func(by int16) error {
		op := sembuf{op: by}
		_, _, errno := unix.Syscall(unix.SYS_SEMOP, set, uintptr(unsafe.Pointer(&op)), 1)
		return orNil(errno)
	}
	type msgbuf struct {
		kind int64
		text [8]byte
	}
	r, w := blockingPipe(t, l)
	polled, pollWriter := blockingPipe(t, l)
	return map[string]waiter{
		"msgrcv": {false, func() error {
			_, _, errno := unix.Syscall6(unix.SYS_MSGRCV, queue, uintptr(unsafe.Pointer(&msgbuf{})), 8, 0, 0, 0)
			return orNil(errno)
		}, func() error {
			_, _, errno := unix.Syscall6(unix.SYS_MSGSND, queue, uintptr(unsafe.Pointer(&msgbuf{kind: 1})), 8, 0, 0, 0)
			return orNil(errno)
		}},
		"semop": {false, func() error { return semop(-1) }, func() error { return semop(1) }},
		"poll": {false, func() error {
			_, err := unix.Poll([]unix.PollFd{{Fd: int32(polled), Events: unix.POLLIN}}, -1)
			return err
		}, func() error { _, err := unix.Write(pollWriter, []byte{0}); return err }},
		"read of a pipe": {true, func() error { _, err := unix.Read(r, make([]byte, 1)); return err },
			func() error { _, err := unix.Write(w, []byte{0}); return err }},
	}
}

func orNil(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

func blockingPipe(t *testing.T, l *Lab) (r, w int) {
	t.Helper()
	var fds [2]int
	require.NoError(t, unix.Pipe2(fds[:], unix.O_CLOEXEC))
	l.closers = append(l.closers, func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

// A call without a loop fails when a signal comes; with one it passes, also when
// several come; and what the kernel restarts is not disturbed at all.
func TestInterruptMeetsOnlyWhatIsNeverRestarted(t *testing.T) {
	for _, name := range []string{"msgrcv", "semop", "poll", "read of a pipe"} {
		t.Run(name, func(t *testing.T) {
			l := New(t)
			w := waiters(t, l)[name]

			naive := l.Call(name, w.call)
			naive.Blocks("there is nothing")
			naive.Interrupt(3)
			if w.restarts {
				naive.Blocks("the kernel restarts it")
				require.NoError(t, w.goOn())
				naive.Returns(nil)
			} else {
				naive.ReturnsSoon(unix.EINTR)
			}

			right := l.Call(name, func() error {
				for {
					if err := w.call(); !errors.Is(err, unix.EINTR) {
						return err
					}
				}
			})
			right.Blocks("there is nothing")
			right.Interrupt(3)
			right.Blocks("it tries again")
			require.NoError(t, w.goOn())
			right.Returns(nil)
		})
	}
}

// The same in another process.
func TestInterruptAProcess(t *testing.T) {
	l := New(t)
	r, w := pipe(t, l)
	p := l.Start(pollsOnce, Give("r", r))
	p.Blocks("there is nothing")
	p.Interrupt(3)
	require.ErrorContains(t, p.Wait(), unix.EINTR.Error())
	p = l.Start(waitsForGone, Give("w", r))
	p.Blocks("the writer is there")
	p.Interrupt(3)
	p.Blocks("it tries again")
	require.NoError(t, w.Close())
	require.NoError(t, p.Wait())
}

var pollsOnce = NewRole("polls once", func(c *Child) error {
	return control(c.File("r"), func(fd int) error {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		return err
	})
})
