package procfs

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"
)

// Timeout is how long a thread waits at most in its call, as that was asked for. There is none if
// nothing but what it waits for ends the wait, and if that may not be read.
func (t *Thread) Timeout(pid int) (d time.Duration, ok bool) {
	switch t.Syscall {
	case "poll":
		return milliseconds(t.Args[2])
	case "epoll_wait", "epoll_pwait":
		return milliseconds(t.Args[3])
	case "futex":
		if t.Args[1]&^(futexPrivate|futexRealtime) != futexWait {
			return 0, false // the others are told until when, and not how long
		}
		return timespec(pid, t.Args[3], time.Nanosecond)
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
			return 0, false
		}
		return timespec(pid, t.Args[2], time.Nanosecond)
	}
	return 0, false
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
