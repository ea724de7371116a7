package limits

import (
	"errors"
	"math/bits"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pendingSignals is that of the signals that wait in queues. All processes of a user have it
// together: SigQ in /proc/PID/status (proc_pid_status(5)).
var pendingSignals = Limit{
	Name: "signals that wait in queues", Key: "RLIMIT_SIGPENDING, for all processes of a user",
	Mend:  "end the programs that block signals which others queue for them, or ulimit -i 10000, as root",
	words: []string{unix.EAGAIN.Error(), "sigqueue"}, own: "signals of this user may wait",
	left: queueSignal, most: signalsAllowed, used: signalsWaiting, each: true,
}

func signalsAllowed() (uint64, bool) {
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_SIGPENDING, &limit)
	return limit.Cur, err == nil && limit.Cur != unix.RLIM_INFINITY
}

// queueSignal queues a real-time signal for its own thread, which blocks it, and takes it.
func queueSignal() error {
	const signal = 40
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set, before unix.Sigset_t
	set.Val[0] = 1 << (signal - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, &before); err != nil {
		return nil // that is another matter
	}
	defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	info := [32]int32{signal, 0, -1} // siginfo_t; the code is SI_QUEUE
	_, _, errno := unix.Syscall6(unix.SYS_RT_TGSIGQUEUEINFO, uintptr(os.Getpid()), uintptr(unix.Gettid()),
		signal, uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno == unix.EAGAIN {
		return errno
	}
	var now unix.Timespec
	for errors.Is(take(&set, &now), unix.EINTR) {
	}
	return nil
}

// take takes a signal that waits (rt_sigtimedwait(2)).
func take(set *unix.Sigset_t, within *unix.Timespec) error {
	_, _, errno := unix.Syscall6(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(set)), 0, uintptr(unsafe.Pointer(within)), 8, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// signalsWaiting counts the kinds of signals that wait in a process. How many there are of
// each the kernel does not tell.
func signalsWaiting(pid string) (kinds int) {
	text, _ := os.ReadFile("/proc/" + pid + "/status")
	for line := range strings.Lines(string(text)) {
		for _, name := range []string{"SigPnd:", "ShdPnd:"} {
			if mask, ok := strings.CutPrefix(line, name); ok {
				n, _ := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
				kinds += bits.OnesCount64(n)
			}
		}
	}
	return kinds
}
