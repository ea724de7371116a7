// Package joinable is the plain solution of chapter 7: one lock, a count of what is not done, and
// pipes that have a byte in them while there is something to tell.
package joinable

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
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
	return fmt.Sprintf("process %d has ended, and items %v were not done", e.PID, e.Items)
}

// Queue has a file for the memory, and a pipe for each thing that can be waited for.
type Queue struct {
	files          []*os.File
	m              *memory
	lock           lock
	items, room    bell
	idle, stop     bell
	place, maker   int
	isMaker        bool
	closed, daemon atomic.Bool
	calls          sync.RWMutex
}

// bell is a pipe: its read end, and its write end.
type bell struct{ r, w int }

// ring sees to it that there is a byte in the pipe.
func (b bell) ring() {
	if !b.rings() {
		_, _ = unix.Write(b.w, []byte{1})
	}
}

func (b bell) rings() bool { return ready(b.r) }

// silence reads what is there, and never waits.
func (b bell) silence() {
	for b.rings() {
		_, _ = unix.Read(b.r, make([]byte, 64))
	}
}

func ready(fd int) bool {
	set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(set, 0)
		if err != unix.EINTR {
			return n == 1
		}
	}
}

func Create(bound, maxItem int) (*Queue, error) {
	size, err := sizeOf(bound, maxItem)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	q, err := func() (*Queue, error) {
		fd, err := unix.MemfdCreate("queue", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
		if err != nil {
			return nil, err
		}
		files = append(files, os.NewFile(uintptr(fd), "queue"))
		if err := unix.Ftruncate(fd, int64(size)); err != nil {
			return nil, err
		}
		if _, err := unix.Pwrite(fd, header(bound, maxItem, size), 0); err != nil {
			return nil, err
		}
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
			return nil, err
		}
		for range 3 {
			var ends [2]int
			if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
				return nil, err
			}
			files = append(files, os.NewFile(uintptr(ends[0]), "bell"), os.NewFile(uintptr(ends[1]), "bell"))
		}
		return attach(files, bound, maxItem, true)
	}()
	if err != nil {
		closeFiles(files)
		return nil, err
	}
	q.room.ring()
	return q, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

func (q *Queue) Files() []*os.File {
	if q.closed.Load() {
		return nil
	}
	return slices.Clone(q.files)
}

func Attach(files []*os.File, bound, maxItem int) (*Queue, error) {
	return attach(files, bound, maxItem, false)
}

func attach(files []*os.File, bound, maxItem int, isMaker bool) (_ *Queue, err error) {
	if bound < 0 || maxItem < 0 {
		return nil, fmt.Errorf("a bound of %d, items of %d bytes: %w", bound, maxItem, unix.EINVAL)
	}
	if len(files) != 7 {
		return nil, fmt.Errorf("%w: %d files, and not 7", ErrFormat, len(files))
	}
	var fds []int
	for _, f := range files {
		conn, err := f.SyscallConn()
		if err != nil {
			return nil, err
		}
		if err := conn.Control(func(fd uintptr) { fds = append(fds, int(fd)) }); err != nil {
			return nil, err
		}
	}
	s, err := read(fds[0])
	if err != nil {
		return nil, err
	}
	if bound != 0 && bound != s.bound || maxItem != 0 && maxItem != s.maxItem {
		return nil, fmt.Errorf("%w: a bound of %d and items of %d bytes, not %d and %d", ErrFormat, s.bound, s.maxItem, bound, maxItem)
	}
	q := &Queue{files: slices.Clone(files), isMaker: isMaker, maker: -1, lock: lock{fd: -1}, stop: bell{-1, -1}}
	q.items, q.room, q.idle = bell{fds[1], fds[2]}, bell{fds[3], fds[4]}, bell{fds[5], fds[6]}
	defer func() {
		if err != nil {
			q.giveBack()
		}
	}()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	q.stop = bell{ends[0], ends[1]}
	if q.lock.fd, err = unix.Open(fmt.Sprintf("/proc/self/fd/%d", fds[0]), unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		return nil, err
	}
	if q.m, err = s.mapped(fds[0]); err != nil {
		return nil, err
	}
	if err := q.takePlace(); err != nil {
		return nil, err
	}
	if !isMaker {
		if q.maker, err = q.processOf(0); err != nil {
			return nil, err
		}
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	return q, nil
}

func (q *Queue) giveBack() {
	if q.m != nil {
		_ = unix.Munmap(q.m.all)
	}
	for _, fd := range []int{q.lock.fd, q.stop.r, q.stop.w, q.maker} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// in begins a call.
func (q *Queue) in() error {
	q.calls.RLock()
	if q.closed.Load() {
		q.calls.RUnlock()
		return os.ErrClosed
	}
	return nil
}

func (q *Queue) Close() error {
	if q.closed.Swap(true) {
		return os.ErrClosed
	}
	q.stop.ring()
	q.calls.Lock()
	defer q.calls.Unlock()
	err := q.locked(func() error {
		if q.isMaker {
			q.items.ring()
			q.room.ring()
			q.m.put(inEnded, 1)
		}
		q.idle.ring()
		return q.lock.set(unix.F_UNLCK, q.place)
	})
	q.giveBack()
	closeFiles(q.files)
	return err
}

// wait calls try, and waits for the bell or for another descriptor as long as it returns false.
func (q *Queue) wait(ctx context.Context, b bell, as error, try func() (bool, []int, error)) error {
	over := bell{-1, -1}
	for ctx.Err() == nil {
		done, more, err := try()
		if done || err != nil {
			closeAll(more)
			return err
		}
		if over.r < 0 && ctx.Done() != nil {
			var ends [2]int
			if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
				closeAll(more)
				return err
			}
			over = bell{ends[0], ends[1]}
			told := make(chan bool)
			stop := context.AfterFunc(ctx, func() { over.ring(); close(told) })
			defer func() {
				if !stop() {
					<-told
				}
				closeAll([]int{over.r, over.w})
			}()
		}
		var set []unix.PollFd
		maker := q.maker
		if q.m.get(inEnded) != 0 {
			maker = -1 // its process may end: that is nothing to wake up for
		}
		for _, fd := range append([]int{b.r, q.stop.r, maker, over.r}, more...) {
			set = append(set, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
		}
		_, err = unix.Poll(set, -1)
		closeAll(more)
		switch {
		case q.closed.Load():
			return os.ErrClosed
		case err != nil && err != unix.EINTR:
			return err
		}
	}
	return fmt.Errorf("%w: %w", as, context.Cause(ctx))
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

func (q *Queue) Put(ctx context.Context, item []byte) error {
	if err := q.in(); err != nil {
		return err
	}
	defer q.calls.RUnlock()
	if err := q.fits(item); err != nil {
		return err
	}
	return q.wait(ctx, q.room, ErrFull, func() (bool, []int, error) {
		done, err := q.put(item)
		return done, nil, err
	})
}

func (q *Queue) TryPut(item []byte) error {
	if err := q.in(); err != nil {
		return err
	}
	defer q.calls.RUnlock()
	if err := q.fits(item); err != nil {
		return err
	}
	done, err := q.put(item)
	if err == nil && !done {
		err = ErrFull
	}
	return err
}

func (q *Queue) fits(item []byte) error {
	if item == nil {
		return unix.EINVAL
	}
	if len(item) > q.m.maxItem {
		return fmt.Errorf("%d bytes, and an item has up to %d: %w", len(item), q.m.maxItem, unix.EMSGSIZE)
	}
	return nil
}

func (q *Queue) put(item []byte) (done bool, err error) {
	return done, q.locked(func() error {
		m := q.m
		if m.get(inEnded) != 0 || q.makerIsDead() {
			return unix.EPIPE
		}
		if m.waiting() == m.bound {
			q.room.silence()
			return nil
		}
		slot := m.slot(m.get(inHead) + 1)
		binary.NativeEndian.PutUint64(slot, uint64(len(item)))
		copy(slot[8:], item)
		q.items.ring()
		m.put(inHead, m.get(inHead)+1)
		done = true
		return nil
	})
}

func (q *Queue) Get(ctx context.Context) ([]byte, error) { return q.GetInto(ctx, nil) }

func (q *Queue) GetInto(ctx context.Context, buf []byte) (item []byte, err error) {
	if err := q.in(); err != nil {
		return nil, err
	}
	defer q.calls.RUnlock()
	err = q.wait(ctx, q.items, ErrEmpty, func() (bool, []int, error) {
		item, err = q.get(buf)
		return item != nil, nil, err
	})
	if err != nil {
		return nil, err
	}
	return item, nil
}

func (q *Queue) TryGet() ([]byte, error) {
	if err := q.in(); err != nil {
		return nil, err
	}
	defer q.calls.RUnlock()
	item, err := q.get(nil)
	if err == nil && item == nil {
		err = ErrEmpty
	}
	return item, err
}

func (q *Queue) get(buf []byte) (item []byte, err error) {
	return item, q.locked(func() error {
		m, own := q.m, q.m.place(q.place)
		if own.get(undone) >= MaxUndone {
			return fmt.Errorf("%d items are to be done here: %w", MaxUndone, unix.ENOBUFS)
		}
		if m.waiting() == 0 {
			if m.get(inEnded) != 0 {
				return io.EOF
			}
			if q.makerIsDead() {
				return io.ErrUnexpectedEOF
			}
			q.items.silence()
			return nil
		}
		number := m.get(inTail) + 1
		slot := m.slot(number)
		n := binary.NativeEndian.Uint64(slot)
		if n > uint64(m.maxItem) {
			return ErrCorrupt
		}
		if item = buf[:0]; buf == nil || uint64(cap(buf)) < n {
			item = make([]byte, 0, n)
		}
		item = append(item, slot[8:8+n]...)
		// The number is written first. It counts when the tail has reached it.
		own.put(numbers+8*int(own.get(undone)), number)
		own.put(undone, own.get(undone)+1)
		q.room.ring()
		m.put(inTail, number)
		return nil
	})
}

func (q *Queue) TaskDone() error {
	if err := q.in(); err != nil {
		return err
	}
	defer q.calls.RUnlock()
	return q.locked(func() error {
		own := q.m.place(q.place)
		n := own.get(undone)
		if n == 0 {
			return ErrNotTaken
		}
		if n > MaxUndone {
			return ErrCorrupt
		}
		// Who is killed in here leaves a number twice: what counts as done is the last one.
		own.put(undone, n-1)
		copy(own[numbers:], own[numbers+8:numbers+8*n])
		if left, err := q.m.left(); err != nil || left == 0 {
			q.idle.ring()
		}
		return nil
	})
}

func (q *Queue) Len() (n int, err error) {
	if err := q.in(); err != nil {
		return 0, err
	}
	defer q.calls.RUnlock()
	return n, q.locked(func() error { n = q.m.waiting(); return nil })
}
