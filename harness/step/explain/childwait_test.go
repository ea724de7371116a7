package explain_test

import (
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/explain/testdata/chapter"
	"ipcworkbook/harness/step/internal/hangtest"
	"ipcworkbook/harness/step/procfs"
)

var (
	catHelper   = helper("cat", chapter.Cat)
	zeros       = helper("zeros", chapter.Zeros)
	background  = helper("background", chapter.Background)
	unreadInput = helper("unread", func() { chapter.Unread(file(3)) })
	waitRaw     = helper("wait raw", chapter.WaitRaw)
	waitID      = helper("waitid", chapter.WaitID)
	waitPidfd   = helper("wait pidfd", chapter.WaitPidfd)
	waitAny     = helper("wait any", chapter.WaitAny)
	stolen      = helper("stolen", func() { waitSomewhere(chapter.Stolen) })
	waitStopped = helper("wait stopped", chapter.WaitStopped)
)

// family waits until a process and the commands that it started hang, and reads
// them. They end with the test. (os.StartProcess makes one more, to try what
// clone(2) can do, and that is gone at once.)
func family(t *testing.T, parent *child, commands ...string) []procfs.Process {
	t.Helper()
	var pids []int
	eventually(t, "the family hangs", func() bool {
		return hangtest.Still(func() []int {
			pids = append([]int{parent.PID()}, procfs.Descendants(parent.PID())...)
			return pids
		}) && slices.Equal(rolesOf(pids[1:]), commands)
	})
	return readFamily(t, pids)
}

func rolesOf(pids []int) (roles []string) {
	for _, pid := range pids {
		p, _ := procfs.Read(pid)
		roles = append(roles, p.Role)
	}
	return roles
}

func readFamily(t *testing.T, pids []int) []procfs.Process {
	t.Helper()
	var ps []procfs.Process
	for i, pid := range pids {
		p, err := procfs.Read(pid)
		require.NoError(t, err)
		ps = append(ps, p)
		if i > 0 {
			pidfd, err := unix.PidfdOpen(pid, 0)
			require.NoError(t, err)
			t.Cleanup(func() {
				unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
				unix.Close(pidfd)
			})
		}
	}
	return ps
}

// explainFamily asks the parent only for its dump: its children give none.
func explainFamily(t *testing.T, name string, parent *child, ps []procfs.Process) explain.Explanation {
	t.Helper()
	e := explained(explain.Case{
		Processes: ps,
		Dumps:     dumps(t, ps[:1], false, parent),
		Folder:    chapterFolder,
		After:     2 * time.Second,
	})
	golden(t, name, e.Text)
	return e
}

func TestWaitForAChild(t *testing.T) {
	for name, by := range map[string]struct{ helper, command string }{
		"child-stdin": {catHelper, "cat"}, "child-stdout": {zeros, "cat"},
		"child-raw": {waitRaw, "sleep"}, "child-waitid": {waitID, "sleep"},
		"child-pidfd": {waitPidfd, "sleep"}, "child-stopped": {waitStopped, "sleep"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := start(t, "server", by.helper, nil)
			e := explainFamily(t, name, parent, family(t, parent, by.command))
			assert.NotZero(t, e.Line)
		})
	}
}

func TestWaitForAnyChild(t *testing.T) {
	parent := start(t, "server", waitAny, nil)
	explainFamily(t, "child-any", parent, family(t, parent, "sleep"))
}

func TestWaitForTheOutputOfAChild(t *testing.T) {
	parent := start(t, "server", background, nil)
	hang(t, parent)
	// The grandchild is an orphan now, so it is nobody's descendant here.
	ps := read(t, parent)
	eventually(t, "the grandchild is there", func() bool {
		pid := holderOf(ps[0].Files, "sleep")
		if pid != 0 {
			ps = append(ps, readFamily(t, []int{parent.PID(), pid})[1])
		}
		return pid != 0
	})
	explainFamily(t, "child-output", parent, ps)
}

// holderOf finds a process of that command that has one of the pipes.
func holderOf(files []procfs.File, command string) int {
	names, _ := filepath.Glob("/proc/[0-9]*")
	for _, name := range names {
		pid, _ := strconv.Atoi(filepath.Base(name))
		p, err := procfs.Read(pid)
		if err != nil || p.Role != command {
			continue
		}
		for _, f := range p.Files {
			for _, g := range files {
				if f.Kind == procfs.Pipe && f.FD == 1 && f.Target == g.Target {
					return pid
				}
			}
		}
	}
	return 0
}

func TestWaitForTheInputOfAChild(t *testing.T) {
	r, _ := pipe(t)
	parent := start(t, "server", unreadInput, nil, r)
	explainFamily(t, "child-input", parent, family(t, parent))
}

func TestWaitForAChildWithoutADump(t *testing.T) {
	for name, by := range map[string]string{"raw": waitRaw, "pidfd": waitPidfd} {
		t.Run(name, func(t *testing.T) {
			parent := start(t, "server", by, []string{"HANG_DEAF=1"})
			ps := family(t, parent, "sleep")
			e := explained(explain.Case{Processes: ps, Folder: chapterFolder, After: time.Second})
			golden(t, "child-no-dump-"+name, e.Text)
		})
	}
}

func TestChildThatWasReapedElsewhere(t *testing.T) {
	r, _ := pipe(t)
	consumer := start(t, "consumer", stolen, nil, r)
	eventually(t, "the end of the child was taken", func() bool {
		p := read(t, consumer)[0]
		return slices.ContainsFunc(p.Files, func(f procfs.File) bool { return f.Reaped })
	})
	explains(t, "child-reaped", consumer)
}
