package pool

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
)

// job is a task that was submitted. All of it belongs to the pool's lock, but value and err, which
// do not change any more when done is closed.
type job struct {
	name      string
	arg       []byte
	runs      bool
	done      chan struct{}
	value     []byte
	err       error
	callbacks []func()
	calling   bool
}

// finish ends a job. It is called with the lock.
func (p *Pool) finish(j *job, value []byte, err error) {
	j.value, j.err, j.arg = value, err, nil
	close(j.done)
	p.undone--
	p.call(j)
	p.changed.Broadcast()
}

// call starts the goroutine that calls a job's callbacks. It is called with the lock.
func (p *Pool) call(j *job) {
	if j.calling || len(j.callbacks) == 0 {
		return
	}
	j.calling = true
	p.calling++
	go p.callNext(j)
}

// callNext calls one callback after the other. Each has a new goroutine after one that has left by
// a panic or by runtime.Goexit.
func (p *Pool) callNext(j *job) {
	clean := false
	defer func() {
		if v := recover(); v != nil {
			fmt.Fprintf(os.Stderr, "a callback of task %s has panicked: %v\n%s", j.name, v, debug.Stack())
		}
		if !clean {
			go p.callNext(j)
		}
	}()
	for {
		p.lock.Lock()
		if len(j.callbacks) == 0 {
			clean = true
			j.calling = false
			p.calling--
			p.changed.Broadcast()
			p.lock.Unlock()
			return
		}
		next := j.callbacks[0]
		j.callbacks = j.callbacks[1:]
		p.lock.Unlock()
		next()
	}
}

type Future[R any] struct {
	pool *Pool
	job  *job
}

func (f *Future[R]) Done() <-chan struct{} { return f.job.done }

func (f *Future[R]) Result(ctx context.Context) (r R, err error) {
	select {
	case <-f.job.done:
	case <-ctx.Done():
		if !isDone(f.job) {
			return r, fmt.Errorf("%w: %w", ErrUnfinished, context.Cause(ctx))
		}
	}
	if f.job.err != nil {
		return r, f.job.err
	}
	if err := decode(f.job.value, &r); err != nil {
		var none R
		return none, err
	}
	return r, nil
}

func isDone(j *job) bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

func (f *Future[R]) Cancel() bool {
	p, j := f.pool, f.job
	p.lock.Lock()
	defer p.lock.Unlock()
	if !isDone(j) && !j.runs {
		p.finish(j, nil, ErrCancelled)
	}
	return j.err == ErrCancelled
}

func (f *Future[R]) AddDoneCallback(call func(*Future[R])) {
	p, j := f.pool, f.job
	p.lock.Lock()
	defer p.lock.Unlock()
	j.callbacks = append(j.callbacks, func() { call(f) })
	if isDone(j) {
		p.call(j)
	}
}
