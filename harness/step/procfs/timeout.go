package procfs

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// Alarm is the shortest of the timeouts with which the threads of some processes wait. Without one
// nothing that is asleep wakes up by itself. A timer that is no part of a call is not seen:
// timerfd_create(2), setitimer(2).
func Alarm(pids []int) (d time.Duration, ok bool) {
	for _, pid := range pids {
		for _, t := range readThreads(pid) {
			if its, timed := t.Timeout(pid); timed && (!ok || its < d) {
				d, ok = its, true
			}
		}
	}
	return d, ok
}

// Timeout is how long a thread waits at most in its call, as that was asked for. Where a call is
// told until when it is what is left of that. There is none if
// nothing but what it waits for ends the wait, and if that may not be read.
func (t *Thread) Timeout(pid int) (d time.Duration, ok bool) {
	switch t.Syscall {
	case "poll":
		return milliseconds(t.Args[2])
	case "epoll_wait", "epoll_pwait":
		return milliseconds(t.Args[3])
	case "futex":
		clock := int32(unix.CLOCK_MONOTONIC)
		switch t.Args[1] &^ (futexPrivate | futexRealtime) {
		case futexWait:
			return timespec(pid, t.Args[3], time.Nanosecond)
		case futexLockPI:
			clock = unix.CLOCK_REALTIME
		default:
			if t.Args[1]&futexRealtime != 0 {
				clock = unix.CLOCK_REALTIME
			}
		}
		return until(pid, t.Args[3], clock)
	case "mq_timedsend", "mq_timedreceive":
		return until(pid, t.Args[4], unix.CLOCK_REALTIME)
	case "ppoll":
		return timespec(pid, t.Args[2], time.Nanosecond)
	case "epoll_pwait2":
		return timespec(pid, t.Args[3], time.Nanosecond)
	case "pselect6":
		return timespec(pid, t.Args[4], time.Nanosecond)
	case "select":
		return timespec(pid, t.Args[4], time.Microsecond)
	case "semtimedop":
		return timespec(pid, t.Args[3], time.Nanosecond)
	case "rt_sigtimedwait":
		return timespec(pid, t.Args[2], time.Nanosecond)
	case "nanosleep":
		return timespec(pid, t.Args[0], time.Nanosecond)
	case "clock_nanosleep":
		if t.Args[1]&unix.TIMER_ABSTIME != 0 {
			return until(pid, t.Args[2], int32(t.Args[0]))
		}
		return timespec(pid, t.Args[2], time.Nanosecond)
	}
	return 0, false
}

// until is how long it takes to a moment of a clock, which is in a process's memory.
func until(pid int, addr uint64, clock int32) (time.Duration, bool) {
	at, ok := timespec(pid, addr, time.Nanosecond)
	var now unix.Timespec
	if !ok || unix.ClockGettime(clock, &now) != nil {
		return 0, false
	}
	return max(at-time.Duration(now.Nano()), 0), true
}

// milliseconds is a C int: below 0 it is no timeout.
func milliseconds(arg uint64) (time.Duration, bool) {
	n := int32(arg)
	return time.Duration(n) * time.Millisecond, n >= 0
}

// timespec reads a struct timespec or timeval from a process. A null pointer is no timeout.
func timespec(pid int, addr uint64, unit time.Duration) (time.Duration, bool) {
	b := make([]byte, 16)
	if addr == 0 || readMemory(pid, addr, b) != nil {
		return 0, false
	}
	return time.Duration(binary.NativeEndian.Uint64(b))*time.Second + time.Duration(binary.NativeEndian.Uint64(b[8:]))*unit, true
}
