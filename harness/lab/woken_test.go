package lab

import (
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A timeout is seen in whatever call it is, also where Go's runtime makes that.
func TestASleepWithATimeoutIsSeen(t *testing.T) {
	l := New(t)
	for _, how := range []string{"for good", "a read", "an hour"} {
		p := l.Start(sleepsSomehow, Tell("how", how))
		p.Blocks("nothing comes", SleepsUntilWoken(p))
		require.Empty(t, l.failures, how)
		p.Kill()
	}
	for _, how := range []string{"poll", "ppoll", "futex", "futex until", "futex until a date", "select", "Sleep"} {
		found := failing(t, func(l *Lab) {
			p := l.Start(sleepsSomehow, Tell("how", how))
			l.Until("a process that sleeps", SleepsUntilWoken(p))
		})
		require.Contains(t, found, "sleeps until something wakes it", how)
		require.Contains(t, found, "it sleeps for ", how)
	}
}

var sleepsSomehow = NewRole("sleeps somehow", func(c *Child) error {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	set := []unix.PollFd{{Fd: int32(ends[0]), Events: unix.POLLIN}}
	for {
		switch c.Text("how") {
		case "for good":
			_, _ = unix.Poll(set, -1)
		case "a read":
			_, _ = unix.Read(ends[0], make([]byte, 1))
		case "an hour":
			time.Sleep(time.Hour)
		case "poll":
			_, _ = unix.Poll(set, 700)
		case "ppoll":
			_, _ = unix.Ppoll(set, &unix.Timespec{Nsec: 700e6}, nil)
		case "select":
			_, _ = unix.Select(0, nil, nil, nil, &unix.Timeval{Usec: 700e3})
		case "futex":
			word, timeout := uint32(0), unix.Timespec{Nsec: 700e6}
			_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), 0, 0, uintptr(unsafe.Pointer(&timeout)), 0, 0)
		case "futex until", "futex until a date":
			const waitBitset, realtime = 9, 256
			operation, clock := uintptr(waitBitset), int32(unix.CLOCK_MONOTONIC)
			if c.Text("how") == "futex until a date" {
				operation, clock = waitBitset|realtime, unix.CLOCK_REALTIME
			}
			word, until := uint32(0), unix.Timespec{}
			if err := unix.ClockGettime(clock, &until); err != nil {
				return err
			}
			until = unix.NsecToTimespec(until.Nano() + 700e6)
			_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&word)), operation, 0, uintptr(unsafe.Pointer(&until)), 0, 0xffffffff)
		case "Sleep":
			time.Sleep(700 * time.Millisecond)
		}
	}
})
