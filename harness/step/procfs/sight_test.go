package procfs_test

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

func TestSightOfASleeper(t *testing.T) {
	r, w := pipe(t)
	c := start(t, "sleeper", readForEver, nil, r)
	hang(t, c)
	before := procfs.Look([]int{c.PID()})

	_, err := unix.Write(w, []byte{1})
	require.NoError(t, err)
	eventually(t, "it woke up", func() bool { return !procfs.Look([]int{c.PID()}).SameAs(before) })
	hang(t, c)
	after := procfs.Look([]int{c.PID()})
	assert.True(t, after.Asleep())
	assert.False(t, after.SameAs(before), "it read a byte in between")
}

// What is watched is seen to run between two looks, though it sleeps at both.
func TestWatchSeesWhoRanInBetween(t *testing.T) {
	r, w := pipe(t)
	c := start(t, "sleeper", readForEver, nil, r)
	hang(t, c)
	before := procfs.Look([]int{c.PID()})
	watch, _ := procfs.WatchAll([]int{c.PID()}, nil)
	require.NotNil(t, watch)
	defer watch.Close()
	assert.True(t, watch.Rests())
	assert.True(t, watch.Rests(), "and still")

	_, err := unix.Write(w, []byte{1})
	require.NoError(t, err)
	eventually(t, "it woke up", func() bool { return !procfs.Look([]int{c.PID()}).SameAs(before) })
	hang(t, c)
	assert.False(t, watch.Rests(), "it read a byte in between")
	again, _ := procfs.WatchAll([]int{c.PID()}, nil)
	require.NotNil(t, again)
	defer again.Close()
	assert.True(t, again.Rests(), "it waits for the next one")
	require.NoError(t, c.Cmd.Process.Kill())
	eventually(t, "it is gone", func() bool { return !again.Rests() })
}

// Who is awake is told with its processor time, and nothing is watched then.
func TestWatchOfWhoIsAwake(t *testing.T) {
	r, _ := pipe(t)
	sleeper := start(t, "sleeper", readForEver, nil, r)
	hang(t, sleeper)
	watch, _ := procfs.WatchAll([]int{sleeper.PID()}, nil)
	require.NotNil(t, watch)
	defer watch.Close()
	assert.True(t, watch.AreAll([]int{sleeper.PID()}))
	spinner := start(t, "spinner", spin, nil, r)
	both := []int{sleeper.PID(), spinner.PID()}
	assert.False(t, watch.AreAll(both), "the other one came later")
	assert.False(t, watch.AreAll(nil), "it is there")

	var first procfs.Awake
	eventually(t, "the other one runs", func() bool {
		var none *procfs.Watch
		none, first = procfs.WatchAll(both, nil)
		return none == nil
	})
	eventually(t, "it has run since", func() bool {
		_, now := procfs.WatchAll(both, nil)
		return now != first
	})
	none, _ := procfs.WatchAll([]int{1 << 30}, nil)
	assert.Nil(t, none, "nothing is there")
}

func TestSightOfASpinner(t *testing.T) {
	r, _ := pipe(t)
	spinner := start(t, "spinner", spin, nil, r)
	sleeper := start(t, "sleeper", readForEver, nil, r)
	hang(t, sleeper)
	both := []int{sleeper.PID(), spinner.PID()}
	first := procfs.Look(both)
	eventually(t, "it uses CPU time", func() bool {
		return procfs.Look(both).CPU() > first.CPU()+100*time.Millisecond
	})
	assert.False(t, procfs.Look(both).Asleep(), "one of them runs")
	assert.True(t, procfs.Look(both[:1]).Asleep(), "the other one sleeps")
}

// The time of one process is not that of all together.
func TestMostProcessorTimeOfOneProcess(t *testing.T) {
	r, _ := pipe(t)
	a, b := start(t, "spinner", spin, nil, r).PID(), start(t, "other spinner", spin, nil, r).PID()
	first := procfs.Look([]int{a, b})
	const some = 50 * time.Millisecond
	for _, pid := range []int{a, b} {
		before := procfs.Look([]int{pid}).CPU()
		eventually(t, "each uses CPU time", func() bool { return procfs.Look([]int{pid}).CPU() > before+some })
	}
	now := procfs.Look([]int{a, b})
	assert.Greater(t, now.MostCPU(first), some)
	assert.LessOrEqual(t, now.MostCPU(first), now.CPU()-first.CPU()-some, "the other one used some, too")
}

func TestSightOfAStoppedProcessAndAZombie(t *testing.T) {
	r, _ := pipe(t)
	c := start(t, "stopped", spin, nil, r)
	require.NoError(t, c.Cmd.Process.Signal(unix.SIGSTOP))
	hang(t, c)

	ended := exec.Command("/proc/self/exe", "-test.run=^$")
	require.NoError(t, ended.Start())
	eventually(t, "it is a zombie", func() bool {
		p, err := procfs.Read(ended.Process.Pid)
		return err == nil && p.Zombie && p.Exiting
	})
	lives, err := procfs.Who(c.PID())
	require.NoError(t, err)
	assert.False(t, lives.Exiting, "it is stopped")
	assert.True(t, procfs.Look([]int{ended.Process.Pid}).Asleep())
	ended.Wait()
	assert.False(t, procfs.Look([]int{ended.Process.Pid}).Asleep(), "nothing is there")
}

func TestDescendantsAreParentsFirst(t *testing.T) {
	r, w := pipe(t)
	parent := start(t, "parent", waitForChild, nil, r, w)
	var found []int
	eventually(t, "the child is there", func() bool {
		found = procfs.Descendants(os.Getpid())
		for i, pid := range found {
			if pid == parent.PID() && i < len(found)-1 && len(procfs.Children(pid)) == 1 {
				return true
			}
		}
		return false
	})
	assert.Contains(t, procfs.Children(os.Getpid()), parent.PID())
	assert.Contains(t, procfs.ChildrenFromStat(os.Getpid()), parent.PID())
	assert.Empty(t, procfs.Children(1<<30))
}

// A process whose parent ends just now is below its subreaper all the time.
func TestAnOrphanIsBelowAtEachMoment(t *testing.T) {
	require.NoError(t, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	r, w, err := os.Pipe() // its end ends what is left, however this test ends
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	for range 100 {
		parents := exec.Command("sh", "-c", "sh -c 'cat <&3 >&2 & echo $!; read x; true'; exit")
		parents.ExtraFiles = []*os.File{r}
		end, err := parents.StdinPipe()
		require.NoError(t, err)
		says, err := parents.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, parents.Start())
		var orphan int
		_, err = fmt.Fscan(says, &orphan)
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() {
			end.Close()
			ended <- parents.Wait()
		}()
		below, looks := true, 0
		for over := false; below && !over; looks++ {
			over = slices.Contains(procfs.Children(os.Getpid()), orphan)
			below = procfs.IsBelow(os.Getpid(), orphan)
		}
		unix.Kill(orphan, unix.SIGKILL)
		assert.NoError(t, <-ended)
		_, err = unix.Wait4(orphan, nil, 0, nil)
		assert.NoError(t, err, "waiting for the orphan")
		require.True(t, below, "in look %d, while its parents ended", looks)
	}
	assert.False(t, procfs.IsBelow(os.Getpid(), os.Getppid()), "the parent of this process")
	assert.False(t, procfs.IsBelow(os.Getpid(), 1<<30), "who is not there")
}
