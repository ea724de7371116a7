package joinable

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// turn lets others run on this core before somebody goes to sleep. If the other side is
// one of them, it fills the ring meanwhile, or empties it, and nobody has to sleep or to be
// woken up. Where nobody waits for the core, this costs one short call.
//
// But somebody else may wait for the core too, and keep it for milliseconds. Then there
// is no more yielding for a while.
type turn struct {
	stay int // so many times no yield
}

func (t *turn) give() bool {
	if t.stay > 0 {
		t.stay--
		return false
	}
	begun := time.Now()
	syscall.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	if time.Since(begun) > 500*time.Microsecond {
		t.stay = 1000
	}
	return true
}
