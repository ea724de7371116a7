package supervisor

import (
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/step/procfs"
	"ipcworkbook/harness/verdict"
)

// A late step that sleeps and wakes up by itself is waited for, but not without end.
func TestWhoSleepsAgainAndAgainIsNotWaitedForWithoutEnd(t *testing.T) {
	sleeper := exec.Command("sleep", "60")
	require.NoError(t, sleeper.Start())
	defer sleeper.Wait()
	defer sleeper.Process.Kill()
	pids := []int{sleeper.Process.Pid}
	require.Eventually(t, func() bool { _, timed := procfs.Alarm(pids); return timed }, time.Minute, time.Millisecond)

	s := &step{spec: verdict.Spec{Deadline: time.Minute}}
	looks := 0
	for s.look(nil); s.wakesUp(); s.look(nil) { // each time it has just gone to sleep again
		looks++
		require.LessOrEqual(t, looks, 10_000)
	}
	require.EqualValues(t, mostDozed*s.spec.Deadline/gap, looks)

	s = &step{spec: verdict.Spec{Deadline: time.Minute / 2}}
	s.look(nil)
	require.False(t, s.wakesUp(), "who sleeps for longer than the deadline is waited for")
}
