// Package joinable is the reference solution of chapter 7. The specification is in the stub,
// chapters/07-joinable; the comments here say why.
package joinable

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	HeaderSize   = 64
	Version      = 1
	MaxBound     = 1 << 15
	MaxItem      = 1 << 24
	MaxMemory    = 1 << 29
	MaxUndone    = 1000
	MaxProcesses = 64
)

var (
	ErrEmpty      = errors.New("no item came")
	ErrFull       = errors.New("no room for an item")
	ErrUnfinished = errors.New("not all items are done")
	ErrNotTaken   = errors.New("no item that was taken here is still to be done")
	ErrFormat     = errors.New("not what this package makes")
	ErrCorrupt    = errors.New("what another process wrote there makes no sense")
)

type LostError struct {
	PID   int
	Items []uint64
}

func (e *LostError) Error() string {
	return fmt.Sprintf("process %d has ended without TaskDone for what it had taken: lost are items number %v", e.PID, e.Items)
}

// Queue is one participant.
type Queue struct {
	files  []*os.File // what others need: the memory, and the bells
	memory *memory
	lock   *lock
	bells  [bells]bell
	place  int // this participant's own, in the memory
	maker  int // a pidfd of the maker, or -1 in the maker's Queue and where it is gone

	isMaker bool
	alive   *alive      // of the maker
	died    atomic.Bool // the maker, without Close
	closed  atomic.Bool
	stop    int          // an eventfd that Close rings, for the calls of this Queue that wait
	calls   sync.RWMutex // held for reading by every call: Close waits for them
	daemon  atomic.Bool
	turn    turn
}

// The bells.
const (
	items = iota // there is an item
	room         // there is room
	idle         // all is done, or who takes part has changed
	bells
)

// Create makes the files, and then attaches to them as everybody else does.
func Create(bound, maxItem int) (*Queue, error) {
	size, err := sizeOf(bound, maxItem)
	if err != nil {
		return nil, err
	}
	files, err := makeFiles(bound, maxItem, size)
	if err != nil {
		return nil, err
	}
	q, err := attach(files, bound, maxItem, true)
	if err != nil {
		closeAll(files)
		return nil, err
	}
	return q, nil
}

func makeFiles(bound, maxItem, size int) (files []*os.File, err error) {
	defer func() {
		if err != nil {
			closeAll(files)
		}
	}()
	fd, err := unix.MemfdCreate("joinable queue", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	files = append(files, os.NewFile(uintptr(fd), "joinable queue"))
	if err := again(func() error { return unix.Ftruncate(fd, int64(size)) }); err != nil {
		return files, os.NewSyscallError("ftruncate", err)
	}
	if _, err := unix.Pwrite(fd, header(bound, maxItem, size), 0); err != nil {
		return files, os.NewSyscallError("pwrite", err)
	}
	// From here on no process can cut it, and so no mapping of it can be SIGBUS.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return files, os.NewSyscallError("fcntl", err)
	}
	for b := range bells {
		rung := uint(1) // there is room, and all is done
		if b == items {
			rung = 0
		}
		fd, err := unix.Eventfd(rung, unix.EFD_CLOEXEC)
		if err != nil {
			return files, os.NewSyscallError("eventfd", err)
		}
		files = append(files, os.NewFile(uintptr(fd), "bell"))
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

func (q *Queue) Files() []*os.File {
	if q.closed.Load() {
		return nil
	}
	return append([]*os.File(nil), q.files...)
}

func Attach(files []*os.File, bound, maxItem int) (*Queue, error) {
	return attach(files, bound, maxItem, false)
}

func attach(files []*os.File, bound, maxItem int, isMaker bool) (_ *Queue, err error) {
	if bound < 0 || maxItem < 0 {
		return nil, fmt.Errorf("a bound of %d, and items of %d bytes: %w", bound, maxItem, unix.EINVAL)
	}
	if len(files) != 1+bells {
		return nil, fmt.Errorf("%w: it has %d files, not %d", ErrFormat, 1+bells, len(files))
	}
	q := &Queue{files: append([]*os.File(nil), files...), isMaker: isMaker, maker: -1, stop: -1}
	fd := -1 // the memory
	for i, f := range files {
		n, err := numberOf(f)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			fd = n
			continue
		}
		if !isEventfd(n) {
			return nil, fmt.Errorf("%w: file %d is no eventfd", ErrFormat, i)
		}
		q.bells[i-1] = bell{fd: n}
	}
	has, err := read(fd)
	if err != nil {
		return nil, err
	}
	if err := has.expected(bound, maxItem); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			q.giveBack()
		}
	}()
	if q.stop, err = unix.Eventfd(0, unix.EFD_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	if q.lock, err = newLock(fd); err != nil {
		return nil, err
	}
	if q.memory, err = has.mapped(fd); err != nil {
		return nil, err
	}
	for b := range q.bells {
		q.bells[b].rung = q.memory.rung[b]
	}
	if err := q.takePlace(); err != nil {
		return nil, err
	}
	if err := q.findMaker(); err != nil {
		return nil, err
	}
	if isMaker {
		q.alive = own(q.memory.alive)
	}
	for _, f := range files {
		if n, err := numberOf(f); err == nil {
			unix.CloseOnExec(n)
		}
	}
	return q, nil
}

// numberOf is File.Fd without its side effect: that takes O_NONBLOCK away.
func numberOf(f *os.File) (n int, err error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	return n, conn.Control(func(fd uintptr) { n = int(fd) })
}

// giveBack gives all back but the files.
func (q *Queue) giveBack() {
	q.alive.leave()
	if q.memory != nil {
		_ = unix.Munmap(q.memory.all)
	}
	if q.lock != nil {
		unix.Close(q.lock.fd) // and with it whatever is locked by it
	}
	for _, fd := range []int{q.maker, q.stop} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// enter begins a call: until leave nothing is given back.
func (q *Queue) enter() error {
	q.calls.RLock()
	if q.closed.Load() {
		q.calls.RUnlock()
		return os.ErrClosed
	}
	return nil
}

func (q *Queue) leave() { q.calls.RUnlock() }

func (q *Queue) Close() error {
	if q.closed.Swap(true) {
		return os.ErrClosed
	}
	bell{fd: q.stop}.write()
	q.calls.Lock()
	defer q.calls.Unlock()
	// The place is free while the lock is held: who waits in Join looks under the lock.
	err := q.locked(func(m *memory) error {
		if q.isMaker {
			q.bells[items].ring()
			q.bells[room].ring()
			m.ended.Store(1)
		}
		q.bells[idle].ring()
		return q.lock.leavePlace(q.place)
	})
	q.giveBack()
	closeAll(q.files)
	return err
}

// again makes a call once more when a signal has interrupted it, as package os does.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
