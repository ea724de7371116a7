package launch

import (
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// By how much the timers of a process may go off later (PR_SET_TIMERSLACK(2const)).
//
// Go's monitor thread asks for 20 µs, some fifty times whenever the program wakes up. A
// supervisor wakes up to look, and that was a third of its processor time. So it has more
// slack than others. What it starts has the usual one again.
const (
	ownSlack   = 4 * time.Millisecond
	UsualSlack = 50 * time.Microsecond
)

// WithSlack calls a function that starts a process, so that this process has so much slack:
// a thread hands its own on to what it starts.
func WithSlack(slack time.Duration, start func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return os.NewSyscallError("prctl PR_GET_TIMERSLACK", err)
	}
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(slack.Nanoseconds()), 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl PR_SET_TIMERSLACK", err)
	}
	err = start()
	if back := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(before), 0, 0, 0); err == nil && back != nil {
		return os.NewSyscallError("prctl PR_SET_TIMERSLACK", back)
	}
	return err
}
