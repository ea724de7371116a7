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
	left := 0
	count := func(m *memory) (err error) { left, err = m.left(); return err }
	err := q.until(ctx, ErrUnfinished, idle, func(bool) (done bool, others []int, err error) {
		err = q.locked(func(m *memory) (err error) {
			// TaskDone takes no lock: so the bell is silenced first, and then comes the look. Who
			// does not go to wait rings again, for others that wait.
			q.bells[idle].silence()
			defer func() {
				if done || err != nil {
					q.bells[idle].ring()
				}
			}()
			if others, err = q.others(m); err != nil {
				return err
			}
			if err := q.lost(m); err != nil {
				return err
			}
			if err := count(m); err != nil {
				return err
			}
			done = left == 0
			if !done && q.makerHasDied(m) {
				return io.ErrUnexpectedEOF
			}
			return nil
		})
		if done || err != nil {
			closeDescriptors(others)
		}
		return done, others, err
	})
	if errors.Is(err, ErrUnfinished) {
		// Others have gone on since the last look.
		if err := q.locked(count); err != nil {
			return err
		}
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
		return e
	}
	return nil
}

// others returns a pidfd of each other participant. Who waits for them looks again when one
// of these processes has ended.
func (q *Queue) others(m *memory) (all []int, err error) {
	for i := range m.used() {
		if i == q.place {
			continue
		}
		fd, err := q.processOf(i)
		if err != nil {
			closeDescriptors(all)
			return nil, err
		}
		if fd >= 0 {
			all = append(all, fd)
		}
	}
	return all, nil
}

// processOf opens a pidfd of a participant, or returns -1 if it has gone. The number in its place
// may be that of another process by now, or of a thread. So it counts only if the participant
// is still there when the pidfd is.
func (q *Queue) processOf(i int) (fd int, err error) {
	fd, err = unix.PidfdOpen(int(q.memory.placeAt(i).pid.Load()), 0)
	switch err {
	case nil:
	case unix.ESRCH, unix.EINVAL, unix.ENOENT: // of a thread; which one depends on the kernel
		return -1, nil
	default:
		return -1, os.NewSyscallError("pidfd_open", err)
	}
	if there, err := q.lock.isTaken(i); !there || err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
