package joinable

import (
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bell is an eventfd: it rings as long as its number is not 0, and whoever waits for it sees
// that (poll(2)). Nobody takes the ringing away by waking up. So who is killed just then has
// not taken it away from the others.
//
// It is rung before what it tells is written, and silenced by who has looked, under
// the lock, and has found nothing. So there is no moment in which something is there and the
// bell does not ring. It may ring for nothing: who comes then looks, and silences it.
//
// The descriptor blocks: O_NONBLOCK belongs to all, and any of them may take it away.
type bell struct {
	fd   int
	rung *atomic.Uint32 // if it is not 0 the bell rings: no call is needed
}

// ring is for who has the lock.
func (b bell) ring() {
	if b.rung.Load() == 0 {
		b.write()
		b.rung.Store(1)
	}
}

func (b bell) write() {
	one := uint64(1)
	_, _, _ = syscall.RawSyscall(unix.SYS_WRITE, uintptr(b.fd), uintptr(unsafe.Pointer(&one)), 8)
}

// silence is for who has the lock.
func (b bell) silence() {
	b.rung.Store(0)
	if isReady(b.fd) {
		var n uint64
		_, _, _ = syscall.RawSyscall(unix.SYS_READ, uintptr(b.fd), uintptr(unsafe.Pointer(&n)), 8)
	}
}

// isReady says whether there is something to read, and does not wait.
func isReady(fd int) bool {
	p := unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	var now unix.Timespec
	n, _, _ := syscall.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)
	return int(n) == 1
}

func isEventfd(fd int) bool {
	target, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	return err == nil && target == "anon_inode:[eventfd]"
}
