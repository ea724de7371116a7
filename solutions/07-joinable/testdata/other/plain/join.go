package joinable

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

func (q *Queue) Join(ctx context.Context) error {
	if err := q.in(); err != nil {
		return err
	}
	defer q.calls.RUnlock()
	left := 0
	err := q.wait(ctx, q.idle, ErrUnfinished, func() (done bool, others []int, err error) {
		err = q.locked(func() (err error) {
			for i := range MaxProcesses {
				if i == q.place {
					continue
				}
				fd, err := q.processOf(i)
				if err != nil {
					return err
				}
				if fd >= 0 {
					others = append(others, fd)
				} else if err := q.lost(i); err != nil {
					return err
				}
			}
			if left, err = q.m.left(); left == 0 || err != nil {
				done = true
				return err
			}
			if q.makerIsDead() {
				return io.ErrUnexpectedEOF
			}
			q.idle.silence()
			return nil
		})
		return done, others, err
	})
	if errors.Is(err, ErrUnfinished) {
		if err := q.locked(func() (err error) { left, err = q.m.left(); return err }); err != nil {
			return err
		}
		return fmt.Errorf("%d items: %w", left, err)
	}
	return err
}

// lost tells of what a participant had that has gone.
func (q *Queue) lost(i int) error {
	p := q.m.place(i)
	n := p.get(undone)
	if n > MaxUndone {
		return ErrCorrupt
	}
	if n == 0 {
		return nil
	}
	e := &LostError{PID: int(p.get(pid))}
	for k := range int(n) {
		e.Items = append(e.Items, p.get(numbers+8*k))
	}
	p.put(undone, 0)
	q.idle.ring() // for others that wait: they are fewer now
	return e
}

// processOf is a pidfd of a participant that is there, or -1.
func (q *Queue) processOf(i int) (int, error) {
	number := q.m.place(i).get(pid)
	if number == 0 || number > 1<<30 {
		return -1, nil
	}
	fd, err := unix.PidfdOpen(int(number), 0)
	if err == unix.ESRCH || err == unix.EINVAL || err == unix.ENOENT {
		return -1, nil
	}
	if err != nil {
		return -1, err
	}
	if there, err := q.lock.isTaken(i); err != nil || !there {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func (q *Queue) makerIsDead() bool {
	return !q.isMaker && q.m.get(inEnded) == 0 && (q.maker < 0 || ready(q.maker))
}

func (q *Queue) Daemon() error {
	if err := q.in(); err != nil {
		return err
	}
	defer q.calls.RUnlock()
	if q.isMaker || q.maker >= 0 && int(q.m.place(0).get(pid)) == os.Getpid() {
		return unix.EINVAL
	}
	if there, err := q.lock.isTaken(0); err != nil {
		return err
	} else if !there || q.maker < 0 {
		return unix.ESRCH
	}
	if q.daemon.Swap(true) {
		return nil
	}
	fd, err := unix.FcntlInt(uintptr(q.maker), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		q.daemon.Store(false)
		return err
	}
	go func() {
		set := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			if _, err := unix.Poll(set, -1); err != unix.EINTR {
				os.Exit(1)
			}
		}
	}()
	return nil
}

// locked calls f with the lock. What a killed one was about to take is not taken.
func (q *Queue) locked(f func() error) error {
	q.lock.mu.Lock()
	defer q.lock.mu.Unlock()
	if err := q.lock.wait(); err != nil {
		return err
	}
	defer q.lock.set(unix.F_UNLCK, MaxProcesses)
	if q.m.waiting() < 0 || q.m.waiting() > q.m.bound {
		return ErrCorrupt
	}
	if err := q.m.repair(); err != nil {
		return err
	}
	q.m.put(inBusy, uint64(q.place+1))
	defer q.m.put(inBusy, 0)
	return f()
}

// repair is for who has the lock, and somebody may have been killed who had it.
func (m *memory) repair() error {
	i := m.get(inBusy)
	if i == 0 {
		return nil
	}
	if i > MaxProcesses {
		return ErrCorrupt
	}
	p := m.place(int(i - 1))
	n := p.get(undone)
	if n > MaxUndone {
		return ErrCorrupt
	}
	if n > 0 && p.get(numbers+8*int(n-1)) > m.get(inTail) {
		p.put(undone, n-1)
	}
	return nil
}

func (q *Queue) takePlace() error {
	q.lock.mu.Lock()
	defer q.lock.mu.Unlock()
	if err := q.lock.wait(); err != nil {
		return err
	}
	defer q.lock.set(unix.F_UNLCK, MaxProcesses)
	if err := q.m.repair(); err != nil {
		return err
	}
	for i := range MaxProcesses {
		p := q.m.place(i)
		if p.get(undone) != 0 || (i == 0) != q.isMaker || q.lock.set(unix.F_WRLCK, i) != nil {
			continue
		}
		q.idle.ring()
		p.put(pid, uint64(os.Getpid()))
		q.place = i
		return nil
	}
	return unix.EUSERS
}

func (p part) get(at int) uint64    { return binary.NativeEndian.Uint64(p[at:]) }
func (p part) put(at int, n uint64) { binary.NativeEndian.PutUint64(p[at:], n) }
