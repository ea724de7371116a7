package residue_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/residue"
)

// Where the file system of the queues is mounted every queue is seen, also one
// whose name nobody gave out.
func TestAMountListsEveryQueue(t *testing.T) {
	where := residue.Places{Alone: true, Queues: mountQueues(t)}
	before := residue.Look(where)
	m := newThings(t)
	require.NoError(t, makeQueue(m.Name, 0o600))
	own := mine(where.Own(residue.Look(where).Since(before), nil), m, made{})
	require.Len(t, own, 1)
	require.Equal(t, "POSIX queue "+m.Name+", 0 messages", own[0].String())
}

// mountQueues mounts the file system without a place in the tree: only this
// process can look into it, and it is gone with the descriptor.
func mountQueues(t *testing.T) string {
	t.Helper()
	fs, err := unix.Fsopen("mqueue", unix.FSOPEN_CLOEXEC)
	if err == unix.EPERM {
		t.Skip("only who has CAP_SYS_ADMIN may mount")
	}
	require.NoError(t, err)
	defer unix.Close(fs)
	require.NoError(t, unix.FsconfigCreate(fs))
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(mount) })
	return fmt.Sprintf("/proc/self/fd/%d", mount)
}

// A folder that is no mount of that file system lists no queues.
func TestAnOrdinaryFolderListsNoQueues(t *testing.T) {
	m := newThings(t)
	require.NoError(t, unix.Mkfifo(m.Folder+m.Name, 0o600))
	where := residue.Places{Queues: m.Folder}
	require.Empty(t, mine(residue.Look(where).Since(nil), m, made{}))
}

// A queue that may not even be opened by its maker is found and removed.
func TestAQueueThatMayNotBeOpened(t *testing.T) {
	m := newThings(t)
	where := residue.Places{Dir: t.TempDir()}
	before := residue.Look(where)
	require.NoError(t, residue.Note(where.Dir, residue.Name, m.Name))
	require.NoError(t, makeQueue(m.Name, 0))
	own := where.Own(residue.Look(where).Since(before), nil)
	require.Len(t, own, 1)
	require.NoError(t, residue.Remove(own))
	require.Empty(t, mine(residue.Look(where).Since(before), m, made{}))
}
