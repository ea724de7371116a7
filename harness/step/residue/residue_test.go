package residue_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/residue"
)

// mine leaves out what other programs made meanwhile: this machine is shared.
func mine(objects []residue.Object, m things, ids made) []residue.Object {
	return slices.DeleteFunc(objects, func(o residue.Object) bool {
		switch o.Kind {
		case residue.Queue:
			return ids.PID == 0 || o.ID != ids.Queue
		case residue.SemaphoreSet:
			return ids.PID == 0 || o.ID != ids.Set
		case residue.Segment:
			return ids.PID == 0 || o.ID != ids.Segment
		}
		return !strings.Contains(o.Name, m.Name[1:]) && filepath.Dir(o.Name) != m.Folder
	})
}

// sentences are what is said, with the names and numbers of this run taken out.
func sentences(objects []residue.Object, m things, ids made) []string {
	var out []string
	normal := strings.NewReplacer(
		m.Name[1:], "NAME", m.Folder+"/", "FOLDER/", fmt.Sprintf("key %#x", m.Key), "KEY",
		fmt.Sprintf("pid %d", ids.PID), "PID",
		fmt.Sprintf("queue %d", ids.Queue), "queue N",
		fmt.Sprintf("set %d", ids.Set), "set N",
		fmt.Sprintf("memory %d", ids.Segment), "memory N")
	for _, o := range objects {
		out = append(out, normal.Replace(o.String()))
	}
	return out
}

var all = []string{
	"System V queue N (KEY), 1 message, last sent to by producer (PID)",
	"System V semaphore set N (KEY), 2 semaphores, last changed by producer (PID)",
	"System V shared memory N (KEY), 4096 bytes, made by producer (PID)",
	"POSIX queue /NAME, 0 messages",
	"POSIX shared memory /dev/shm/NAME, 5 bytes",
	"POSIX semaphore /dev/shm/sem.NAME, 32 bytes",
	"the socket file FOLDER/a.sock",
	"the FIFO FOLDER/fifo",
	"the file FOLDER/a.lock, 1 byte",
	"the folder FOLDER/spool",
}

// What a step leaves is found, named with its maker, and removed: whether it was
// made by the test or by a child, and whether or not the step has namespaces.
func TestEveryKindIsNamedAndRemoved(t *testing.T) {
	for _, alone := range []bool{false, true} {
		for _, byChild := range []bool{false, true} {
			t.Run(fmt.Sprintf("alone=%v child=%v", alone, byChild), func(t *testing.T) {
				m := newThings(t)
				m.Ledger = t.TempDir()
				where := residue.Places{Alone: alone, Dir: m.Ledger, Folders: []string{m.Folder}}
				before := residue.Look(where)
				var ids made
				if byChild {
					_, ids = child(t, m)
				} else {
					var err error
					ids, err = m.make()
					require.NoError(t, err)
				}
				who := map[int]string{ids.PID: "producer"}
				now := residue.Look(where)
				require.Empty(t, mine(residue.Look(where).Since(now), m, ids), "it was there before")
				own := mine(where.Own(now.Since(before), who), m, ids)
				require.Equal(t, all, sentences(own, m, ids))
				require.Len(t, residue.Reasons(own), len(own), "a reason for each kind")

				require.NoError(t, residue.Remove(own))
				require.Empty(t, mine(residue.Look(where).Since(before), m, ids))
				require.NoError(t, residue.Remove(own), "what is gone is no error")
			})
		}
	}
}

// What another program made meanwhile is neither spoken of nor removed, where the
// step shares the machine. In namespaces of its own everything is the step's.
func TestAnotherProgramsThingsAreLeftAlone(t *testing.T) {
	where := residue.Places{Dir: t.TempDir()}
	before := residue.Look(where)
	m := newThings(t)
	// Not from the step's ledger: both are names that another run gave out.
	_, ids := child(t, m)

	left := residue.Look(where).Since(before)
	kernels := mine(slices.Clone(left), m, ids)
	require.Len(t, kernels, 5, "the POSIX queue cannot be seen: nobody gave its name")
	who := map[int]string{os.Getpid(): "the test"}
	own := where.Own(slices.Clone(left), who)
	require.Empty(t, own)
	require.NoError(t, residue.Remove(own))
	require.Len(t, mine(residue.Look(where).Since(before), m, ids), 5)

	where.Alone = true
	require.Len(t, mine(where.Own(left, who), m, ids), 5)
}

// Without a name the kernel's word counts: who made a segment, who sent last,
// who changed a semaphore last. Where it says nothing nothing is said.
func TestTheKernelNamesTheMaker(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		where := residue.Places{}
		before := residue.Look(where)
		_, ids := child(t, things{Quiet: quiet})
		t.Cleanup(func() {
			_ = residue.Remove([]residue.Object{{Kind: residue.Queue, ID: ids.Queue},
				{Kind: residue.SemaphoreSet, ID: ids.Set}, {Kind: residue.Segment, ID: ids.Segment}})
		})
		own := where.Own(residue.Look(where).Since(before), map[int]string{ids.PID: "producer"})
		var got []string
		for _, o := range own {
			got = append(got, o.String())
		}
		want := []string{
			fmt.Sprintf("System V queue %d (IPC_PRIVATE), 1 message, last sent to by producer (pid %d)", ids.Queue, ids.PID),
			fmt.Sprintf("System V semaphore set %d (IPC_PRIVATE), 2 semaphores, last changed by producer (pid %d)", ids.Set, ids.PID),
			fmt.Sprintf("System V shared memory %d (IPC_PRIVATE), 4096 bytes, made by producer (pid %d)", ids.Segment, ids.PID),
		}
		if quiet {
			want = want[2:]
		}
		require.Equal(t, want, got)
		require.NoError(t, residue.Remove(own))
	}
}

// A segment that is removed while somebody has it attached is there until he is
// gone.
func TestARemovedSegmentThatIsStillAttached(t *testing.T) {
	where := residue.Places{}
	before := residue.Look(where)
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4096, unix.IPC_CREAT|0o600)
	require.NoError(t, err)
	memory, err := unix.SysvShmAttach(id, 0, 0)
	_, removeErr := unix.SysvShmCtl(id, unix.IPC_RMID, nil)
	require.NoError(t, err)
	require.NoError(t, removeErr)
	who := map[int]string{os.Getpid(): "the test"}
	own := where.Own(residue.Look(where).Since(before), who)
	require.Len(t, own, 1)
	require.Contains(t, own[0].String(), "4096 bytes, removed but still attached, made by the test")
	require.Equal(t, []string{"Who attaches a segment detaches it: shmdt(2)."}, residue.Reasons(own))
	require.NoError(t, unix.SysvShmDetach(memory))
	require.Empty(t, where.Own(residue.Look(where).Since(before), who))
}

// A path that was given out may stay. What lies beside it may not.
func TestAPathThatWasGivenOutMayStay(t *testing.T) {
	dir, folder := t.TempDir(), t.TempDir()
	for _, name := range []string{"a.sock", "a.sock.lock"} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), nil, 0o600))
	}
	require.NoError(t, residue.Note(dir, residue.Path, filepath.Join(folder, "a.sock")))
	where := residue.Places{Dir: dir, Folders: []string{folder}}
	own := where.Own(residue.Look(where).Since(nil), nil)
	require.Len(t, own, 1)
	require.Equal(t, "the file "+folder+"/a.sock.lock, 0 bytes", own[0].String())
}

// Nothing there: this is what every step pays twice.
func BenchmarkLook(b *testing.B) {
	where := residue.Places{Dir: b.TempDir(), Queues: "/dev/mqueue", Folders: []string{b.TempDir(), b.TempDir()}}
	before := residue.Look(where)
	for b.Loop() {
		where.Own(residue.Look(where).Since(before), nil)
	}
}
