package joinable

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

func (q *Queue) Put(ctx context.Context, item []byte) error {
	if err := q.enter(); err != nil {
		return err
	}
	defer q.leave()
	if err := q.fits(item); err != nil {
		return err
	}
	return q.until(ctx, ErrFull, room, func(waits bool) (done bool, _ []int, err error) {
		done, err = q.put(item, waits)
		return done, nil, err
	})
}

func (q *Queue) TryPut(item []byte) error {
	if err := q.enter(); err != nil {
		return err
	}
	defer q.leave()
	if err := q.fits(item); err != nil {
		return err
	}
	done, err := q.put(item, false)
	if !done && err == nil {
		err = ErrFull
	}
	return err
}

func (q *Queue) fits(item []byte) error {
	switch {
	case item == nil:
		return fmt.Errorf("a nil item: %w", unix.EINVAL)
	case len(item) > q.memory.maxItem:
		return fmt.Errorf("an item of %d bytes, and one has %d at most: %w", len(item), q.memory.maxItem, unix.EMSGSIZE)
	}
	return nil
}

// put is over when the head is written. All before that is seen by nobody.
func (q *Queue) put(item []byte, waits bool) (done bool, err error) {
	return done, q.locked(func(m *memory) error {
		if m.ended.Load() != 0 || q.makerHasDied(m) {
			return unix.EPIPE
		}
		n := m.waiting()
		if n == m.bound {
			if waits {
				q.bells[room].silence()
			}
			return nil
		}
		head := m.head.Load()
		slot := m.slot(head + 1)
		binary.NativeEndian.PutUint32(slot[inLength:], uint32(len(item)))
		copy(slot[inItem:], item)
		q.bells[items].ring()
		m.head.Store(head + 1)
		done = true
		return nil
	})
}

func (q *Queue) Get(ctx context.Context) ([]byte, error) { return q.GetInto(ctx, nil) }

func (q *Queue) GetInto(ctx context.Context, buf []byte) (item []byte, err error) {
	if err := q.enter(); err != nil {
		return nil, err
	}
	defer q.leave()
	err = q.until(ctx, ErrEmpty, items, func(waits bool) (done bool, _ []int, err error) {
		item, err = q.get(buf, waits)
		return item != nil, nil, err
	})
	if err != nil {
		return nil, err
	}
	return item, nil
}

func (q *Queue) TryGet() ([]byte, error) {
	if err := q.enter(); err != nil {
		return nil, err
	}
	defer q.leave()
	item, err := q.get(nil, false)
	if item == nil && err == nil {
		err = ErrEmpty
	}
	return item, err
}

// get is over when the tail is written: then the number in this participant's place counts.
func (q *Queue) get(buf []byte, waits bool) (item []byte, err error) {
	return item, q.locked(func(m *memory) error {
		own := m.placeAt(q.place)
		undone, err := own.undone()
		if err != nil {
			return err
		}
		if undone == MaxUndone {
			return fmt.Errorf("%d items were taken here and are to be done, and more is not possible: %w", undone, unix.ENOBUFS)
		}
		if m.waiting() == 0 {
			switch {
			case m.ended.Load() != 0:
				return io.EOF
			case q.makerHasDied(m):
				return io.ErrUnexpectedEOF
			}
			if waits {
				q.bells[items].silence()
			}
			return nil
		}
		number := m.tail.Load() + 1
		slot := m.slot(number)
		n := int(binary.NativeEndian.Uint32(slot[inLength:]))
		if n > m.maxItem {
			return fmt.Errorf("an item of %d bytes, and one has %d at most: %w", n, m.maxItem, ErrCorrupt)
		}
		if item = buf[:0]; buf == nil || n > cap(buf) {
			item = make([]byte, 0, n)
		}
		item = append(item, slot[inItem:inItem+n]...)
		taken := own.taken.Load()
		own.numbers[taken%MaxUndone] = number
		own.taken.Store(taken + 1)
		q.bells[room].ring()
		m.tail.Store(number)
		return nil
	})
}

// TaskDone needs no lock: nobody else writes this number while this participant lives. It rings
// after it has written. If it is killed in between, who waits in Join learns of its death.
func (q *Queue) TaskDone() error {
	if err := q.enter(); err != nil {
		return err
	}
	defer q.leave()
	own := q.memory.placeAt(q.place)
	for {
		finished := own.finished.Load()
		switch undone, err := own.undone(); {
		case err != nil && finished == own.finished.Load(): // else others have gone on between the looks
			return err
		case err == nil && undone == 0:
			return ErrNotTaken
		}
		if own.finished.CompareAndSwap(finished, finished+1) {
			break
		}
	}
	// Who is the last one sees that nothing is left, and others are not woken up for nothing.
	if q.memory.waiting() == 0 && own.finished.Load() == own.taken.Load() && q.bells[idle].rung.Load() == 0 {
		q.bells[idle].write()
	}
	return nil
}

func (q *Queue) Len() (n int, err error) {
	if err := q.enter(); err != nil {
		return 0, err
	}
	defer q.leave()
	err = q.locked(func(m *memory) error { n = m.waiting(); return nil })
	return n, err
}
