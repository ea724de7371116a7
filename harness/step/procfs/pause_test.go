package procfs_test

import (
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

func TestAPauseIsOnEveryCoreAndLeavesNothing(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &before))

	var slept []int
	done := make(chan struct{})
	go func() {
		defer close(done)
		procfs.Pause(200 * time.Millisecond)
	}()
	eventually(t, "there is a sleeper on each core", func() bool {
		slept = pinned(t)
		return len(slept) == before.Count()
	})
	<-done
	eventually(t, "no thread is kept on a core any more", func() bool { return len(pinned(t)) == 0 })

	require.NoError(t, unix.SchedGetaffinity(0, &after))
	assert.Equal(t, before, after, "the cores of the one who waits")
}

// pinned are the cores that threads of this process are kept on.
func pinned(t *testing.T) (cores []int) {
	if runtime.NumCPU() == 1 {
		t.Skip("with one core every thread is kept on it")
	}
	tasks, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	for _, task := range tasks {
		tid, err := strconv.Atoi(task.Name())
		require.NoError(t, err)
		var set unix.CPUSet
		if unix.SchedGetaffinity(tid, &set) != nil || set.Count() != 1 {
			continue
		}
		for core := range len(set) * 64 {
			if set.IsSet(core) {
				cores = append(cores, core)
			}
		}
	}
	return cores
}
