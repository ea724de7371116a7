package chapter

import "golang.org/x/sys/unix"

// Bell waits until descriptor 4, an eventfd, is written to.
func Bell() { check(unix.Read(4, make([]byte, 8))) }

// Bells waits for descriptor 4 or 5.
func Bells() {
	check(unix.Poll([]unix.PollFd{{Fd: 4, Events: unix.POLLIN}, {Fd: 5, Events: unix.POLLIN}}, -1))
}
