package procfs

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// The calls that can wait, and a few that a program in a loop is often seen
// in. The names come from unix.SYS_*, because the numbers differ between
// architectures; what exists on one only is in syscalls_linux_amd64.go.
var syscalls = map[int]string{
	unix.SYS_READ:     "read",
	unix.SYS_READV:    "readv",
	unix.SYS_PREAD64:  "pread64",
	unix.SYS_PREADV:   "preadv",
	unix.SYS_PREADV2:  "preadv2",
	unix.SYS_WRITE:    "write",
	unix.SYS_WRITEV:   "writev",
	unix.SYS_PWRITE64: "pwrite64",
	unix.SYS_PWRITEV:  "pwritev",
	unix.SYS_PWRITEV2: "pwritev2",

	unix.SYS_SPLICE:          "splice",
	unix.SYS_TEE:             "tee",
	unix.SYS_VMSPLICE:        "vmsplice",
	unix.SYS_SENDFILE:        "sendfile",
	unix.SYS_COPY_FILE_RANGE: "copy_file_range",

	unix.SYS_OPENAT:  "openat",
	unix.SYS_OPENAT2: "openat2",
	unix.SYS_CLOSE:   "close",
	unix.SYS_PIPE2:   "pipe2",

	unix.SYS_ACCEPT:   "accept",
	unix.SYS_ACCEPT4:  "accept4",
	unix.SYS_CONNECT:  "connect",
	unix.SYS_RECVFROM: "recvfrom",
	unix.SYS_RECVMSG:  "recvmsg",
	unix.SYS_RECVMMSG: "recvmmsg",
	unix.SYS_SENDTO:   "sendto",
	unix.SYS_SENDMSG:  "sendmsg",
	unix.SYS_SENDMMSG: "sendmmsg",

	unix.SYS_PPOLL:        "ppoll",
	unix.SYS_PSELECT6:     "pselect6",
	unix.SYS_EPOLL_PWAIT:  "epoll_pwait",
	unix.SYS_EPOLL_PWAIT2: "epoll_pwait2",

	unix.SYS_FUTEX:           "futex",
	unix.SYS_NANOSLEEP:       "nanosleep",
	unix.SYS_CLOCK_NANOSLEEP: "clock_nanosleep",
	unix.SYS_RESTART_SYSCALL: "restart_syscall",
	unix.SYS_SCHED_YIELD:     "sched_yield",

	unix.SYS_KILL:   "kill",
	unix.SYS_WAIT4:  "wait4",
	unix.SYS_WAITID: "waitid",

	unix.SYS_FLOCK: "flock",
	unix.SYS_FCNTL: "fcntl",
	unix.SYS_FSYNC: "fsync",

	unix.SYS_MSGRCV:          "msgrcv",
	unix.SYS_MSGSND:          "msgsnd",
	unix.SYS_SEMOP:           "semop",
	unix.SYS_SEMTIMEDOP:      "semtimedop",
	unix.SYS_MQ_TIMEDRECEIVE: "mq_timedreceive",
	unix.SYS_MQ_TIMEDSEND:    "mq_timedsend",

	unix.SYS_RT_SIGTIMEDWAIT: "rt_sigtimedwait",
	unix.SYS_RT_SIGSUSPEND:   "rt_sigsuspend",

	unix.SYS_IO_URING_ENTER: "io_uring_enter",
}

// SyscallName is the name of a system call, "system call 123" for one that has none
// here, and empty for a negative number.
func SyscallName(n int) string {
	if n < 0 {
		return ""
	}
	if name, ok := syscalls[n]; ok {
		return name
	}
	return "system call " + strconv.Itoa(n)
}

// TakesDescriptor reports whether the first argument of a call is a descriptor.
func TakesDescriptor(call string) bool { return onDescriptor[call] }

// onDescriptor are the calls whose first argument is a descriptor.
var onDescriptor = set("read", "readv", "pread64", "preadv", "preadv2",
	"write", "writev", "pwrite64", "pwritev", "pwritev2",
	"splice", "tee", "vmsplice", "close", "fcntl", "flock", "fsync",
	"accept", "accept4", "connect", "recvfrom", "recvmsg", "recvmmsg",
	"sendto", "sendmsg", "sendmmsg", "mq_timedreceive", "mq_timedsend")

// Mode is 'r' for a call that waits for bytes, 'w' for one that waits for room, and
// 0 for any other.
func Mode(call string) byte { return modes[call] }

// modes are the calls that wait for bytes, and those that wait for room.
var modes = map[string]byte{
	"read": 'r', "readv": 'r', "preadv2": 'r', "tee": 'r', "splice": 'r',
	"write": 'w', "writev": 'w', "pwritev2": 'w', "vmsplice": 'w',
	"recvfrom": 'r', "recvmsg": 'r', "recvmmsg": 'r', "mq_timedreceive": 'r',
	"sendto": 'w', "sendmsg": 'w', "sendmmsg": 'w', "mq_timedsend": 'w',
}

// idle are the calls, beside futex, in which the threads of any Go program rest.
// They say nothing about what the program waits for.
var idle = set("epoll_wait", "epoll_pwait", "epoll_pwait2",
	"nanosleep", "clock_nanosleep", "restart_syscall", "")

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}
