package pool

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
)

// job is a task that was submitted, without its types.
type job struct {
	pool *Pool
	name string
	arg  []byte

	slot int // where it was handed over, -1 while it waits in the pool

	done  chan struct{}
	value []byte // read after done is closed
	err   error

	mu      sync.Mutex
	later   []func()
	calling bool // a goroutine calls what is in later
}

// end is called once. It does not wait for anybody.
func (j *job) end(value []byte, err error) {
	j.value, j.err, j.arg = value, err, nil
	j.mu.Lock()
	close(j.done)
	j.call()
	j.mu.Unlock()
}

// call starts the goroutine for the callbacks, if there is anything to call and none is there. It is
// called with the lock.
func (j *job) call() {
	if j.calling || len(j.later) == 0 {
		return
	}
	j.calling = true
	j.pool.callbacks.begins()
	go func() {
		defer j.pool.callbacks.ends()
		for {
			j.mu.Lock()
			if len(j.later) == 0 {
				j.calling = false
				j.mu.Unlock()
				return
			}
			next := j.later[0]
			j.later = j.later[1:]
			j.mu.Unlock()
			guarded(next)
		}
	}()
}

// tally counts goroutines, and lets somebody wait until there are none. Meanwhile more may begin: a
// sync.WaitGroup forbids that where it has come to 0.
type tally struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n is 0, nil while nobody waits
}

func (t *tally) begins() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n++
}

func (t *tally) ends() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n--; t.n == 0 && t.none != nil {
		close(t.none)
		t.none = nil
	}
}

func (t *tally) wait() {
	t.mu.Lock()
	if t.n == 0 {
		t.mu.Unlock()
		return
	}
	t.none = make(chan struct{}) // one waits: close
	none := t.none
	t.mu.Unlock()
	<-none
}

// guarded calls on a goroutine of its own: one that ends by runtime.Goexit ends only itself.
func guarded(call func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer func() {
			if v := recover(); v != nil {
				fmt.Fprintf(os.Stderr, "pool: a callback has panicked: %s\n%s", text(v), debug.Stack())
			}
		}()
		call()
	}()
	<-over
}

// Future is the result of a task, now or later.
type Future[R any] struct{ job *job }

func (f *Future[R]) Done() <-chan struct{} { return f.job.done }

func (f *Future[R]) Result(ctx context.Context) (r R, err error) {
	select {
	case <-f.job.done:
	default:
		select {
		case <-f.job.done:
		case <-ctx.Done():
			return r, fmt.Errorf("task %s: %w: %w", f.job.name, ErrUnfinished, context.Cause(ctx))
		}
	}
	if f.job.err != nil {
		return r, f.job.err
	}
	// The bytes are copied: each caller may change what it gets.
	if err := decode(append([]byte(nil), f.job.value...), &r); err != nil {
		var none R // some of it may have been decoded
		return none, fmt.Errorf("the result of task %s: %w", f.job.name, err)
	}
	return r, nil
}

func (f *Future[R]) Cancel() bool { return f.job.pool.cancel(f.job) }

func (f *Future[R]) AddDoneCallback(call func(*Future[R])) {
	j := f.job
	j.mu.Lock()
	defer j.mu.Unlock()
	j.later = append(j.later, func() { call(f) })
	select {
	case <-j.done:
		j.call()
	default:
	}
}
