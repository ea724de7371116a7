package lab

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A new process has the pid of an old one, and the old one's pidfd does not stand for it.
func TestAPidIsUsedAgain(t *testing.T) {
	l := New(t)
	var olds []*Process
	var pidfds []int
	for range 4 {
		old := l.Start(waitsForWord)
		pidfd, err := unix.PidfdOpen(old.PID(), 0)
		require.NoError(t, err)
		defer unix.Close(pidfd)
		olds, pidfds = append(olds, old), append(pidfds, pidfd)
	}
	for _, old := range olds {
		old.Exit()
	}
	for range 3 {
		p, of := l.SamePID(olds, waitsForWord)
		require.Equal(t, olds[of].PID(), p.PID())
		require.NoError(t, unix.Kill(p.PID(), 0))
		require.Equal(t, unix.ESRCH, unix.PidfdSendSignal(pidfds[of], unix.SIGTERM, nil, 0))
		p.Exit()
	}
}
