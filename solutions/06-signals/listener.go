package signals

import (
	"context"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
)

// Listener has a channel for each kind. One that is in it already stands for all others of
// its kind: so none of another kind is ever dropped because of them.
type Listener struct {
	kinds  []chan os.Signal
	looks  atomic.Uint32 // each look begins with another kind: so none waits behind the others for ever
	closed chan struct{}
	once   sync.Once
}

func Listen(sigs ...syscall.Signal) (*Listener, error) {
	if err := catchable(sigs); err != nil {
		return nil, err
	}
	l := &Listener{closed: make(chan struct{})}
	sigs = slices.Compact(slices.Sorted(slices.Values(sigs))) // one that is named twice has one channel
	for _, sig := range sigs {
		if signal.Ignored(sig) {
			continue
		}
		kind := make(chan os.Signal, 1)
		signal.Notify(kind, sig)
		l.kinds = append(l.kinds, kind)
	}
	return l, nil
}

func (l *Listener) Wait(ctx context.Context) (syscall.Signal, error) {
	select {
	case <-l.closed:
		return 0, os.ErrClosed
	default:
	}
	if sig := l.take(); sig != 0 {
		return sig, nil
	}
	if len(l.kinds) == 1 {
		return l.single(ctx)
	}
	cases := []reflect.SelectCase{
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(ctx.Done())},
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(l.closed)},
	}
	for _, kind := range l.kinds {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(kind)})
	}
	switch n, value, _ := reflect.Select(cases); n {
	case 0:
		return l.last(ctx)
	case 1:
		return 0, os.ErrClosed
	default:
		return value.Interface().(syscall.Signal), nil
	}
}

func (l *Listener) single(ctx context.Context) (syscall.Signal, error) {
	select {
	case sig := <-l.kinds[0]:
		return sig.(syscall.Signal), nil
	case <-ctx.Done():
		return l.last(ctx)
	case <-l.closed:
		return 0, os.ErrClosed
	}
}

// last looks once more: of two cases that are ready select takes either one.
func (l *Listener) last(ctx context.Context) (syscall.Signal, error) {
	if sig := l.take(); sig != 0 {
		return sig, nil
	}
	return 0, ctx.Err()
}

// take takes a signal that is there, or returns 0.
func (l *Listener) take() syscall.Signal {
	first := int(l.looks.Add(1))
	for i := range l.kinds {
		select {
		case sig := <-l.kinds[(first+i)%len(l.kinds)]:
			return sig.(syscall.Signal)
		default:
		}
	}
	return 0
}

func (l *Listener) Close() error {
	err := os.ErrClosed
	l.once.Do(func() {
		for _, kind := range l.kinds {
			signal.Stop(kind)
		}
		close(l.closed)
		err = nil
	})
	return err
}
