package lab

import (
	"errors"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/seccomp"
)

// RefuseCloseOnExec makes each second call fail with EPERM, in all threads of this process
// and for good, that would make a descriptor close-on-exec (F_SETFD with FD_CLOEXEC,
// FIOCLEX). So it is that only if the call that made it asked for it. The moment between two
// calls, in which another goroutine may start a program, is never seen otherwise. F_SETFD
// with 0 passes: os/exec has it for a descriptor that a program is to inherit.
//
// A test that starts such a process calls [Lab.RefusesCalls] first.
func (c *Child) RefuseCloseOnExec() error {
	const fioclex = 0x5451 // ioctl_tty(2); the same on both architectures
	return errors.Join(
		refuse(unix.EPERM, unix.SYS_FCNTL, jump(unix.BPF_JEQ, unix.F_SETFD), seccomp.Argument(2), jump(unix.BPF_JSET, unix.FD_CLOEXEC)),
		refuse(unix.EPERM, unix.SYS_IOCTL, jump(unix.BPF_JEQ, fioclex)))
}

// RefuseCall makes every call of that number fail, as RefuseCloseOnExec does: connect(2)
// with EACCES, say, which root never gets otherwise.
func (c *Child) RefuseCall(why unix.Errno, number uint32) error { return refuse(why, number) }

// RefusesCalls ends the step as unsupported where this machine cannot refuse a process its
// system calls (seccomp(2)).
func (l *Lab) RefusesCalls() {
	l.t.Helper()
	const isAvailable = 2 // SECCOMP_GET_ACTION_AVAIL
	action := uint32(unix.SECCOMP_RET_ERRNO)
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, isAvailable, 0, uintptr(unsafe.Pointer(&action))); errno != 0 {
		l.Unsupported("This machine cannot refuse a process its system calls: seccomp(2) says %v.", errno)
	}
}

// RefuseBlocking makes each call fail with EPERM, as RefuseCloseOnExec does, that would
// make a descriptor blocking: F_SETFL without O_NONBLOCK.
func (c *Child) RefuseBlocking() error {
	return refuse(unix.EPERM, unix.SYS_FCNTL, jump(unix.BPF_JEQ, unix.F_SETFL), seccomp.Argument(2), otherwise(jump(unix.BPF_JSET, unix.O_NONBLOCK)))
}

// jump goes on with the next instruction if the test holds, and lets the call pass if not.
func jump(test uint16, k uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, K: k, Jf: toTheEnd}
}

// otherwise is the same the other way round.
func otherwise(f unix.SockFilter) unix.SockFilter {
	f.Jt, f.Jf = f.Jf, f.Jt
	return f
}

// toTheEnd stands for as many instructions as there are up to the last one.
const toTheEnd = 255

// refuse makes a call fail for which all tests hold, in all threads and for good. They begin with its second argument.
func refuse(why unix.Errno, number uint32, tests ...unix.SockFilter) error {
	program := slices.Concat([]unix.SockFilter{seccomp.Load(0), jump(unix.BPF_JEQ, number), seccomp.Argument(1)}, tests, []unix.SockFilter{
		seccomp.Give(unix.SECCOMP_RET_ERRNO | uint32(why)), seccomp.Give(unix.SECCOMP_RET_ALLOW)})
	for i := range program {
		left := uint8(len(program) - 2 - i)
		if program[i].Jt == toTheEnd {
			program[i].Jt = left
		}
		if program[i].Jf == toTheEnd {
			program[i].Jf = left
		}
	}
	runtime.LockOSThread() // for both calls
	defer runtime.UnlockOSThread()
	_, err := setFilter(program, 0)
	return err
}

// setFilter sets a filter of seccomp(2) for all threads of this process. The thread has to
// be locked.
func setFilter(program []unix.SockFilter, flags uintptr) (fd int, err error) {
	return setFilterHere(program, unix.SECCOMP_FILTER_FLAG_TSYNC|flags)
}

// setFilterHere sets one for this thread.
func setFilterHere(program []unix.SockFilter, flags uintptr) (fd int, err error) {
	if err := seccomp.NoNewPrivileges(); err != nil {
		return -1, err
	}
	return seccomp.Set(program, flags)
}
