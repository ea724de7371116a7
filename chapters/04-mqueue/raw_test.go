package mqueue_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	mqueue "ipcworkbook/chapters/04-mqueue"
	"ipcworkbook/harness/lab"
)

// What the steps share: queues, and system calls of the test's own, which show what the
// kernel has.

const (
	create  = unix.O_RDWR | unix.O_CREAT | unix.O_EXCL
	sysvNew = unix.IPC_CREAT | unix.IPC_EXCL | 0o600
)

// queue makes a new POSIX queue. When the test ends it is closed, and its name removed.
func queue(l *lab.Lab, messages, size int) (*mqueue.Queue, string) {
	name := named(l, "jobs")
	q, err := mqueue.Open(name, create, 0o600, &mqueue.Attr{MaxMessages: messages, MaxSize: size})
	require.NoError(l, err, "Open() of a new queue")
	l.CloseAtEnd(q)
	lab.CollectGarbage() // closes a file of which only the number was kept
	return q, name
}

// named returns a name of which nothing is left when the test ends.
func named(l *lab.Lab, what string) string {
	name := l.Name(what)
	l.CloseAtEnd(unlinked(name))
	return name
}

type unlinked string

func (name unlinked) Close() error { rawUnlink(string(name)); return nil }

// again opens a queue that is there once more.
func again(l *lab.Lab, name string, flag int) *mqueue.Queue {
	q, err := mqueue.Open(name, flag, 0, nil)
	require.NoError(l, err, "Open() of a queue that is there")
	l.CloseAtEnd(q)
	return q
}

// system makes a new System V queue, which is removed when the test ends.
func system(l *lab.Lab) (*mqueue.SysV, int) {
	key := l.Key()
	s, err := mqueue.Get(key, sysvNew)
	require.NoError(l, err, "Get() of a new queue")
	l.CloseAtEnd(removed(s.ID()))
	return s, key
}

type removed int

func (id removed) Close() error { return rawRemove(int(id)) }

func rawOpen(name string, flag int, perm uint32, messages, size int) (*os.File, error) {
	path, err := unix.BytePtrFromString(strings.TrimPrefix(name, "/"))
	if err != nil {
		return nil, err
	}
	attr := [8]int{1: messages, 2: size}
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(path)), uintptr(flag|unix.O_CLOEXEC), uintptr(perm), uintptr(unsafe.Pointer(&attr)), 0, 0)
	if errno != 0 {
		return nil, errno
	}
	return os.NewFile(fd, name), nil
}

func rawUnlink(name string) error {
	path, err := unix.BytePtrFromString(strings.TrimPrefix(name, "/"))
	if err != nil {
		return err
	}
	if _, _, errno := unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(path)), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// exists says whether there is a POSIX queue of that name.
func exists(l *lab.Lab, name string) bool {
	f, err := rawOpen(name, unix.O_RDONLY, 0, 0, 0)
	if err == nil {
		f.Close()
		return true
	}
	if err != unix.EACCES {
		require.ErrorIs(l, err, unix.ENOENT, "mq_open()")
	}
	return err == unix.EACCES
}

// attrOf asks the kernel what a queue is like.
func attrOf(l *lab.Lab, end syscall.Conn) mqueue.Attr {
	var attr [8]int
	rawCall(l, end, "mq_getsetattr()", func(fd uintptr) (errno syscall.Errno) {
		_, _, errno = unix.Syscall(unix.SYS_MQ_GETSETATTR, fd, 0, uintptr(unsafe.Pointer(&attr)))
		return errno
	})
	return mqueue.Attr{MaxMessages: attr[1], MaxSize: attr[2], Messages: attr[3]}
}

// now is a deadline of the test's own calls: they never wait.
var now unix.Timespec

func rawSend(l *lab.Lab, end syscall.Conn, message string, priority int) {
	p := append([]byte(message), 0)
	rawCall(l, end, "mq_timedsend()", func(fd uintptr) (errno syscall.Errno) {
		_, _, errno = unix.Syscall6(unix.SYS_MQ_TIMEDSEND, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(message)), uintptr(priority), uintptr(unsafe.Pointer(&now)), 0)
		return errno
	})
}

// sendOld sends "old", if there is room.
func sendOld(fd uintptr) syscall.Errno {
	p := []byte("old")
	_, _, errno := unix.Syscall6(unix.SYS_MQ_TIMEDSEND, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), 0, uintptr(unsafe.Pointer(&now)), 0)
	if errno == unix.ETIMEDOUT {
		return 0
	}
	return errno
}

func rawReceive(l *lab.Lab, end syscall.Conn) (message string, priority int) {
	p := make([]byte, 1<<16)
	var n uintptr
	var prio uint32
	rawCall(l, end, "mq_timedreceive()", func(fd uintptr) (errno syscall.Errno) {
		n, _, errno = unix.Syscall6(unix.SYS_MQ_TIMEDRECEIVE, fd, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), uintptr(unsafe.Pointer(&prio)), uintptr(unsafe.Pointer(&now)), 0)
		return errno
	})
	return string(p[:n]), int(prio)
}

// rawCall makes a system call on the descriptor of an end.
func rawCall(l *lab.Lab, end syscall.Conn, what string, f func(fd uintptr) syscall.Errno) {
	conn, err := end.SyscallConn()
	require.NoError(l, err, "SyscallConn()")
	var errno syscall.Errno
	require.NoError(l, conn.Control(func(fd uintptr) { errno = f(fd) }), "Control()")
	if errno != 0 {
		require.NoError(l, errno, "%s of the test's own", what)
	}
}

func rawMsgsnd(id, typ int, text string) error {
	p := append(binary.NativeEndian.AppendUint64(nil, uint64(typ)), text...)
	if _, _, errno := unix.Syscall6(unix.SYS_MSGSND, uintptr(id), uintptr(unsafe.Pointer(&p[0])), uintptr(len(text)), unix.IPC_NOWAIT, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

func rawMsgrcv(id int) (typ int, text string, err error) {
	p := make([]byte, 8+1<<16)
	n, _, errno := unix.Syscall6(unix.SYS_MSGRCV, uintptr(id), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)-8), 0, unix.IPC_NOWAIT, 0)
	if errno != 0 {
		return 0, "", errno
	}
	return int(binary.NativeEndian.Uint64(p)), string(p[8 : 8+n]), nil
}

func rawRemove(id int) error {
	_, _, errno := unix.Syscall(unix.SYS_MSGCTL, uintptr(id), unix.IPC_RMID, 0)
	if errno != 0 && errno != unix.EINVAL && errno != unix.EIDRM {
		return errno
	}
	return nil
}

// givenAway changes the room of a System V queue and, where the test may, its owner.
func givenAway(l *lab.Lab, id, room int) (owner int) {
	const nobody = 65534
	var d struct {
		perm unix.SysvIpcPerm
		_    [5]uint64 // times, bytes, messages
		room uint64
		_    [3]uint64
	}
	msgctl := func(command uintptr) error {
		if _, _, errno := unix.Syscall(unix.SYS_MSGCTL, uintptr(id), command, uintptr(unsafe.Pointer(&d))); errno != 0 {
			return errno
		}
		return nil
	}
	require.NoError(l, msgctl(unix.IPC_STAT), "msgctl() of the test's own")
	d.room = uint64(room)
	maker := d.perm.Uid
	if d.perm.Uid = nobody; maker != 0 || msgctl(unix.IPC_SET) != nil {
		d.perm.Uid = maker
		require.NoError(l, msgctl(unix.IPC_SET), "msgctl() of the test's own")
	}
	return int(d.perm.Uid)
}

// flagsOf is what the lab says of a descriptor.
func flagsOf(l *lab.Lab, end syscall.Conn) string { return l.OnExec(end) + ", " + l.Waits(end) }

// numberOf is the number of the descriptor behind an end.
func numberOf(l *lab.Lab, end syscall.Conn) (number int) {
	rawCall(l, end, "asking for the number", func(fd uintptr) syscall.Errno { number = int(fd); return 0 })
	return number
}

// takeNumber makes a copy of an end under a number that was free: now it belongs to
// somebody else.
func takeNumber(l *lab.Lab, number int, end syscall.Conn) *os.File {
	require.NoError(l, unix.Dup3(numberOf(l, end), number, unix.O_CLOEXEC), "dup3()")
	f := os.NewFile(uintptr(number), "somebody else's")
	l.CloseAtEnd(f)
	return f
}

// startPoller has Go make its own descriptors, which it does with the first file.
func startPoller() error {
	a, b, err := os.Pipe()
	if err != nil {
		return err
	}
	return errors.Join(a.Close(), b.Close())
}

// lowestFree is the number that the next descriptor will have.
func lowestFree() int {
	fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		unix.Close(fd)
	}
	return fd
}

// noneLeft calls f while the process may open no descriptor, and returns what is wrong
// with its error.
func noneLeft(what string, f func() error) error {
	if err := startPoller(); err != nil {
		return err
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	free := lowestFree()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(free), Max: limit.Max}); err != nil {
		return err
	}
	err := f()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	switch {
	case !errors.Is(err, unix.EMFILE):
		return fmt.Errorf("%s without a free descriptor: expected the kernel's error, EMFILE (%w), and got: %v", what, unix.EMFILE, err)
	case errors.Is(err, mqueue.ErrLimit):
		return fmt.Errorf("%s without a free descriptor returned ErrLimit: EMFILE has two reasons, and the bytes of the queues are not this one's: %w", what, err)
	case lowestFree() != free:
		return fmt.Errorf("%s failed with %w, and left descriptor %d open", what, err, free)
	}
	return nil
}

// unreadable is a message of n bytes in memory that nobody may read. It costs nothing,
// however large it is.
func unreadable(l *lab.Lab, n int) []byte {
	p, err := unix.Mmap(-1, 0, n, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil { // a limit of the process (RLIMIT_AS)
		return make([]byte, min(n, 1<<20))
	}
	l.CloseAtEnd(unmapped(p))
	return p
}

type unmapped []byte

func (m unmapped) Close() error { return unix.Munmap(m) }

// expect receives one message and compares it.
func expect(r interface{ Recv() ([]byte, error) }, want string) error {
	got, err := r.Recv()
	if err != nil {
		return err
	}
	return same(got, want)
}

func same(got []byte, want string) error {
	switch {
	case string(got) == want:
		return nil
	case max(len(got), len(want)) > 20: // nobody can read that
		return fmt.Errorf("of the %d bytes that were sent it received: %s", len(want), lab.Difference([]byte(want), got))
	}
	return fmt.Errorf("received %q where %q was sent", got, want)
}

// pattern is a message of n bytes in which no two pages are alike.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return p
}

// many is how many messages keeps receives.
const many = 1000

// keeps returns how many bytes are in use because somebody keeps what receive returns.
func keeps(l *lab.Lab, receive func() []byte) int {
	inUse := func() int {
		var m runtime.MemStats
		lab.CollectGarbage()
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	receive() // which may take memory of its own
	before := inUse()
	kept := make([][]byte, many)
	for i := range kept {
		kept[i] = receive()
	}
	after := inUse()
	runtime.KeepAlive(kept)
	return after - before
}

// sizesUpTo are some sizes of messages, with the smallest and the largest ones.
func sizesUpTo(most int, random *rand.Rand) []int {
	sizes := []int{most, 0, 1, most - 1, 0}
	for range 20 {
		sizes = append(sizes, random.IntN(most+1))
	}
	return sizes
}
