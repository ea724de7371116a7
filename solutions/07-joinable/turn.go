package joinable

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// turn lets others run on this core before somebody goes to sleep. If the other side is
// one of them, it puts or takes meanwhile. Then nobody has to ring, to sleep or to be woken
// up. Where nobody waits for the core, this costs one short call.
//
// But somebody else may wait for the core too, and keep it for milliseconds. Then there
// is no more yielding for a while.
type turn struct {
	stay atomic.Int32 // so many times no yield
}

func (t *turn) give() {
	if t.stay.Load() > 0 {
		t.stay.Add(-1)
		return
	}
	begun := time.Now()
	_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	if time.Since(begun) > 500*time.Microsecond {
		t.stay.Store(1000)
	}
}
