package chapter

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Word maps a word of a file. It is in the second page, so that its place in the
// file is not its place in the mapping.
func Word(fd, flags int) *uint32 {
	page := os.Getpagesize()
	b, err := unix.Mmap(fd, int64(page), page, unix.PROT_READ|unix.PROT_WRITE, flags)
	check(0, err)
	return (*uint32)(unsafe.Pointer(&b[64]))
}

// Commands of futex(2).
const (
	Wait       = 0
	LockPI     = 6
	WaitBitset = 9
	Private    = 128
)

// Futex waits as long as the word is value.
func Futex(word *uint32, command int, value uint32) {
	for {
		_, _, errno := unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), uintptr(command), uintptr(value), 0, 0, 4)
		if errno != unix.EINTR {
			return
		}
	}
}

// BareFutex does not tell the runtime that it blocks.
func BareFutex(word *uint32, value uint32) {
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), Wait, uintptr(value), 0, 0, 0)
		if errno != unix.EINTR {
			return
		}
	}
}
