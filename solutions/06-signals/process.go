package signals

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

type Process struct {
	pid    int
	f      *os.File // a pidfd
	raw    syscall.RawConn
	closed atomic.Bool
	once   sync.Once
	ended  chan struct{} // closed when a goroutine has seen the end, or Close
	err    error         // os.ErrClosed then, or nil
}

func Open(pid int) (*Process, error) {
	if err := one(pid); err != nil {
		return nil, err
	}
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("pidfd_open of %d: %w", pid, err)
	}
	p := &Process{pid: pid, f: os.NewFile(uintptr(fd), "pidfd"), ended: make(chan struct{})}
	if p.raw, err = p.f.SyscallConn(); err != nil {
		p.f.Close()
		return nil, err
	}
	return p, nil
}

func (p *Process) PID() int { return p.pid }

func (p *Process) Signal(sig syscall.Signal) error {
	if err := number(sig); err != nil {
		return err
	}
	var sent error
	err := p.raw.Control(func(fd uintptr) {
		if readable(fd) {
			sent = unix.ESRCH // also as long as nobody has waited for it
			return
		}
		sent = unix.PidfdSendSignal(int(fd), sig, nil, 0)
	})
	if err != nil {
		return p.closedIs(err)
	}
	return wrap("pidfd_send_signal", p.pid, sig, sent)
}

// readable is what a pidfd is from its process's end on.
func readable(fd uintptr) bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		if !errors.Is(err, unix.EINTR) {
			return n == 1
		}
	}
}

func (p *Process) Ended() bool {
	ended := false
	err := p.raw.Control(func(fd uintptr) { ended = readable(fd) })
	return err == nil && ended
}

// Wait leaves the waiting to one goroutine, so that each caller may have a context of its own.
func (p *Process) Wait(ctx context.Context) error {
	p.once.Do(func() {
		go func() {
			defer close(p.ended)
			p.err = p.closedIs(p.raw.Read(readable))
		}()
	})
	if p.Ended() {
		return nil
	}
	if p.closed.Load() {
		return os.ErrClosed
	}
	select {
	case <-p.ended:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Process) SyscallConn() (syscall.RawConn, error) {
	if p.closed.Load() {
		return nil, os.ErrClosed
	}
	return p.f.SyscallConn()
}

func (p *Process) Close() error {
	if p.closed.Swap(true) {
		return os.ErrClosed
	}
	return p.f.Close()
}

// closedIs makes os.ErrClosed of an error after Close.
func (p *Process) closedIs(err error) error {
	if err != nil && p.closed.Load() {
		return os.ErrClosed
	}
	return err
}
