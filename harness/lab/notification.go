package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
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
	unix.SYS_SEMOP: "semop", unix.SYS_SEMTIMEDOP: "semtimedop",
}

// Of futex(2) only those are shown that processes share, without FUTEX_PRIVATE_FLAG: the others
// are the runtime's.
const futexPrivate = 128

var futexes = map[uint64]string{0: "wait", 1: "wake", 9: "wait", 10: "wake"}

var fcntls = map[uint64]string{
	unix.F_GETLK: "F_GETLK", unix.F_SETLK: "F_SETLK", unix.F_SETLKW: "F_SETLKW",
	unix.F_SETFD: "F_SETFD", unix.F_SETFL: "F_SETFL",
	unix.F_OFD_GETLK: "F_OFD_GETLK", unix.F_OFD_SETLK: "F_OFD_SETLK", unix.F_OFD_SETLKW: "F_OFD_SETLKW",
}

// notification is struct seccomp_notif of linux/seccomp.h: a thread is about to make
// a call, and waits for an answer.
type notification struct {
	id    uint64
	pid   uint32 // the thread
	flags uint32
	nr    int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

// answer is struct seccomp_notif_resp.
type answer struct {
	id    uint64
	val   int64
	error int32
	flags uint32
}

// errNoMoreCalls says that the process has ended.
var errNoMoreCalls = errors.New("no process has the filter any more")

// nextCall waits for the next call of the process.
func nextCall(listener *os.File) (n notification, err error) {
	conn, err := listener.SyscallConn()
	if err != nil {
		return n, err
	}
	readErr := conn.Read(func(fd uintptr) bool {
		for {
			// To receive where there is nothing waits, in most kernels.
			ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			switch _, err = unix.Poll(ready, 0); {
			case err == unix.EINTR:
				continue // to wait for the next event would miss those that are there
			case err != nil:
				return true
			case ready[0].Revents == 0:
				return false
			case ready[0].Revents&unix.POLLIN == 0:
				err = errNoMoreCalls
				return true
			}
			n = notification{}
			err = notifyIoctl(fd, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n))
			if err != unix.EINTR && err != unix.ENOENT { // it was killed meanwhile
				return true
			}
		}
	})
	return n, errors.Join(err, readErr)
}

// pass lets the call go on.
func (n notification) pass(listener *os.File) error {
	return n.answer(listener, answer{flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE})
}

func (n notification) answer(listener *os.File, a answer) error {
	a.id = n.id
	return control(listener, func(fd int) error {
		for {
			// EINTR comes where another thread of the process is just about to ask.
			err := notifyIoctl(uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&a))
			switch err {
			case unix.EINTR:
				continue
			case unix.ENOENT: // it was killed meanwhile
				return nil
			}
			return err
		}
	})
}

func notifyIoctl(fd uintptr, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

// named are those whose first argument is a name, or another address.
var named = map[int32]bool{unix.SYS_MQ_OPEN: true, unix.SYS_MQ_UNLINK: true, unix.SYS_FUTEX: true, unix.SYS_FUTEX_WAITV: true}

// file is what the descriptor stands for, "" where it is none.
func (n notification) file() string {
	if named[n.nr] {
		return ""
	}
	target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", n.pid, int32(n.args[0])))
	return target
}

// ofTheRuntime tells the Go runtime's own calls from those of the program: it wakes
// its poller up with an eventfd, and looks at the limits of its cgroup.
func (n notification) ofTheRuntime() bool {
	file := n.file()
	return file == "anon_inode:[eventfd]" || strings.HasPrefix(file, "/sys/fs/cgroup/")
}

func (n notification) String() string {
	var args []string
	if file := n.file(); file != "" {
		args = append(args, strings.Trim(filepath.Base(strings.TrimPrefix(file, "anon_inode:")), "[]"))
	}
	if name := fcntls[n.args[1]]; name != "" && n.nr == unix.SYS_FCNTL {
		args = append(args, name)
	}
	switch name := shownCalls[n.nr]; {
	case n.nr == unix.SYS_FUTEX:
		const operation = futexPrivate - 1
		return fmt.Sprintf("futex(%s)", futexes[n.args[1]&operation])
	case name == "" && otherCalls[n.nr] != "": // see ShowAllCalls
		return otherCalls[n.nr]
	case name == "":
		return fmt.Sprintf("system call %d", n.nr)
	default:
		return fmt.Sprintf("%s(%s)", name, strings.Join(args, ", "))
	}
}
