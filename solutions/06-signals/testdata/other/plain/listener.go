package signals

import (
	"context"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"
)

// Listener has a goroutine for each kind, which notes what has come.
type Listener struct {
	kinds  []chan os.Signal
	closed chan struct{}

	mu   sync.Mutex
	come map[syscall.Signal]bool
	news chan struct{} // has something in it while somebody should look
	shut bool
	all  sync.WaitGroup
}

func Listen(sigs ...syscall.Signal) (*Listener, error) {
	if err := catchable(sigs); err != nil {
		return nil, err
	}
	l := &Listener{closed: make(chan struct{}), come: map[syscall.Signal]bool{}, news: make(chan struct{}, 1)}
	for i, sig := range sigs {
		if signal.Ignored(sig) || slices.Contains(sigs[:i], sig) {
			continue
		}
		kind := make(chan os.Signal, 1)
		signal.Notify(kind, sig)
		l.kinds = append(l.kinds, kind)
		l.all.Go(func() { l.follow(sig, kind) })
	}
	return l, nil
}

func (l *Listener) follow(sig syscall.Signal, kind chan os.Signal) {
	for {
		select {
		case <-kind:
		case <-l.closed:
			return
		}
		l.mu.Lock()
		l.come[sig] = true
		l.mu.Unlock()
		l.tell()
	}
}

func (l *Listener) tell() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// take returns one that has come, and tells another one who waits if there are more.
func (l *Listener) take() (syscall.Signal, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for sig := range l.come {
		delete(l.come, sig)
		if len(l.come) > 0 {
			l.tell()
		}
		return sig, true
	}
	return 0, false
}

func (l *Listener) Wait(ctx context.Context) (syscall.Signal, error) {
	for {
		select {
		case <-l.closed:
			return 0, os.ErrClosed
		default:
		}
		if sig, ok := l.take(); ok {
			return sig, nil
		}
		select {
		case <-l.news:
		case <-ctx.Done():
			if sig, ok := l.take(); ok {
				return sig, nil
			}
			return 0, ctx.Err()
		case <-l.closed:
			return 0, os.ErrClosed
		}
	}
}

func (l *Listener) Close() error {
	l.mu.Lock()
	shut := l.shut
	l.shut = true
	l.mu.Unlock()
	if shut {
		return os.ErrClosed
	}
	for _, kind := range l.kinds {
		signal.Stop(kind)
	}
	close(l.closed)
	l.all.Wait()
	return nil
}
