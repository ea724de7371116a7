package lab

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RefuseCloseOnExec makes each second call fail with EPERM, in all threads of this process
// and for good, that would make a descriptor close-on-exec (F_SETFD, FIOCLEX). So it is
// that only if the call that made it asked for it. The moment between two calls, in
// which another goroutine may start a program, is never seen otherwise.
//
// A test that starts such a process calls [Lab.RefusesCalls] first.
func (c *Child) RefuseCloseOnExec() error {
	const fioclex = 0x5451 // ioctl_tty(2); the same on both architectures
	return errors.Join(
		refuse(unix.EPERM, unix.SYS_FCNTL, jump(unix.BPF_JEQ, unix.F_SETFD)),
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
	const argument = 16 + 2*8
	return refuse(unix.EPERM, unix.SYS_FCNTL, jump(unix.BPF_JEQ, unix.F_SETFL), load(argument), otherwise(jump(unix.BPF_JSET, unix.O_NONBLOCK)))
}

// What a filter sees is struct seccomp_data: the number of the call, and its arguments of
// 8 bytes from 16 on. Both architectures are little-endian: the low half comes first.
func load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
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
	const second = 16 + 8
	program := slices.Concat([]unix.SockFilter{load(0), jump(unix.BPF_JEQ, number), load(second)}, tests, []unix.SockFilter{
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(why)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}})
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
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, os.NewSyscallError("prctl PR_SET_NO_NEW_PRIVS", err)
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	n, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		flags, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return -1, os.NewSyscallError("seccomp", errno)
	}
	return int(n), nil
}
