package lab

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/step/procfs"
)

// What is written is dirty until the disk has it. A folder in memory is told.
func TestDirtyPages(t *testing.T) {
	l := New(t)
	require.NotEmpty(t, procfs.NoDirtyPages("/dev/shm"), "tmpfs has no disk")
	path, missing := l.DirtyPath("file")
	if missing != "" {
		t.Skip(missing)
	}
	f, err := os.Create(path)
	require.NoError(t, err)
	l.CloseAtEnd(f)
	most := 0
	for range 5 { // somebody may call sync(2)
		_, err = f.WriteString("hello")
		require.NoError(t, err)
		most = max(most, l.DirtyPages(path))
	}
	require.NotZero(t, most)
	require.NoError(t, f.Sync())
	require.Zero(t, l.DirtyPages(path))
}

// A folder outside of the step's own is locked by who made it. What was left by
// one who is gone is removed by the next.
func TestAFolderThatWasLeftIsRemoved(t *testing.T) {
	place := t.TempDir()
	left := filepath.Join(place, "workbook-dirt-left")
	require.NoError(t, os.Mkdir(left, 0o700))
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(left, old, old))
	dir, remove, err := folderIn(place)
	require.NoError(t, err)
	require.NoDirExists(t, left)
	require.NoError(t, os.Chtimes(dir, old, old))
	_, removeSecond, err := folderIn(place)
	require.NoError(t, err)
	require.DirExists(t, dir, "its maker lives")
	remove()
	removeSecond()
	entries, err := os.ReadDir(place)
	require.NoError(t, err)
	require.Empty(t, entries)
}
