package procfs

import "golang.org/x/sys/unix"

// These are old calls. Newer architectures have only their successors.
func init() {
	for n, name := range map[int]string{
		unix.SYS_OPEN:       "open",
		unix.SYS_PIPE:       "pipe",
		unix.SYS_POLL:       "poll",
		unix.SYS_SELECT:     "select",
		unix.SYS_PAUSE:      "pause",
		unix.SYS_EPOLL_WAIT: "epoll_wait",
	} {
		syscalls[n] = name
	}
}
