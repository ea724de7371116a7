package chapter

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Follow waits until something happens to the file that descriptor 4 is open for. It
// watches it too late: what is in the file was there before.
func Follow(flags int, mask uint32) {
	fd, err := unix.InotifyInit1(flags)
	check(0, err)
	if mask != 0 {
		check(unix.InotifyAddWatch(fd, fmt.Sprintf("/proc/self/fd/%d", 4), mask))
	}
	changes := os.NewFile(uintptr(fd), "inotify")
	check(changes.Read(make([]byte, 4096)))
}
