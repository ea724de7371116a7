package shm

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	SemaphoreSize = 64
	MaxSemaphore  = 1<<31 - 1
)

// Semaphore is a number in a region, which is never below zero.
type Semaphore struct {
	region  *Region
	value   *atomic.Uint32
	waiting *atomic.Uint32 // at least so many sleep, or are about to
}

func semaphoreAt(r *Region, offset int) *Semaphore {
	return &Semaphore{region: r, value: at[atomic.Uint32](r, offset+4), waiting: at[atomic.Uint32](r, offset+8)}
}

func NewSemaphore(r *Region, offset, value int) (s *Semaphore, err error) {
	r.using.RLock()
	defer r.done(&err, r.begun())
	if err := r.object("semaphore", offset, SemaphoreSize); err != nil {
		return nil, err
	}
	if value < 0 || value > MaxSemaphore {
		return nil, fmt.Errorf("semaphore: a value of %d: %w", value, unix.EINVAL)
	}
	kind, err := r.begin("semaphore", offset)
	if err != nil {
		return nil, err
	}
	s = semaphoreAt(r, offset)
	s.value.Store(uint32(value))
	s.waiting.Store(0)
	kind.Store(kindSemaphore)
	return s, nil
}

func OpenSemaphore(r *Region, offset int) (s *Semaphore, err error) {
	r.using.RLock()
	defer r.done(&err, r.begun())
	if err := r.object("semaphore", offset, SemaphoreSize); err != nil {
		return nil, err
	}
	if err := r.is(kindSemaphore, "semaphore", offset); err != nil {
		return nil, err
	}
	return semaphoreAt(r, offset), nil
}

func (s *Semaphore) Value() (n int, err error) {
	s.region.using.RLock()
	defer s.region.done(&err, s.region.begun())
	if s.region.closed.Load() {
		return 0, os.ErrClosed
	}
	return int(s.value.Load()), nil
}

func (s *Semaphore) TryWait() (err error) {
	s.region.using.RLock()
	defer s.region.done(&err, s.region.begun())
	if s.region.closed.Load() {
		return os.ErrClosed
	}
	if !s.take() {
		return ErrZero
	}
	return nil
}

// take takes one, if there is one.
func (s *Semaphore) take() bool {
	for {
		n := s.value.Load()
		if n == 0 {
			return false
		}
		if s.value.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// Wait says that it waits before it looks once more: so a Post either is seen by that
// look, or sees who waits.
func (s *Semaphore) Wait(deadline time.Time) (err error) {
	s.region.using.RLock()
	defer s.region.done(&err, s.region.begun())
	if s.region.closed.Load() {
		return os.ErrClosed
	}
	if s.take() {
		return nil
	}
	s.waiting.Add(1)
	for !s.take() {
		if err = s.region.sleep(s.value, 0, deadline, nil); err != nil {
			break
		}
	}
	s.waiting.Add(^uint32(0))
	return err
}

func (s *Semaphore) Post() (err error) {
	s.region.using.RLock()
	defer s.region.done(&err, s.region.begun())
	if s.region.closed.Load() {
		return os.ErrClosed
	}
	for {
		n := s.value.Load()
		if n >= MaxSemaphore {
			return fmt.Errorf("semaphore: its value is %d, the highest one: %w", n, unix.EOVERFLOW)
		}
		if s.value.CompareAndSwap(n, n+1) {
			break
		}
	}
	if s.waiting.Load() > 0 {
		switch errno := futexWake(s.value, 1); errno {
		case 0:
		case unix.EFAULT:
			return fmt.Errorf("%s: %w", s.region.name, ErrCut)
		default:
			return os.NewSyscallError("futex", errno)
		}
	}
	return nil
}
