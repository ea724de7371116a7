package launch_test

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// openQueue calls mq_open(2), which takes the name without its slash. Flags may
// hold O_CREAT. The descriptor is closed again: it is the name that stays.
func openQueue(name *byte, flags int) error {
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(name)), uintptr(flags), 0o600, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return unix.Close(int(fd))
}

func unlinkQueue(name string) {
	p, err := unix.BytePtrFromString(name)
	if err == nil {
		unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(p)), 0, 0)
	}
}
