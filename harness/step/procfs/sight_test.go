package procfs_test

import (
	"os"
	"os/exec"
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

func TestSightOfAStoppedProcessAndAZombie(t *testing.T) {
	r, _ := pipe(t)
	c := start(t, "stopped", spin, nil, r)
	require.NoError(t, c.Cmd.Process.Signal(unix.SIGSTOP))
	hang(t, c)

	ended := exec.Command("/proc/self/exe", "-test.run=^$")
	require.NoError(t, ended.Start())
	eventually(t, "it is a zombie", func() bool {
		p, err := procfs.Read(ended.Process.Pid)
		return err == nil && p.Zombie
	})
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
