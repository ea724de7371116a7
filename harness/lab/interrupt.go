package lab

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Interrupt interrupts a call that waits, again and again: see
// [Process.Interrupt]. It comes after Blocks.
func (c *Call) Interrupt(times int) {
	c.lab.interrupt(os.Getpid(), times, c.done)
}

// Interrupt sends SIGURG, which a Go program ignores, to every thread of the
// process. It does so a number of times, and each time waits until nothing
// moves any more: so each signal meets a call that waits. It stops early when
// the process has ended.
//
// What a call does then is in signal(7). The kernel restarts most calls. A write
// that has written a part is short. And some calls are never restarted and
// return EINTR: msgrcv, msgsnd, semop, sigtimedwait, poll, epoll_wait, futex with
// a timeout, and others.
func (p *Process) Interrupt(times int) {
	p.lab.t.Helper()
	p.lab.interrupt(p.PID(), times, p.ended)
}

func (l *Lab) interrupt(pid, times int, done <-chan struct{}) {
	for range times {
		select {
		case <-done:
			return
		default:
		}
		if err := signalThreads(pid, unix.SIGURG); err != nil {
			l.Fault("interrupting process %d: %v", pid, err)
		}
		settle()
	}
}

// signalThreads sends a signal to every thread. One sent to the process as a
// whole would reach a thread of the kernel's choice.
func signalThreads(pid int, signal unix.Signal) error {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if os.IsNotExist(err) {
		return nil // it has ended
	}
	if err != nil {
		return err
	}
	for _, t := range threads {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		// A thread may have ended meanwhile.
		if err := unix.Tgkill(pid, tid, signal); err != nil && err != unix.ESRCH {
			return os.NewSyscallError("tgkill", err)
		}
	}
	return nil
}
