package shm

import (
	"math"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The operations of futex(2), which x/sys/unix lacks. Without FUTEX_PRIVATE_FLAG: the
// kernel finds who waits by the page, which is the same in all processes, and not by the
// address.
const (
	opWake          = 1
	opWakeOp        = 5
	opWaitBitset    = 9 // its deadline is a point in time
	clockRealtime   = 256
	everyBit        = 1<<32 - 1
	everybody       = math.MaxInt32
	waiters         = 1 << 31 // FUTEX_WAITERS
	ownerDied       = 1 << 30 // FUTEX_OWNER_DIED
	threadMask      = 1<<30 - 1
	closedByItsUser = threadMask // no thread has that number
)

func futexWait(word *atomic.Uint32, value uint32, deadline time.Time) syscall.Errno {
	var until *unix.Timespec
	if !deadline.IsZero() {
		// UnixNano has no room for years after 2262, and the kernel none for those before 1970.
		until = &unix.Timespec{Sec: max(0, deadline.Unix()), Nsec: int64(deadline.Nanosecond())}
	}
	_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), opWaitBitset|clockRealtime, uintptr(value),
		uintptr(unsafe.Pointer(until)), 0, everyBit)
	return errno
}

// futexWake never waits, so the scheduler need not know of it.
func futexWake(word *atomic.Uint32, most int) syscall.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), opWake, uintptr(most), 0, 0, 0)
	return errno
}

// futexSetAndWake sets a word and wakes all who wait for it, in one call (FUTEX_WAKE_OP): who is
// killed has done both or neither. The call has 12 bits for the new number, or one bit that it
// shifts. An end of a ring has one that goes into neither, and nobody else takes its word.
func futexSetAndWake(word *atomic.Uint32, after uint32) {
	set := 0 // FUTEX_OP_SET, to 0
	switch after {
	case 0:
	case ownerDied:
		set = opArgShift<<28 | 30<<12
	default:
		word.Store(after)
		_ = futexWake(word, everybody)
		return
	}
	futexChangeAndWake(word, set)
}

// futexClearAndWake takes FUTEX_WAITERS away and wakes all who wait, in one call. With two steps the
// bit is gone when somebody is killed in between, and the kernel wakes nobody when he dies.
func futexClearAndWake(word *atomic.Uint32) {
	const andNot = 3 // FUTEX_OP_ANDN
	futexChangeAndWake(word, (opArgShift|andNot)<<28|31<<12)
}

const opArgShift = 8 // FUTEX_OP_ARG_SHIFT: the argument is a bit's number

func futexChangeAndWake(word *atomic.Uint32, change int) {
	address := uintptr(unsafe.Pointer(word))
	_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, address, opWakeOp, everybody, 0, address, uintptr(change))
}
