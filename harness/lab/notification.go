package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
	"ipcworkbook/harness/step/seccomp"
)

// shownCalls are those that look at a file or change one. A socket's file is one, and so is a
// POSIX queue. They have the descriptor, or that of a folder, as their first argument, but
// for some: see named. The futexes that processes share are shown as well.
var shownCalls = map[int32]string{
	unix.SYS_OPENAT:            "openat",
	unix.SYS_READ:              "read",
	unix.SYS_READV:             "readv",
	unix.SYS_PREAD64:           "pread",
	unix.SYS_PREADV:            "preadv",
	unix.SYS_PREADV2:           "preadv2",
	unix.SYS_WRITE:             "write",
	unix.SYS_WRITEV:            "writev",
	unix.SYS_PWRITE64:          "pwrite",
	unix.SYS_PWRITEV:           "pwritev",
	unix.SYS_PWRITEV2:          "pwritev2",
	unix.SYS_LSEEK:             "lseek",
	unix.SYS_FSTAT:             "fstat",
	sysFstatat:                 "fstatat",
	unix.SYS_STATX:             "statx",
	unix.SYS_FTRUNCATE:         "ftruncate",
	unix.SYS_FALLOCATE:         "fallocate",
	unix.SYS_FCNTL:             "fcntl",
	unix.SYS_FLOCK:             "flock",
	unix.SYS_FSYNC:             "fsync",
	unix.SYS_FDATASYNC:         "fdatasync",
	unix.SYS_SYNCFS:            "syncfs",
	unix.SYS_FCHMOD:            "fchmod",
	unix.SYS_FCHMODAT:          "fchmodat",
	unix.SYS_MKNODAT:           "mknodat",
	unix.SYS_UNLINKAT:          "unlinkat",
	unix.SYS_LINKAT:            "linkat",
	unix.SYS_RENAMEAT:          "renameat",
	unix.SYS_RENAMEAT2:         "renameat2",
	unix.SYS_BIND:              "bind",
	unix.SYS_LISTEN:            "listen",
	unix.SYS_CONNECT:           "connect",
	unix.SYS_INOTIFY_ADD_WATCH: "inotify_add_watch",
	unix.SYS_MQ_OPEN:           "mq_open",
	unix.SYS_MQ_UNLINK:         "mq_unlink",
	unix.SYS_MQ_GETSETATTR:     "mq_getsetattr",
	unix.SYS_FUTEX_WAITV:       "futex_waitv",
}

// otherCalls are names of some others.
var otherCalls = map[int32]string{
	unix.SYS_SCHED_YIELD: "sched_yield", unix.SYS_NANOSLEEP: "nanosleep", unix.SYS_CLOCK_NANOSLEEP: "clock_nanosleep",
	unix.SYS_GETTID: "gettid", unix.SYS_GETPID: "getpid", unix.SYS_SET_ROBUST_LIST: "set_robust_list",
	unix.SYS_CLOSE: "close", unix.SYS_TIMERFD_CREATE: "timerfd_create",
	unix.SYS_SEMOP: "semop", unix.SYS_SEMTIMEDOP: "semtimedop", unix.SYS_MSGSND: "msgsnd", unix.SYS_MSGRCV: "msgrcv",
	unix.SYS_MQ_TIMEDSEND: "mq_timedsend", unix.SYS_MQ_TIMEDRECEIVE: "mq_timedreceive", unix.SYS_PPOLL: "ppoll", unix.SYS_PIDFD_OPEN: "pidfd_open",
}

// Of futex(2) only those are shown that processes share, without FUTEX_PRIVATE_FLAG: the others
// are the runtime's.
const futexPrivate = 128

var futexes = map[uint64]string{0: "wait", 1: "wake", 5: "wake", 9: "wait", 10: "wake"}

var fcntls = map[uint64]string{
	unix.F_GETLK: "F_GETLK", unix.F_SETLK: "F_SETLK", unix.F_SETLKW: "F_SETLKW",
	unix.F_SETFD: "F_SETFD", unix.F_SETFL: "F_SETFL",
	unix.F_OFD_GETLK: "F_OFD_GETLK", unix.F_OFD_SETLK: "F_OFD_SETLK", unix.F_OFD_SETLKW: "F_OFD_SETLKW",
}

// notification is a call that a thread is about to make.
type notification struct{ seccomp.Notification }

// named are those whose first argument is a name, another address, or a process: it is no descriptor.
var named = map[int32]bool{
	unix.SYS_MQ_OPEN: true, unix.SYS_MQ_UNLINK: true, unix.SYS_FUTEX: true, unix.SYS_FUTEX_WAITV: true, unix.SYS_PIDFD_OPEN: true,
}

// file is what the descriptor stands for, "" where it is none.
func (n notification) file() string {
	if named[n.Number] {
		return ""
	}
	target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", n.Thread, int32(n.Args[0])))
	return target
}

// ofTheRuntime tells the Go runtime's own calls from those of the program: it wakes
// its poller up with an eventfd, and looks at the limits of its cgroup. A program may have
// eventfds, too.
func (n notification) ofTheRuntime() bool {
	file := n.file()
	if file != "anon_inode:[eventfd]" {
		return strings.HasPrefix(file, "/sys/fs/cgroup/")
	}
	p, err := procfs.Read(int(n.Thread))
	return err != nil || slices.Contains(runtimesEventfds(p), int(int32(n.Args[0])))
}

// shortName is what a person calls a file: the last part of its path, or "socket" and
// "eventfd" for "socket:[4711]" and "anon_inode:[eventfd]".
func shortName(file string) string {
	if name, is := strings.CutPrefix(file, "anon_inode:"); is {
		return strings.Trim(name, "[]")
	}
	name, _, _ := strings.Cut(filepath.Base(file), ":[")
	return name
}

func (n notification) String() string {
	var args []string
	if file := n.file(); file != "" {
		args = append(args, shortName(file))
	}
	if name := fcntls[n.Args[1]]; name != "" && n.Number == unix.SYS_FCNTL {
		args = append(args, name)
	}
	switch name := shownCalls[n.Number]; {
	case n.Number == unix.SYS_FUTEX:
		const operation = futexPrivate - 1
		return fmt.Sprintf("futex(%s)", futexes[n.Args[1]&operation])
	case name == "" && otherCalls[n.Number] != "": // see ShowAllCalls
		return otherCalls[n.Number]
	case name == "":
		return fmt.Sprintf("system call %d", n.Number)
	default:
		return fmt.Sprintf("%s(%s)", name, strings.Join(args, ", "))
	}
}
