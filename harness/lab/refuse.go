package lab

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RefuseFlags makes each second call fail with EPERM, in all threads of this process and
// for good, that would make a descriptor close-on-exec (F_SETFD, FIOCLEX) or blocking
// (F_SETFL without O_NONBLOCK). So a descriptor is close-on-exec only if the call that
// made it asked for that. The moment between two calls, in which another goroutine may
// start a program, is never seen otherwise.
//
// The error says that this machine has no seccomp(2).
func (c *Child) RefuseFlags() error {
	// The filter sees struct seccomp_data: the number of the call, and its arguments of 8
	// bytes from 16 on. Both architectures are little-endian: the low half comes first.
	const second, third = 16 + 8, 16 + 2*8
	const fioclex = 0x5451 // ioctl_tty(2); the same on both
	const refuse, allow = 10, 11
	var program []unix.SockFilter
	load := func(offset uint32) {
		program = append(program, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset})
	}
	jump := func(test uint16, k uint32, yes, no int) {
		next := len(program) + 1
		program = append(program, unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, K: k, Jt: uint8(yes - next), Jf: uint8(no - next)})
	}
	load(0)
	jump(unix.BPF_JEQ, unix.SYS_IOCTL, 2, 4)
	load(second)
	jump(unix.BPF_JEQ, fioclex, refuse, allow)
	jump(unix.BPF_JEQ, unix.SYS_FCNTL, 5, allow)
	load(second)
	jump(unix.BPF_JEQ, unix.F_SETFD, refuse, 7)
	jump(unix.BPF_JEQ, unix.F_SETFL, 8, allow)
	load(third)
	jump(unix.BPF_JSET, unix.O_NONBLOCK, allow, refuse)
	program = append(program,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}

	runtime.LockOSThread() // for both calls
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl PR_SET_NO_NEW_PRIVS", err)
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return os.NewSyscallError("seccomp", errno)
	}
	return nil
}
