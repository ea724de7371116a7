// Package mqueue is the reference solution of chapter 4. The specification is in the
// stub, chapters/04-mqueue; the comments here say why. What is here only to be fast is
// in raw.go.
package mqueue

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	MaxPriority = 32767
	MaxName     = 255
)

var (
	ErrFull  = errors.New("message queue full")
	ErrEmpty = errors.New("message queue empty")
	ErrAttr  = errors.New("the queue exists with other attributes")
	ErrLimit = errors.New("the user's bytes for message queues are used up")
)

type Attr struct {
	MaxMessages int
	MaxSize     int
	Messages    int
}

// mqAttr is struct mq_attr (mq_getattr(3)): each member is a long of C.
type mqAttr struct {
	flags, maxMessages, maxSize, messages int
	_                                     [4]int
}

// Open makes a descriptor that blocks: see call.
func Open(name string, flag int, perm uint32, attr *Attr) (*Queue, error) {
	path, err := kernelName("mq_open", name)
	if err != nil {
		return nil, err
	}
	var wanted *mqAttr
	if attr != nil {
		wanted = &mqAttr{maxMessages: attr.MaxMessages, maxSize: attr.MaxSize}
	}
	fd, errno := mqOpen(path, flag|unix.O_CLOEXEC, perm, wanted)
	if errno != 0 {
		return nil, refused(name, flag, attr, errno)
	}
	q := NewQueue(os.NewFile(uintptr(fd), name))
	if flag&unix.O_CREAT == 0 || attr == nil {
		return q, nil
	}
	// The kernel opens a queue that is there, and does not look at the attributes.
	got, err := q.Attr()
	if err == nil && (got.MaxMessages != attr.MaxMessages || got.MaxSize != attr.MaxSize) {
		err = &os.PathError{Op: "mq_open", Path: name, Err: fmt.Errorf("%w: %d messages of %d bytes, not %d of %d",
			ErrAttr, got.MaxMessages, got.MaxSize, attr.MaxMessages, attr.MaxSize)}
	}
	if err != nil {
		q.Close()
		return nil, err
	}
	return q, nil
}

// mqOpen starts anew after a signal, as os.OpenFile does.
func mqOpen(path *byte, flag int, perm uint32, attr *mqAttr) (int, syscall.Errno) {
	for {
		fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(path)), uintptr(flag), uintptr(perm), uintptr(unsafe.Pointer(attr)), 0, 0)
		if errno != unix.EINTR {
			return int(fd), errno
		}
	}
}

// refused says what the kernel's error means: EMFILE has two reasons.
func refused(name string, flag int, attr *Attr, errno syscall.Errno) error {
	err := error(errno)
	if errno == unix.EMFILE && flag&unix.O_CREAT != 0 && descriptorIsFree() {
		err = usedUp(attr)
	}
	return &os.PathError{Op: "mq_open", Path: name, Err: err}
}

func descriptorIsFree() bool {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return false
	}
	unix.Close(fd)
	return true
}

// usedUp tells what the kernel compared: what is used, what this queue needs, and
// the limit. How much is used nobody can ask, but it follows from the other two.
func usedUp(attr *Attr) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MSGQUEUE, &limit); err != nil {
		return unix.EMFILE
	}
	if attr == nil { // the kernel gives no more than an ordinary user may ask for
		attr = &Attr{
			MaxMessages: min(setting("msg_default"), setting("msg_max")),
			MaxSize:     min(setting("msgsize_default"), setting("msgsize_max")),
		}
	}
	need := QueueBytes(*attr)
	used := max(0, int(limit.Cur)-need)
	return fmt.Errorf("%w: RLIMIT_MSGQUEUE allows %d, this queue needs %d, and more than %d are used: %w",
		ErrLimit, limit.Cur, need, used, unix.EMFILE)
}

// QueueBytes counts as the kernel does (getrlimit(2)): the messages, and for each of
// them a struct msg_msg and, as long as the priorities suffice, a node of a tree.
func QueueBytes(attr Attr) int {
	const msgMsg, treeNode = 48, 48
	return attr.MaxMessages*(attr.MaxSize+msgMsg) + min(attr.MaxMessages, MaxPriority+1)*treeNode
}

func setting(key string) (n int) {
	text, _ := os.ReadFile("/proc/sys/fs/mqueue/" + key)
	fmt.Sscan(string(text), &n)
	return n
}

// Renew makes the name free and takes it, until both succeed: another process may take
// it in between.
func Renew(name string, perm uint32, attr Attr) (*Queue, error) {
	for {
		if err := Unlink(name); err != nil && !errors.Is(err, unix.ENOENT) {
			return nil, err
		}
		q, err := Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, perm, &attr)
		if !errors.Is(err, unix.EEXIST) {
			return q, err
		}
	}
}

func Unlink(name string) error {
	path, err := kernelName("mq_unlink", name)
	if err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(path)), 0, 0); errno != 0 {
		return &os.PathError{Op: "mq_unlink", Path: name, Err: errno}
	}
	return nil
}

// kernelName checks a name as C's library does, and takes off its slash: the system
// call wants a file's name in the root folder of the queues' file system.
func kernelName(op, name string) (*byte, error) {
	rest, ok := strings.CutPrefix(name, "/")
	var errno syscall.Errno
	switch {
	case !ok || strings.Contains(name, "\x00"):
		errno = unix.EINVAL
	case rest == "":
		errno = unix.ENOENT
	case strings.Contains(rest, "/"):
		errno = unix.EACCES
	case len(rest) > MaxName:
		errno = unix.ENAMETOOLONG
	default:
		return unix.BytePtrFromString(rest)
	}
	return nil, &os.PathError{Op: op, Path: name, Err: errno}
}
