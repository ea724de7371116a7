package residue_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/residue"
)

// After a SIGKILL of everything the ledger is left. What bears its names and
// keys is removed, in any folder below, and nothing else.
func TestCleanUpAfterAKill(t *testing.T) {
	foreign := newThings(t)
	_, foreignIDs := child(t, foreign)

	m := newThings(t)
	folder := t.TempDir()
	m.Ledger = filepath.Join(folder, "run", "step")
	require.NoError(t, os.MkdirAll(m.Ledger, 0o700))
	killed, ids := child(t, m)
	require.NoError(t, killed.Process.Kill())
	_ = killed.Wait()

	where := residue.Places{Dir: m.Ledger}
	foreignPlace := residue.Places{Dir: t.TempDir()}
	require.NoError(t, residue.Note(foreignPlace.Dir, residue.Name, foreign.Name))
	require.Len(t, mine(residue.Look(where).Since(nil), m, ids), 6)
	require.NoError(t, residue.CleanUp(folder))
	require.Empty(t, mine(residue.Look(where).Since(nil), m, ids))
	require.Len(t, mine(residue.Look(foreignPlace).Since(nil), foreign, foreignIDs), 6)
	require.NoError(t, residue.CleanUp(folder), "twice does no harm")
	require.NoError(t, residue.CleanUp(filepath.Join(folder, "no such folder")))
}

// A ledger that is damaged gives no permission to remove anything: a line that
// was cut off, a name that nobody gave out, the key of all private objects.
func TestADamagedLedger(t *testing.T) {
	m := newThings(t)
	folder := t.TempDir()
	for about, what := range map[string]string{residue.Name: "/", residue.Key: "0", residue.Path: "/p"} {
		require.NoError(t, residue.Note(folder, about, what))
	}
	require.NoError(t, residue.Note(folder, residue.Name, m.Name))
	f, err := os.OpenFile(filepath.Join(folder, "given.ipc"), os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	_, err = f.WriteString("key 12")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.Equal(t, residue.Given{Names: []string{m.Name}, Paths: []string{"/p"}}, residue.ReadGiven(folder))
}

// Lines that are written at the same moment do not mix.
func TestNotesAtTheSameTime(t *testing.T) {
	folder := t.TempDir()
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := range 100 {
				if err := residue.Note(folder, residue.Key, fmt.Sprint(1000*(w+1)+i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	require.Len(t, residue.ReadGiven(folder).Keys, 400)
}

// A key is in use as soon as one object has it, of whatever kind.
func TestKeyInUse(t *testing.T) {
	m := newThings(t)
	require.False(t, residue.KeyInUse(m.Key))
	_, err := call(unix.SYS_SEMGET, m.Key, 1, unix.IPC_CREAT|0o600)
	require.NoError(t, err)
	require.True(t, residue.KeyInUse(m.Key))
}
