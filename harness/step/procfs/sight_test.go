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
	before := procfs.Look([]int{c.pid()})

	_, err := unix.Write(w, []byte{1})
	require.NoError(t, err)
	eventually(t, "it woke up", func() bool { return !procfs.Look([]int{c.pid()}).SameAs(before) })
	hang(t, c)
	after := procfs.Look([]int{c.pid()})
	assert.True(t, after.Asleep())
	assert.False(t, after.SameAs(before), "it read a byte in between")
}

var readForEver = helper("read for ever", func() {
	for b := make([]byte, 1); ; {
		unix.Read(3, b)
	}
})

func TestSightOfASpinner(t *testing.T) {
	r, _ := pipe(t)
	spinner := start(t, "spinner", spin, nil, r)
	sleeper := start(t, "sleeper", readForEver, nil, r)
	hang(t, sleeper)
	both := []int{sleeper.pid(), spinner.pid()}
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
	require.NoError(t, c.cmd.Process.Signal(unix.SIGSTOP))
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
			if pid == parent.pid() && i < len(found)-1 && len(procfs.Children(pid)) == 1 {
				return true
			}
		}
		return false
	})
	assert.Contains(t, procfs.Children(os.Getpid()), parent.pid())
	assert.Contains(t, procfs.ChildrenFromStat(os.Getpid()), parent.pid())
	assert.Empty(t, procfs.Children(1<<30))
}

func TestReadTellsFilesAndRoles(t *testing.T) {
	r, w := pipe(t)
	c := start(t, "consumer", readForEver, nil, r, w)
	hang(t, c)
	p, err := procfs.Read(c.pid())
	require.NoError(t, err)
	assert.Equal(t, "consumer", p.Role)
	assert.Equal(t, os.Getpid(), p.Parent)
	require.NoError(t, p.FilesErr)
	ends := map[int]procfs.File{}
	for _, f := range p.Files {
		ends[f.FD] = f
	}
	assert.Equal(t, procfs.Pipe, ends[3].Kind)
	assert.True(t, ends[3].Reads() && !ends[3].Writes(), "3 is the read end")
	assert.True(t, ends[4].Writes() && !ends[4].Reads(), "4 is the write end")
	assert.Equal(t, ends[3].Inode, ends[4].Inode)
	assert.Equal(t, ends[3].Target, ends[4].Target)

	_, err = procfs.Read(1 << 30)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestWhatMayNotBeReadIsLeftOut(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	p, err := procfs.Read(1)
	require.NoError(t, err)
	assert.ErrorIs(t, p.FilesErr, os.ErrPermission)
	assert.NotEmpty(t, p.Role)
	e := explained(procfs.Case{Processes: []procfs.Process{p}, After: time.Second})
	assert.Contains(t, e.Text, "may not be read")
}
