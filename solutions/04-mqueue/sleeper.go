package mqueue

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper waits by the runtime's poller, where Close wakes it. What the poller knows is not
// the queue: the kernel would tell it of every message, also while nobody waits, and each time a
// thread would wake up only to hear that. It is an epoll instance in which the queue is,
// and which hears of the queue once each time that it is asked to (EPOLLONESHOT).
//
// So it does not matter either whether the queue's own descriptor blocks.
type sleeper struct {
	mu     sync.Mutex
	closed bool
	f      *os.File // the instance; nil until somebody has waited for long
	epoll  int      // its descriptor
	of     int      // the queue's
	armed  bool     // the queue is in the instance
}

// arm asks to be woken when the queue may have changed. It reports whether that is possible.
func (s *sleeper) arm(fd uintptr, event int16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	op := unix.EPOLL_CTL_ADD
	if s.armed {
		op = unix.EPOLL_CTL_MOD
	}
	if s.f == nil && !s.closed {
		epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
		if err != nil {
			return false
		}
		_ = unix.SetNonblock(epoll, true) // so the poller takes it
		s.f, s.epoll, s.of = os.NewFile(uintptr(epoll), "epoll"), epoll, int(fd)
	}
	s.armed = !s.closed && s.control(op, uint32(event)|unix.EPOLLONESHOT) == nil
	return s.armed
}

func (s *sleeper) control(op int, events uint32) error {
	return unix.EpollCtl(s.epoll, op, s.of, &unix.EpollEvent{Events: events})
}

// sleep waits until then, for what it was armed for.
func (s *sleeper) sleep(deadline time.Time) error {
	if err := s.f.SetReadDeadline(deadline); err != nil {
		return err
	}
	conn, err := s.f.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Read(func(epoll uintptr) bool {
		var came [1]unix.EpollEvent
		n, err := unix.EpollWait(int(epoll), came[:], 0)
		return n > 0 || err != nil && err != unix.EINTR
	})
}

// rest takes the queue out again. Without any event it would not be enough: the kernel asks for
// errors always, and does not say of what kind a change of a queue was.
func (s *sleeper) rest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.armed && !s.closed {
		_ = s.control(unix.EPOLL_CTL_DEL, 0)
	}
	s.armed = false
}

// close wakes who sleeps.
func (s *sleeper) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.f != nil {
		s.f.Close()
	}
}
