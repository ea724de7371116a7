package lab

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// OneCore makes the process run on the first of its cores only. Two processes
// that both do so take turns.
func (c *Child) OneCore() error {
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	for core := 0; ; core++ {
		if all.IsSet(core) {
			one.Set(core)
			break
		}
	}
	return eachThread(func(tid int) error {
		return os.NewSyscallError("sched_setaffinity", unix.SchedSetaffinity(tid, &one))
	})
}

// GiveWay makes the process run only when nobody else wants its core (SCHED_IDLE,
// sched(7)). Another one that wakes up there interrupts it at once, wherever it is:
// between two system calls too. So what may happen there does happen.
func (c *Child) GiveWay() error {
	return eachThread(func(tid int) error {
		return os.NewSyscallError("sched_setattr", unix.SchedSetAttr(tid, &unix.SchedAttr{
			Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}, 0))
	})
}

// eachThread is for the threads that there are now. Those that they make inherit
// what it changes.
func eachThread(change func(tid int) error) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err == nil {
			err = change(tid)
		}
		if err != nil {
			return fmt.Errorf("thread %s: %w", t.Name(), err)
		}
	}
	return nil
}

// Nap sleeps for so many nanoseconds, and not longer than it must: as a rule the
// kernel takes the liberty of 50 µs more (PR_SET_TIMERSLACK).
func (c *Child) Nap(ns int64) error {
	runtime.LockOSThread() // the slack is the thread's own
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl PR_SET_TIMERSLACK", err)
	}
	nap := unix.NsecToTimespec(ns)
	for unix.Nanosleep(&nap, &nap) == unix.EINTR {
	}
	return nil
}
