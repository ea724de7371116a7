package lab

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The mark is on the open file description: a copy has it, and the same file
// opened again has not.
func TestAnOpenFileIsKnownAgain(t *testing.T) {
	l := New(t)
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	owner := func(end conn) (pid int) {
		require.NoError(t, control(end, func(fd int) (err error) {
			pid, err = unix.FcntlInt(uintptr(fd), unix.F_GETOWN, 0)
			return err
		}))
		return pid
	}
	first, err := os.Open(path)
	require.NoError(t, err)
	second, err := os.Open(path)
	require.NoError(t, err)
	l.CloseAtEnd(first, second)
	opened := l.Opened(first)
	opened.MustStillBe("the same", first, "")
	opened.MustStillBe("a copy", l.File(first), "")
	require.Zero(t, owner(second), "opened again")
}
