package pool

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

type Options struct {
	Workers  int
	Command  []string
	MaxTasks int
	MaxSize  int
}

type Pool struct {
	options Options

	lock    sync.Mutex
	changed *sync.Cond // anything below
	waiting []*job
	workers []*worker
	undone  int // jobs
	calling int // jobs whose callbacks are just called
	serving int // goroutines for workers
	closed  bool
	killed  bool
	broken  *BrokenError

	wanted context.Context // ends when no more workers are wanted
	enough context.CancelFunc
}

// worker is one process.
type worker struct {
	cmd     *exec.Cmd
	stream  *os.File
	answers chan answer // closed when it has ended
	job     *job        // that it runs
	leaves  bool        // it was told to
	ended   chan bool   // closed when it was waited for
}

func New(ctx context.Context, o Options) (*Pool, error) {
	if o.Workers < 1 || o.Workers > MaxWorkers || len(o.Command) == 0 || o.MaxTasks < 0 || o.MaxSize < 0 {
		return nil, fmt.Errorf("%+v: %w", o, unix.EINVAL)
	}
	if o.MaxSize == 0 {
		o.MaxSize = DefaultSize
	}
	p := &Pool{options: o}
	p.changed = sync.NewCond(&p.lock)
	p.wanted, p.enough = context.WithCancel(context.Background())
	var all []*worker
	for range o.Workers {
		w, err := p.start(ctx)
		if err != nil {
			for _, w := range all {
				w.giveUp()
			}
			return nil, err
		}
		all = append(all, w)
	}
	p.workers, p.serving = slices.Clone(all), len(all)
	for _, w := range all {
		go p.read(w)
		go p.serve(w)
	}
	return p, nil
}

// start starts a worker, and returns when it has greeted.
func (p *Pool) start(ctx context.Context) (*worker, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	w := &worker{stream: os.NewFile(uintptr(pair[0]), "worker"), answers: make(chan answer), ended: make(chan bool)}
	theirs := os.NewFile(uintptr(pair[1]), "worker's end")
	defer theirs.Close()
	w.cmd = exec.Command(p.options.Command[0], p.options.Command[1:]...)
	w.cmd.Stdout, w.cmd.Stderr = os.Stdout, os.Stderr
	w.cmd.ExtraFiles = []*os.File{theirs}
	if err := w.cmd.Start(); err != nil {
		w.stream.Close()
		return nil, err
	}
	theirs.Close()
	go func() {
		_ = w.cmd.Wait()
		_ = unix.Shutdown(pair[0], unix.SHUT_RDWR) // what it has started may have the other end
		close(w.ended)
	}()
	got := make([]byte, GreetingSize)
	stop := context.AfterFunc(ctx, func() { w.stream.SetReadDeadline(time.Unix(1, 0)) })
	_, err = io.ReadFull(w.stream, got)
	stop()
	version := binary.NativeEndian.Uint32(got[8:])
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("%w: %w", ErrUnfinished, context.Cause(ctx))
	case err != nil:
		w.giveUp()
		return nil, fmt.Errorf("%w: it said %v before it had greeted, and then: %v", ErrGreeting, err, w.cmd.ProcessState)
	case string(got) != string(greeting(version)):
		err = fmt.Errorf("%w: it said %q", ErrGreeting, got)
	case version != Version:
		err = fmt.Errorf("%w: it has version %d and this is %d", ErrGreeting, version, Version)
	default:
		_, err = w.stream.Write(binary.NativeEndian.AppendUint64(nil, uint64(p.options.MaxSize)))
	}
	if err != nil {
		w.giveUp()
		return nil, err
	}
	return w, nil
}

// giveUp ends a worker that is none of the pool's yet.
func (w *worker) giveUp() {
	_ = w.cmd.Process.Kill()
	<-w.ended
	w.stream.Close()
}

// read passes a worker's answers on. When there are no more it waits for the process.
func (p *Pool) read(w *worker) {
	for {
		a, err := readAnswer(w.stream)
		if err != nil {
			break
		}
		w.answers <- a
	}
	p.lock.Lock()
	if !w.leaves {
		_ = w.cmd.Process.Kill() // it may have closed its end only
	}
	p.lock.Unlock()
	<-w.ended
	w.stream.Close()
	p.lock.Lock()
	p.workers = slices.DeleteFunc(p.workers, func(o *worker) bool { return o == w })
	if !w.leaves {
		p.breaks(w, w.cmd.ProcessState.String())
	}
	p.lock.Unlock()
	close(w.answers)
}

// breaks says of everything that is not done that it will not be. It is called with the lock.
func (p *Pool) breaks(w *worker, how string) {
	if p.broken != nil {
		return
	}
	p.broken = &BrokenError{PID: w.cmd.Process.Pid, How: how}
	p.enough()
	if w.job != nil {
		p.broken.Task = w.job.name
	}
	jobs := p.waiting
	p.waiting = nil
	for _, o := range append([]*worker{w}, p.workers...) {
		if o.job != nil {
			jobs = append(jobs, o.job)
		}
		if o != w {
			_ = o.cmd.Process.Kill()
		}
	}
	for _, j := range jobs {
		if !isDone(j) {
			p.finish(j, nil, p.broken)
		}
	}
	p.changed.Broadcast()
}

// serve gives tasks to a worker, and to those that come in its place.
func (p *Pool) serve(w *worker) {
	defer func() {
		p.lock.Lock()
		p.serving--
		p.changed.Broadcast()
		p.lock.Unlock()
	}()
	for n := 0; ; n++ {
		if n == p.options.MaxTasks && n > 0 {
			if w = p.replace(w); w == nil {
				return
			}
			n = 0
		}
		j := p.next(w)
		if j == nil {
			p.goodbye(w)
			return
		}
		_, err := w.stream.Write(putPart(putPart(nil, []byte(j.name)), j.arg))
		a, ok := <-w.answers
		if err != nil || !ok {
			for range w.answers {
			}
			return
		}
		p.lock.Lock()
		w.job = nil
		if !isDone(j) {
			value, err := p.result(j, a)
			p.finish(j, value, err)
		}
		p.lock.Unlock()
	}
}

func (p *Pool) result(j *job, a answer) ([]byte, error) {
	switch a.kind {
	case isResult:
		return a.value, nil
	case isBadValue:
		return nil, fmt.Errorf("%w: in task %s: %s", ErrValue, j.name, a.value)
	case isUnknown:
		return nil, fmt.Errorf("%w: %s", ErrUnknown, j.name)
	case isTooLarge:
		return nil, fmt.Errorf("%w: a result of %s bytes, and at most %d", ErrTooLarge, a.value, p.options.MaxSize)
	}
	return nil, &TaskError{Task: j.name, Text: string(a.value), Panic: a.kind == isPanic, Stack: string(a.stack)}
}

// next waits for a job. There is none in a pool that is broken, or is closed and has done all.
func (p *Pool) next(w *worker) *job {
	p.lock.Lock()
	defer p.lock.Unlock()
	for {
		for len(p.waiting) > 0 && p.broken == nil {
			j := p.waiting[0]
			p.waiting[0] = nil
			p.waiting = p.waiting[1:]
			if !isDone(j) {
				j.runs, w.job = true, j
				return j
			}
		}
		if p.broken != nil || p.closed && p.undone == 0 {
			return nil
		}
		p.changed.Wait()
	}
}

// goodbye lets a worker end that does nothing, and waits for it.
func (p *Pool) goodbye(w *worker) {
	p.lock.Lock()
	w.leaves = p.broken == nil
	p.lock.Unlock()
	_, _ = w.stream.Write(putPart(nil, nil))
	for range w.answers {
	}
}

func (p *Pool) replace(old *worker) *worker {
	p.goodbye(old)
	w, err := p.start(p.wanted)
	p.lock.Lock()
	defer p.lock.Unlock()
	if err != nil {
		if p.wanted.Err() == nil {
			p.breaks(old, fmt.Sprintf("no other one could be started: %v", err))
		}
		return nil
	}
	p.workers = append(p.workers, w)
	if p.broken != nil || p.killed {
		_ = w.cmd.Process.Kill()
	}
	go p.read(w)
	return w
}

func (p *Pool) Workers() (pids []int) {
	p.lock.Lock()
	defer p.lock.Unlock()
	for _, w := range p.workers {
		pids = append(pids, w.cmd.Process.Pid)
	}
	slices.Sort(pids)
	return pids
}

func Submit[A, R any](p *Pool, t *Task[A, R], arg A) (*Future[R], error) {
	b, err := encode(arg)
	if err != nil {
		return nil, err
	}
	if len(b) > p.options.MaxSize {
		return nil, fmt.Errorf("%w: an argument of %d bytes, and at most %d", ErrTooLarge, len(b), p.options.MaxSize)
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	if p.closed {
		return nil, os.ErrClosed
	}
	if p.broken != nil {
		return nil, p.broken
	}
	j := &job{name: t.name, arg: b, done: make(chan struct{})}
	p.waiting = append(p.waiting, j)
	p.undone++
	p.changed.Broadcast()
	return &Future[R]{p, j}, nil
}

func Map[A, R any](ctx context.Context, p *Pool, t *Task[A, R], args iter.Seq[A]) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		next, stop := iter.Pull(args)
		defer stop()
		var futures []*Future[R]
		var refused error
		defer func() {
			for _, f := range futures {
				f.Cancel()
			}
		}()
		for {
			for refused == nil && len(futures) < 2*p.options.Workers {
				arg, more := next()
				if !more {
					break
				}
				f, err := Submit(p, t, arg)
				if refused = err; err == nil {
					futures = append(futures, f)
				}
			}
			if len(futures) == 0 {
				break
			}
			r, err := futures[0].Result(ctx)
			if ctx.Err() != nil && !isDone(futures[0].job) {
				yield(r, err)
				return
			}
			futures = futures[1:]
			if !yield(r, err) {
				return
			}
		}
		if refused != nil {
			var none R
			yield(none, refused)
		}
	}
}

func (p *Pool) Shutdown(ctx context.Context, cancel bool) error {
	stop := context.AfterFunc(ctx, func() {
		p.lock.Lock()
		p.changed.Broadcast()
		p.lock.Unlock()
	})
	defer stop()
	p.lock.Lock()
	defer p.lock.Unlock()
	p.closed = true
	if cancel {
		p.cancelAll()
	}
	p.changed.Broadcast()
	var err error
	for p.undone > 0 || p.serving > 0 || p.calling > 0 {
		if p.undone == 0 {
			p.enough()
		}
		if ctx.Err() != nil && err == nil {
			err = fmt.Errorf("%w: %w", ErrUnfinished, context.Cause(ctx))
			p.killed = true
			p.cancelAll()
			for _, w := range p.workers {
				_ = w.cmd.Process.Kill()
			}
			continue
		}
		p.changed.Wait()
	}
	return err
}

// cancelAll is called with the lock.
func (p *Pool) cancelAll() {
	p.enough()
	for _, j := range p.waiting {
		if !isDone(j) {
			p.finish(j, nil, ErrCancelled)
		}
	}
	p.waiting = nil
}
