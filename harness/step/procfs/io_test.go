package procfs_test

import (
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/step/procfs"
)

// A thread that runs beside as many others as there are processors waits for its turn, and
// that is counted; one that sleeps waits for nothing.
func TestHowLongThreadsWaitForAProcessor(t *testing.T) {
	me := []int{os.Getpid()}
	before := procfs.Delayed(me)
	var stop atomic.Bool
	old := runtime.GOMAXPROCS(4 * runtime.NumCPU())
	defer runtime.GOMAXPROCS(old)
	for range 4 * runtime.NumCPU() {
		go func() {
			for !stop.Load() {
			}
		}()
	}
	defer stop.Store(true)
	require.Eventually(t, func() bool { return procfs.Delayed(me)-before > 20*time.Millisecond }, 20*time.Second, 5*time.Millisecond)
}
