package signals

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

type Process struct {
	pid  int
	w    *waiter
	once sync.Once
	end  chan error // what a goroutine has seen, handed on from one Wait to the next
}

func Open(pid int) (*Process, error) {
	if err := one(pid); err != nil {
		return nil, err
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("pidfd_open of %d: %w", pid, err)
	}
	w, err := newWaiter(fd)
	if err != nil {
		return nil, err
	}
	return &Process{pid: pid, w: w, end: make(chan error, 1)}, nil
}

func (p *Process) PID() int { return p.pid }

func (p *Process) Signal(sig syscall.Signal) error {
	if err := number(sig); err != nil {
		return err
	}
	if err := p.w.use(); err != nil {
		return err
	}
	defer p.w.users.Done()
	if p.w.wait(time.Unix(1, 0)) == nil {
		return wrap("pidfd_send_signal", p.pid, sig, unix.ESRCH)
	}
	return wrap("pidfd_send_signal", p.pid, sig, unix.PidfdSendSignal(p.w.fd, sig, nil, 0))
}

func (p *Process) Ended() bool {
	if p.w.use() != nil {
		return false
	}
	defer p.w.users.Done()
	return p.w.wait(time.Unix(1, 0)) == nil
}

func (p *Process) Wait(ctx context.Context) error {
	if p.Ended() {
		return nil
	}
	if err := p.w.use(); err != nil {
		return err
	}
	defer p.w.users.Done()
	p.once.Do(func() {
		if p.w.use() != nil {
			p.end <- os.ErrClosed
			return
		}
		go func() {
			defer p.w.users.Done()
			p.end <- p.w.wait(time.Time{})
		}()
	})
	select {
	case err := <-p.end:
		p.end <- err
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *Process) SyscallConn() (syscall.RawConn, error) { return p.w.conn() }

func (p *Process) Close() error { return p.w.close() }
