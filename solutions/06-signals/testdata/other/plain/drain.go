package signals

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

type Drain struct {
	grace    time.Duration
	listener *Listener
	started  chan struct{} // closed when shutting down begins
	idle     chan struct{} // closed when there is no work any more, after that

	mu     sync.Mutex
	work   int
	drains bool
	first  syscall.Signal
	over   time.Time // of the grace
	closed bool
}

func NewDrain(grace time.Duration, sigs ...syscall.Signal) (*Drain, error) {
	if grace < 0 {
		return nil, fmt.Errorf("a grace of %v: %w", grace, unix.EINVAL)
	}
	listener, err := Listen(sigs...)
	if err != nil {
		return nil, err
	}
	d := &Drain{grace: grace, listener: listener, started: make(chan struct{}), idle: make(chan struct{})}
	go d.run()
	return d, nil
}

func (d *Drain) run() {
	first, err := d.listener.Wait(context.Background())
	if err != nil {
		return
	}
	d.mu.Lock()
	d.drains, d.first, d.over = true, first, time.Now().Add(d.grace)
	close(d.started)
	if d.work == 0 {
		close(d.idle)
	}
	d.mu.Unlock()
	second, err := d.listener.Wait(context.Background())
	if err == nil {
		end(second)
	}
}

// end ends this process by the signal's default action. Process 1 has none.
func end(sig syscall.Signal) {
	if os.Getpid() != 1 {
		if !deadly(sig) {
			os.Exit(128 + int(sig))
		}
		signal.Reset(sig)
		if unix.Kill(os.Getpid(), sig) == nil {
			select {} // it is on its way
		}
	}
	os.Exit(128 + int(sig))
}

// deadly are those at which a Go program ends by the signal itself. It does nothing at most
// others, is stopped by some, and makes status 2 of SIGQUIT.
func deadly(sig syscall.Signal) bool {
	return sig == unix.SIGTERM || sig == unix.SIGINT || sig == unix.SIGHUP
}

func (d *Drain) Begin() (end func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, os.ErrClosed
	}
	if d.drains {
		return nil, ErrDraining
	}
	d.work++
	return sync.OnceFunc(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.work--; d.work == 0 && d.drains {
			close(d.idle)
		}
	}), nil
}

func (d *Drain) Draining() <-chan struct{} { return d.started }

func (d *Drain) Signal() syscall.Signal {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.first
}

func (d *Drain) Wait() error {
	select {
	case <-d.started:
	case <-d.listener.closed:
		select {
		case <-d.started:
		default:
			return os.ErrClosed
		}
	}
	over := time.NewTimer(time.Until(d.over)) // written before started was closed
	defer over.Stop()
	select {
	case <-d.idle:
		return nil
	case <-over.C:
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.work == 0 {
		return nil
	}
	return fmt.Errorf("%d of the work in flight has not ended: %w", d.work, ErrGrace)
}

func (d *Drain) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return os.ErrClosed
	}
	d.closed = true
	return d.listener.Close()
}
