package procfs

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// File is one descriptor of a process.
type File struct {
	FD     int
	Target string // "pipe:[123]" or a path: what /proc/PID/fd/FD links to
	Kind   Kind
	Dev    uint64
	Inode  uint64
	Flags  int // as open(2) takes them: O_WRONLY, O_NONBLOCK, O_CLOEXEC, …

	// Watched are the descriptors that an Epoll waits for.
	Watched []Watched

	// Process is the one that a Pidfd stands for, 0 if it ended. Reaped says that
	// it ended and that its parent has waited for it.
	Process int
	Reaped  bool

	// Number is what an Eventfd is at, and EventID which one it is: all of them share an inode.
	Number, EventID uint64

	// Filled and Capacity are the bytes that are in a pipe and that fit into
	// it. Both are -1 if that is not known. Space frees by page, so a pipe can
	// be full with less than its capacity in it.
	Filled, Capacity int

	// Hangup says that this is the read end of a pipe and that nobody has its
	// write end open any more. It is false if that is not known.
	Hangup bool

	// Signals are those that a Signalfd takes.
	Signals SignalSet

	// WatchedFiles are what an Inotify tells of.
	WatchedFiles []WatchedFile

	// Queue is what is known of an MQueue, nil for anything else.
	Queue *PosixQueue

	// Locks are those that were taken with this descriptor or a copy of it.
	Locks []Lock
}

// Watched is one line of an epoll's fdinfo.
type Watched struct {
	FD     int
	Events uint32
	Data   uint64 // what the program gave the kernel to find it again
}

// WatchedFile is one line of an inotify descriptor's fdinfo: what it watches, and for
// which events.
type WatchedFile struct {
	Dev, Inode uint64
	Mask       uint32
}

// Reads reports whether the descriptor is open for reading.
func (f File) Reads() bool {
	mode := f.Flags & unix.O_ACCMODE
	return f.Flags&unix.O_PATH == 0 && (mode == unix.O_RDONLY || mode == unix.O_RDWR)
}

// Writes reports whether the descriptor is open for writing.
func (f File) Writes() bool {
	mode := f.Flags & unix.O_ACCMODE
	return f.Flags&unix.O_PATH == 0 && (mode == unix.O_WRONLY || mode == unix.O_RDWR)
}

// Removed reports whether /proc says that the file has lost its name.
func (f File) Removed() bool { return strings.HasSuffix(f.Target, deleted) }

// Name is the name that the file has or had.
func (f File) Name() string { return filepath.Clean(strings.TrimSuffix(f.Target, deleted)) }

// deleted is what /proc writes behind a name that is gone.
const deleted = " (deleted)"

// IsPipe reports whether the file is a pipe, with a name or without.
func (f File) IsPipe() bool { return f.Kind == Pipe || f.Kind == FIFO }

// Same reports whether both lead to the same thing.
func (f File) Same(g File) bool { return f.Dev == g.Dev && f.Inode == g.Inode }

func readFiles(pid int) ([]File, error) {
	fds, err := numbers(procPath(pid, "fd"))
	if err != nil {
		return nil, err
	}
	var files []File
	for _, fd := range fds {
		if f, ok := readFile(pid, fd); ok {
			if f.IsPipe() {
				f.Filled, f.Capacity, f.Hangup = pipeFill(pid, fd)
			}
			if f.Kind == MQueue {
				f.Queue = queueFill(pid, fd)
			}
			files = append(files, f)
		}
	}
	return files, nil
}

// readFile reads one descriptor; it is not ok if that was closed meanwhile.
func readFile(pid, fd int) (File, bool) {
	n := strconv.Itoa(fd)
	link := procPath(pid, "fd", n)
	target, err := os.Readlink(link)
	if err != nil {
		return File{}, false
	}
	info, err := os.ReadFile(procPath(pid, "fdinfo", n))
	if err != nil {
		return File{}, false
	}
	f := File{FD: fd, Target: target, Filled: -1, Capacity: -1}
	// This follows the link to the open file itself, not to its name, which
	// may be gone or belong to something else. It opens nothing.
	var st unix.Stat_t
	if err := unix.Stat(link, &st); err == nil {
		f.Dev, f.Inode = uint64(st.Dev), st.Ino
	}
	f.Kind = kind(target, st.Mode)
	if f.Kind == Regular && isQueue(link) {
		f.Kind = MQueue
	}
	f.parseInfo(string(info))
	return f, true
}

func (f *File) parseInfo(info string) {
	for line := range strings.Lines(info) {
		switch name, value, _ := strings.Cut(line, ":"); name {
		case "flags":
			n, _ := strconv.ParseInt(strings.TrimSpace(value), 8, 64)
			f.Flags = int(n)
		case "Pid":
			f.Process, _ = strconv.Atoi(strings.TrimSpace(value))
			f.Reaped = f.Process == -1
			f.Process = max(f.Process, 0)
		case "eventfd-count":
			f.Number, _ = strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		case "eventfd-id":
			f.EventID, _ = strconv.ParseUint(strings.TrimSpace(value), 10, 64)
		case "sigmask":
			f.Signals = parseSet(value)
		case "lock":
			if l, _, ok := parseLock(value); ok {
				f.Locks = append(f.Locks, l)
			}
		case "inotify wd":
			if w, ok := parseWatchedFile(line); ok {
				f.WatchedFiles = append(f.WatchedFiles, w)
			}
		case "tfd":
			if w, ok := parseWatched(line); ok {
				f.Watched = append(f.Watched, w)
			}
		}
	}
}

// parseWatched reads "tfd: 5 events: 2000001f data: 7f0123 pos:0 …".
func parseWatched(line string) (w Watched, ok bool) {
	f := strings.Fields(line)
	if len(f) < 6 || f[0] != "tfd:" || f[2] != "events:" || f[4] != "data:" {
		return w, false
	}
	fd, err1 := strconv.Atoi(f[1])
	events, err2 := strconv.ParseUint(f[3], 16, 32)
	data, err3 := strconv.ParseUint(f[5], 16, 64)
	return Watched{fd, uint32(events), data}, err1 == nil && err2 == nil && err3 == nil
}

// parseWatchedFile reads "inotify wd:1 ino:9e7e sdev:800013 mask:800afce …".
func parseWatchedFile(line string) (w WatchedFile, ok bool) {
	ino, sdev, mask := uint64(0), uint64(0), uint64(0)
	n, _ := fmt.Sscanf(line, "inotify wd:%x ino:%x sdev:%x mask:%x", new(uint64), &ino, &sdev, &mask)
	// The kernel's own form of a device number is not that of stat(2).
	return WatchedFile{unix.Mkdev(uint32(sdev>>20), uint32(sdev&(1<<20-1))), ino, uint32(mask)}, n == 4
}

// Reaped reports of a pidfd of this process that what it stands for has ended, and that its
// parent has waited for it.
func Reaped(pidfd int) bool {
	f, ok := readFile(os.Getpid(), pidfd)
	return ok && f.Reaped
}
