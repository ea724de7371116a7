package procfs

import (
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Pause lets time pass between two looks, on every core.
//
// A virtual machine may stand still, and it may do so with one core only. A thread
// whose timer is to go off there sleeps on, although its time has come, and two looks
// from another core see nothing move. So there is a sleeper on each core: its timer
// goes off after all those that were due before.
func Pause(d time.Duration) {
	var allowed unix.CPUSet
	if unix.SchedGetaffinity(0, &allowed) != nil {
		time.Sleep(d)
		return
	}
	var sleepers sync.WaitGroup
	for core, left := 0, allowed.Count(); left > 0; core++ {
		if !allowed.IsSet(core) {
			continue
		}
		left--
		sleepers.Go(func() {
			runtime.LockOSThread()
			var one unix.CPUSet
			one.Set(core)
			kept := unix.SchedSetaffinity(0, &one) == nil // not on a core that was just taken away
			sleep(d)
			if kept && unix.SchedSetaffinity(0, &allowed) != nil {
				return // the thread stays locked, and so it ends: nobody else gets it
			}
			runtime.UnlockOSThread()
		})
	}
	sleepers.Wait()
}

// sleep is nanosleep(2) by the thread itself. The timer of time.Sleep may be
// another thread's. It is not late, as a supervisor's other timers may be.
func sleep(d time.Duration) {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	rest := unix.NsecToTimespec(d.Nanoseconds())
	for unix.Nanosleep(&rest, &rest) == unix.EINTR {
	}
}
