package procfs

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Polled is a descriptor that a thread waits for in poll(2).
type Polled struct {
	FD     int
	Events int16 // POLLIN, POLLOUT
}

// Mode is 'r' or 'w', or 0 for both or neither.
func (p Polled) Mode() byte {
	switch p.Events & (unix.POLLIN | unix.POLLOUT) {
	case unix.POLLIN:
		return 'r'
	case unix.POLLOUT:
		return 'w'
	}
	return 0
}

// polling reads the list that a thread gave to poll(2) from its memory.
func polling(pid int, t Thread) []Polled {
	if t.Syscall != "poll" && t.Syscall != "ppoll" {
		return nil
	}
	const size, most = 8, 64 // struct pollfd; a longer list explains nothing
	n := min(t.Args[1], most)
	b := make([]byte, n*size)
	if readMemory(pid, t.Args[0], b) != nil {
		return nil
	}
	var polls []Polled
	for ; len(b) > 0; b = b[size:] {
		fd := int32(binary.NativeEndian.Uint32(b))
		if fd >= 0 { // poll ignores the others
			polls = append(polls, Polled{int(fd), int16(binary.NativeEndian.Uint16(b[4:]))})
		}
	}
	return polls
}
