// Package signals is the reference of chapter 6. What each name does is said in the stub.
package signals

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	MaxSignal = 64
	MinReal   = 35
)

var (
	ErrPID        = errors.New("not the number of one process, or of one group")
	ErrSignal     = errors.New("no such signal")
	ErrValue      = errors.New("a signal carries 32 bits")
	ErrNotBlocked = errors.New("the signal is not blocked in every thread")
	ErrDraining   = errors.New("shutting down: no new work")
	ErrGrace      = errors.New("the time for a clean end is over")
)

func Send(pid int, sig syscall.Signal) error {
	if err := check(pid, sig); err != nil {
		return err
	}
	return wrap("kill", pid, sig, unix.Kill(pid, sig))
}

func SendGroup(pgid int, sig syscall.Signal) error {
	if err := check(pgid, sig); err != nil {
		return err
	}
	if pgid == unix.Getpgrp() {
		return fmt.Errorf("%d is the caller's own group: %w", pgid, ErrPID)
	}
	return wrap("kill of group", pgid, sig, unix.Kill(-pgid, sig))
}

func SendThread(pid, tid int, sig syscall.Signal) error {
	if err := errors.Join(check(pid, sig), one(tid)); err != nil {
		return err
	}
	return wrap("tgkill", pid, sig, unix.Tgkill(pid, tid, sig))
}

// siginfo is what rt_sigqueueinfo(2) takes, on machines of 64 bits.
type siginfo struct {
	signo, errno, code, _ int32
	pid, uid              int32
	value                 int64
	_                     [96]byte
}

const siQueue = -1

func Queue(pid int, sig syscall.Signal, value int) error {
	if err := check(pid, sig); err != nil {
		return err
	}
	if value < math.MinInt32 || value > math.MaxInt32 {
		return fmt.Errorf("%d: %w", value, ErrValue)
	}
	info := siginfo{signo: int32(sig), code: siQueue, pid: int32(os.Getpid()), uid: int32(os.Getuid()), value: int64(uint32(value))}
	_, _, errno := unix.RawSyscall(unix.SYS_RT_SIGQUEUEINFO, uintptr(pid), uintptr(sig), uintptr(unsafe.Pointer(&info)))
	if errno == unix.EAGAIN {
		return fmt.Errorf("sigqueue of %s to process %d: %s: %w", Name(sig), pid, queued(pid), errno)
	}
	if errno != 0 {
		return wrap("sigqueue", pid, sig, errno)
	}
	return nil
}

// queued says how many signals wait for the processes of the receiver's user, and how many may.
func queued(pid int) string {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "\nSigQ:\t")
	line, _, _ := strings.Cut(rest, "\n")
	n, limit, _ := strings.Cut(line, "/")
	return fmt.Sprintf("%s of %s are queued (RLIMIT_SIGPENDING)", n, limit)
}

// sigRTMin is what C programs count from.
const sigRTMin = 34

func Name(sig syscall.Signal) string {
	switch name := unix.SignalName(sig); {
	case name != "":
		return name
	case sig == sigRTMin:
		return "SIGRTMIN"
	case sig > sigRTMin && sig <= MaxSignal:
		return fmt.Sprintf("SIGRTMIN+%d", int(sig-sigRTMin))
	}
	return fmt.Sprintf("signal %d", int(sig))
}

func check(pid int, sig syscall.Signal) error { return errors.Join(one(pid), number(sig)) }

// one refuses what the kernel would take for many processes, for process 1, or, since it
// only looks at 32 bits, for another process.
func one(pid int) error {
	if pid <= 1 || pid > math.MaxInt32 {
		return fmt.Errorf("%d: %w", pid, ErrPID)
	}
	return nil
}

func number(sig syscall.Signal) error {
	if sig < 1 || sig > MaxSignal {
		return fmt.Errorf("signal %d: %w", int(sig), ErrSignal)
	}
	return nil
}

// catchable refuses what no process can catch or block, and an empty list: to os/signal
// that means every signal.
func catchable(sigs []syscall.Signal) error {
	if len(sigs) == 0 {
		return fmt.Errorf("none is named: %w", ErrSignal)
	}
	for _, sig := range sigs {
		if err := number(sig); err != nil {
			return err
		}
		if sig == unix.SIGKILL || sig == unix.SIGSTOP {
			return fmt.Errorf("%s cannot be caught: %w", Name(sig), ErrSignal)
		}
		if sig >= 32 && sig < MinReal {
			return fmt.Errorf("%s is the C library's: %w", Name(sig), ErrSignal)
		}
	}
	return nil
}

func wrap(what string, pid int, sig syscall.Signal, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s to %d: %w", what, Name(sig), pid, err)
}
