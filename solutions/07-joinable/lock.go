package joinable

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lock is one that the kernel keeps, for a file (flock(2)). It gives it back when its holder ends,
// however that is. It belongs to an open file description: all who have inherited one
// descriptor are one to it. So each participant opens the file anew.
//
// A participant's place is a lock as well: of one byte (F_OFD_SETLK, fcntl(2)), which it
// has for as long as it takes part. Others can see whether it is locked, without a lock.
type lock struct {
	fd int
	mu sync.Mutex // for the goroutines of this participant
}

func newLock(memory int) (*lock, error) {
	path := "/proc/self/fd/" + strconv.Itoa(memory)
	var fd int
	err := again(func() (err error) { fd, err = unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0); return err })
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &lock{fd: fd}, nil
}

// take does not tell Go's scheduler of a call that does not wait.
func (l *lock) take() error {
	l.mu.Lock()
	errno := l.flock(unix.LOCK_EX | unix.LOCK_NB)
	if errno == unix.EWOULDBLOCK || errno == unix.EINTR {
		errno, _ = again(func() error { return unix.Flock(l.fd, unix.LOCK_EX) }).(unix.Errno)
	}
	if errno != 0 {
		l.mu.Unlock()
		return os.NewSyscallError("flock", errno)
	}
	return nil
}

func (l *lock) give() {
	l.flock(unix.LOCK_UN)
	l.mu.Unlock()
}

func (l *lock) flock(how int) unix.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_FLOCK, uintptr(l.fd), uintptr(how), 0)
	return errno
}

func (l *lock) setByte(kind int16, i int) unix.Errno {
	f := unix.Flock_t{Type: kind, Start: int64(i), Len: 1}
	_, _, errno := unix.RawSyscall(unix.SYS_FCNTL, uintptr(l.fd), unix.F_OFD_SETLK, uintptr(unsafe.Pointer(&f)))
	return errno
}

// takePlace locks the byte of a place, for as long as this participant is there.
func (l *lock) takePlace(i int) bool { return l.setByte(unix.F_WRLCK, i) == 0 }

func (l *lock) leavePlace(i int) error {
	if errno := l.setByte(unix.F_UNLCK, i); errno != 0 {
		return os.NewSyscallError("fcntl", errno)
	}
	return nil
}

// isTaken says whether another participant has the place, and so whether it lives.
func (l *lock) isTaken(i int) (bool, error) {
	f := unix.Flock_t{Type: unix.F_WRLCK, Start: int64(i), Len: 1}
	if err := again(func() error { return unix.FcntlFlock(uintptr(l.fd), unix.F_OFD_GETLK, &f) }); err != nil {
		return false, os.NewSyscallError("fcntl", err)
	}
	return f.Type != unix.F_UNLCK, nil
}

// locked calls f with the lock. Who is killed inside leaves its place in busy.
func (q *Queue) locked(f func(m *memory) error) error {
	if err := q.lock.take(); err != nil {
		return err
	}
	defer q.lock.give()
	m := q.memory
	if err := m.mend(); err != nil {
		return err
	}
	if err := m.check(); err != nil {
		return err
	}
	m.busy.Store(uint32(q.place) + 1)
	defer m.busy.Store(0)
	return f(m)
}

// takePlace finds a free place. One whose participant has ended and still had something
// to do is not free before Join has told of it.
func (q *Queue) takePlace() error {
	if err := q.lock.take(); err != nil {
		return err
	}
	defer q.lock.give()
	if err := q.memory.mend(); err != nil {
		return err
	}
	for i := range MaxProcesses {
		p := q.memory.placeAt(i)
		n, err := p.undone()
		if err != nil {
			return err
		}
		if n > 0 || i == 0 != q.isMaker || !q.lock.takePlace(i) {
			continue
		}
		// Who waits in Join does not know yet that this process is there, and may end.
		q.bells[idle].ring()
		p.pid.Store(uint32(os.Getpid()))
		q.memory.places.Store(uint32(max(q.memory.used(), i+1)))
		q.place = i
		return nil
	}
	return fmt.Errorf("%d take part already: %w", MaxProcesses, unix.EUSERS)
}
