// Package seccomp sets filters of seccomp(2), and answers for those that ask
// (seccomp_unotify(2)). It decides nothing.
package seccomp

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Load takes 4 bytes of struct seccomp_data: the number of the call is at 0, the
// architecture at 4, and its arguments of 8 bytes each from [Arguments] on. Both
// architectures are little-endian: the low half comes first.
func Load(offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
}

// Arguments is where they begin.
const Arguments = 16

// Argument takes the low half of an argument, counted from 0.
func Argument(n int) unix.SockFilter { return Load(uint32(Arguments + 8*n)) }

// Test compares what was taken, and skips so many instructions if it holds, or if not.
func Test(test uint16, k uint32, yes, no int) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, K: k, Jt: uint8(yes), Jf: uint8(no)}
}

// Give ends the filter with what becomes of the call.
func Give(action uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
}

// Set sets a filter for this thread and what it starts, or for all threads with
// SECCOMP_FILTER_FLAG_TSYNC. The thread has to be locked, and needs CAP_SYS_ADMIN or
// [NoNewPrivileges]. Listener is the descriptor for SECCOMP_FILTER_FLAG_NEW_LISTENER.
func Set(program []unix.SockFilter, flags uintptr) (listener int, err error) {
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	n, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		flags, uintptr(unsafe.Pointer(&filter)))
	if errno != 0 {
		return -1, os.NewSyscallError("seccomp", errno)
	}
	return int(n), nil
}

// NoNewPrivileges gives up what programs with a set-user-ID bit would allow, for this thread.
func NoNewPrivileges() error {
	return os.NewSyscallError("prctl PR_SET_NO_NEW_PRIVS", unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
}
