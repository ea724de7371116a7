package lab

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// Two processes on one core take turns, and who gives way is interrupted by who
// wakes up.
func TestGivingWay(t *testing.T) {
	l := New(t)
	p := l.Start(givesWayOnOneCore)
	var cores, policy int
	p.Report(&cores)
	p.Report(&policy)
	require.Equal(t, 1, cores)
	require.Equal(t, unix.SCHED_IDLE, policy)
	p.Exit()
}

var givesWayOnOneCore = NewRole("gives way", func(c *Child) error {
	if err := errors.Join(c.OneCore(), c.GiveWay()); err != nil {
		return err
	}
	var cores unix.CPUSet
	if err := unix.SchedGetaffinity(0, &cores); err != nil {
		return err
	}
	c.Report(cores.Count())
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return err
	}
	c.Report(int(attr.Policy))
	c.Wait()
	return nil
})
