package chapter

import (
	"io"

	"golang.org/x/sys/unix"
)

// Flock takes a lock of flock(2).
func Flock(fd, how int) {
	for unix.Flock(fd, how) == unix.EINTR {
	}
}

// Record takes a lock of fcntl(2) on length bytes from start on; on all of them
// with length 0.
func Record(fd, command int, kind int16, start, length int64) {
	lock := unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: start, Len: length}
	for unix.FcntlFlock(uintptr(fd), command, &lock) == unix.EINTR {
	}
}
