package joinable

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

func (q *Queue) Join(ctx context.Context) error {
	if err := q.enter(); err != nil {
		return err
	}
	defer q.leave()
	left := uint64(0)
	count := func(m *memory) error { left = m.head.Load() - m.done.Load(); return nil }
	if err := q.locked(count); err != nil {
		return err
	}
	err := q.until(ctx, ErrUnfinished, idle, func() (done bool, others []int, err error) {
		err = q.locked(func(m *memory) (err error) {
			if err := q.lost(m); err != nil {
				return err
			}
			if done = count(m) == nil && left == 0; done {
				return nil
			}
			if q.makerHasDied(m) {
				return io.ErrUnexpectedEOF
			}
			q.bells[idle].silence()
			if others, err = q.others(m); err != nil {
				return err
			}
			return q.lost(m) // who has ended since the first look is in none of these
		})
		if err != nil {
			closeDescriptors(others)
		}
		return done, others, err
	})
	if errors.Is(err, ErrUnfinished) {
		return fmt.Errorf("%d items: %w", left, err)
	}
	return err
}

// lost tells of one participant that has gone and still had something to do: these items count
// as done from then on.
func (q *Queue) lost(m *memory) error {
	for i := range m.used() {
		p := m.placeAt(i)
		n, err := p.undone()
		if err != nil {
			return err
		}
		if n == 0 || i == q.place {
			continue
		}
		if there, err := q.lock.isTaken(i); there || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		e := &LostError{PID: int(p.pid.Load())}
		finished := p.finished.Load()
		for k := range uint64(n) {
			e.Items = append(e.Items, p.numbers[(finished+k)%MaxUndone])
		}
		p.finished.Add(uint64(n))
		m.done.Add(uint64(n))
		return e
	}
	return nil
}

// others returns a pidfd of each other participant. Who waits for them looks again when one
// of these processes has ended. The number may be another process's by now: then the place is
// not taken any more.
func (q *Queue) others(m *memory) (all []int, err error) {
	for i := range m.used() {
		if i == q.place {
			continue
		}
		fd, err := unix.PidfdOpen(int(m.placeAt(i).pid.Load()), 0)
		if err == unix.ESRCH || err == unix.EINVAL {
			continue
		}
		if err != nil {
			closeDescriptors(all)
			return nil, os.NewSyscallError("pidfd_open", err)
		}
		all = append(all, fd)
		if there, err := q.lock.isTaken(i); !there || err != nil {
			unix.Close(fd)
			all = all[:len(all)-1]
		}
	}
	return all, nil
}
