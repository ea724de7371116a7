package residue

import (
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// queueMagic is the type of the file system of the POSIX queues in statfs(2):
// MQUEUE_MAGIC, which x/sys/unix lacks.
const queueMagic = 0x19800202

// listQueues lists the POSIX queues where their file system is mounted. An
// ordinary folder of that name holds none.
func listQueues(folder string, found Objects) {
	var fs unix.Statfs_t
	if folder == "" || unix.Statfs(folder, &fs) != nil || fs.Type != queueMagic {
		return
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, e := range entries {
		found.add(Object{Kind: PosixQueue, Name: "/" + e.Name()})
	}
}

// probeQueues finds POSIX queues by name, also where nothing lists them and
// where the mounted list is that of another namespace.
func probeQueues(names []string, found Objects) {
	for _, name := range names {
		fd, err := openQueue(name)
		if err == nil {
			unix.Close(fd)
		}
		// A queue that may not be opened is there all the same.
		if err == nil || err == unix.EACCES {
			found.add(Object{Kind: PosixQueue, Name: name})
		}
	}
}

// openQueue opens a queue that is there. The system call takes the name without
// the slash that mq_open(3) asks for.
func openQueue(name string) (int, error) {
	text, err := unix.BytePtrFromString(strings.TrimPrefix(name, "/"))
	if err != nil {
		return -1, err
	}
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(text)), unix.O_RDONLY|unix.O_CLOEXEC, 0, 0, 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// waiting says how many messages wait in a queue (mq_getattr(3)).
func waiting(name string) string {
	fd, err := openQueue(name)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	// struct mq_attr: flags, most messages, their size, messages now, reserved.
	var attr [8]int
	_, _, errno := unix.Syscall(unix.SYS_MQ_GETSETATTR, uintptr(fd), 0, uintptr(unsafe.Pointer(&attr)))
	if errno != 0 {
		return ""
	}
	return count(attr[3], "message", "messages")
}

func unlinkQueue(name string) error {
	text, err := unix.BytePtrFromString(strings.TrimPrefix(name, "/"))
	if err != nil {
		return err
	}
	_, _, errno := unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(text)), 0, 0)
	if errno != 0 && errno != unix.ENOENT {
		return os.NewSyscallError("mq_unlink", errno)
	}
	return nil
}
