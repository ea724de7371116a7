package signals

import (
	"math"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// waiter waits with poll(2) for a descriptor, and for a second one that wakes it up.
type waiter struct {
	fd, wake int
	mu       sync.Mutex
	closed   bool
	users    sync.WaitGroup
}

func newWaiter(fd int) (*waiter, error) {
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &waiter{fd: fd, wake: wake}, nil
}

// use holds the descriptors open.
func (w *waiter) use() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return os.ErrClosed
	}
	w.users.Add(1)
	return nil
}

// wait waits until the descriptor is readable: os.ErrClosed or os.ErrDeadlineExceeded if not.
func (w *waiter) wait(deadline time.Time) error {
	p := []unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}, {Fd: int32(w.wake), Events: unix.POLLIN}}
	for {
		timeout := -1
		if !deadline.IsZero() {
			timeout = int(min(max(time.Until(deadline)+time.Millisecond-1, 0)/time.Millisecond, math.MaxInt32))
		}
		n, err := unix.Poll(p, timeout)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("poll", err)
		case p[1].Revents != 0:
			return os.ErrClosed
		case p[0].Revents != 0:
			return nil
		case n == 0 && !time.Now().Before(deadline):
			return os.ErrDeadlineExceeded
		}
	}
}

func (w *waiter) close() error {
	w.mu.Lock()
	closed := w.closed
	w.closed = true
	w.mu.Unlock()
	if closed {
		return os.ErrClosed
	}
	if _, err := unix.Write(w.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
		return err
	}
	w.users.Wait()
	unix.Close(w.wake)
	return unix.Close(w.fd)
}

func (w *waiter) conn() (syscall.RawConn, error) {
	if err := w.use(); err != nil {
		return nil, err
	}
	defer w.users.Done()
	return lend{w}, nil
}

// lend is a syscall.RawConn of the descriptor.
type lend struct{ *waiter }

func (l lend) Control(f func(fd uintptr)) error {
	if err := l.use(); err != nil {
		return err
	}
	defer l.users.Done()
	f(uintptr(l.fd))
	return nil
}

func (l lend) Read(f func(fd uintptr) bool) error {
	if err := l.use(); err != nil {
		return err
	}
	defer l.users.Done()
	for !f(uintptr(l.fd)) {
		if err := l.wait(time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

func (l lend) Write(func(fd uintptr) bool) error { return unix.EBADF }
