package supervisor

import (
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// pace says how many times slower than usual this machine is, an emulated one for
// instance. It is seen in the processor time that this process takes for work which is the
// same on every machine, and none of the learner's: its own start, and pieces of work later.
// The start alone does not tell: where a whole machine waits for its turn, that is so now and
// then, and counts as processor time of whoever runs.
type pace struct {
	start  int
	pieces int
	spent  time.Duration
}

const (
	// What they take on a machine of today, generously: half of it is seen.
	usualStart = 40 * time.Millisecond
	usualPiece = 4 * time.Millisecond

	slowest = 50 // times
)

func newPace() *pace { return &pace{start: times(used(unix.RUSAGE_SELF), usualStart)} }

// slower does one more piece of work and says what all have shown.
func (p *pace) slower() int {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := used(unix.RUSAGE_THREAD)
	for range 200 { // of what a step does most: system calls
		if f, err := os.Open("/proc/self/stat"); err == nil {
			f.Close()
		}
	}
	p.pieces++
	p.spent += used(unix.RUSAGE_THREAD) - before
	return max(p.start, times(p.spent/time.Duration(p.pieces), usualPiece))
}

func times(took, usual time.Duration) int { return int(min(max(took/usual, 1), slowest)) }

func used(who int) time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(who, &used); err != nil {
		return 0
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
