package procfs

import (
	"strings"

	"golang.org/x/sys/unix"
)

// Kind is what a descriptor leads to.
type Kind int

const (
	Other Kind = iota // a device, an io_uring, whatever has no name here
	Regular
	Directory
	Pipe // from pipe(2): it has no name
	FIFO // a pipe with a name in the file system
	Socket
	Epoll
	Eventfd
	Signalfd
	Timerfd
	Pidfd
	Inotify
	Memfd
	MQueue
)

// kind tells what a descriptor leads to. Most things without a place in the
// file system are told by their link; the mode tells the rest.
func kind(target string, mode uint32) Kind {
	for prefix, k := range map[string]Kind{
		"anon_inode:[eventpoll]": Epoll,
		"anon_inode:[eventfd":    Eventfd,
		"anon_inode:[signalfd":   Signalfd,
		"anon_inode:[timerfd":    Timerfd,
		"anon_inode:[pidfd]":     Pidfd,
		"pidfd:[":                Pidfd, // since Linux 6.9
		"anon_inode:inotify":     Inotify,
		"anon_inode:[inotify":    Inotify,
		"/memfd:":                Memfd,
		"pipe:[":                 Pipe,
		"socket:[":               Socket,
	} {
		if strings.HasPrefix(target, prefix) {
			return k
		}
	}
	switch mode & unix.S_IFMT {
	case unix.S_IFIFO:
		return FIFO
	case unix.S_IFSOCK:
		return Socket
	case unix.S_IFREG:
		return Regular
	case unix.S_IFDIR:
		return Directory
	}
	return Other
}
