package lab

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A new process has the pid of an old one, and the old one's pidfd does not stand for it.
func TestAPidIsUsedAgain(t *testing.T) {
	l := New(t)
	old := l.Start(waitsForWord)
	pidfd, err := unix.PidfdOpen(old.PID(), 0)
	require.NoError(t, err)
	defer unix.Close(pidfd)
	old.Exit()
	for range 3 {
		p := l.SamePID(old, waitsForWord)
		require.Equal(t, old.PID(), p.PID())
		require.NoError(t, unix.Kill(p.PID(), 0))
		require.Equal(t, unix.ESRCH, unix.PidfdSendSignal(pidfd, unix.SIGTERM, nil, 0))
		p.Exit()
	}
}
