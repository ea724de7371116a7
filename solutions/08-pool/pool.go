// Package pool runs tasks in other processes. It is the reference of chapter 8.
package pool

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// GreetingSize is the size of what a worker writes first.
	GreetingSize = 16

	// Version is that of the greeting and of what comes behind it.
	Version = 1

	// MaxWorkers is how many workers a pool may have.
	MaxWorkers = 64

	// DefaultSize is Options.MaxSize where that is 0.
	DefaultSize = 1 << 26
)

// Find these errors with errors.Is.
var (
	// ErrUnfinished is the error of Result and of Shutdown when their context ends.
	ErrUnfinished = errors.New("not done yet")

	// ErrCancelled is the error of a task that was cancelled before it began.
	ErrCancelled = errors.New("cancelled before it began")

	// ErrBroken is the error of every task of a pool of which a worker has ended.
	ErrBroken = errors.New("the pool is broken")

	// ErrValue is the error of an argument or a result that cannot be encoded or decoded.
	ErrValue = errors.New("a value that does not go from one process to the other")

	// ErrTooLarge is the error of an argument or a result that is larger than Options.MaxSize.
	ErrTooLarge = errors.New("larger than the pool allows")

	// ErrUnknown is the error of a task whose name the worker does not know.
	ErrUnknown = errors.New("the worker has no task of that name")

	// ErrGreeting is the error of New for a worker that is none, or one of another version.
	ErrGreeting = errors.New("not a worker of this pool")
)

// TaskError is the error of a task that has returned one, or has panicked. Find it with errors.As.
// The worker goes on.
type TaskError struct {
	Task  string // its name
	Text  string // that of its error, or of what it panicked with
	Panic bool
	Stack string // where it panicked, "" if it did not
}

func (e *TaskError) Error() string {
	if e.Panic {
		return fmt.Sprintf("task %s has panicked: %s", e.Task, e.Text)
	}
	return fmt.Sprintf("task %s: %s", e.Task, e.Text)
}

// BrokenError is what has broken a pool. It is found by errors.Is as ErrBroken, and with errors.As.
type BrokenError struct {
	PID  int    // the worker
	How  string // "exit status 3", or "signal: killed": see os.ProcessState.String; or why none has come in its place
	Task string // the name of the task that it was running, "" if none
}

func (e *BrokenError) Error() string {
	doing := "with no task"
	if e.Task != "" {
		doing = "in task " + e.Task
	}
	return fmt.Sprintf("%v: worker %d has ended %s: %s", ErrBroken, e.PID, doing, e.How)
}

func (e *BrokenError) Unwrap() error { return ErrBroken }

// Options are those of a pool.
type Options struct {
	Workers  int
	Command  []string
	MaxTasks int
	MaxSize  int
}

func (o *Options) check() error {
	switch {
	case o.Workers < 1 || o.Workers > MaxWorkers:
		return fmt.Errorf("%d workers: it is from 1 to %d: %w", o.Workers, MaxWorkers, unix.EINVAL)
	case len(o.Command) == 0:
		return fmt.Errorf("no Command: %w", unix.EINVAL)
	case o.MaxTasks < 0:
		return fmt.Errorf("MaxTasks %d: %w", o.MaxTasks, unix.EINVAL)
	case o.MaxSize < 0:
		return fmt.Errorf("MaxSize %d: %w", o.MaxSize, unix.EINVAL)
	case o.MaxSize == 0:
		o.MaxSize = DefaultSize
	}
	return nil
}

// Pool has one goroutine for each worker, which reads its answers, and one that waits for its end.
// Whoever submits hands tasks over as long as there are free slots. What does not find one waits
// in a list, until a slot is free.
type Pool struct {
	options Options
	memory  *os.File // the slots' states, for the workers
	mapped  []byte
	states  *[slots + 1]atomic.Uint32
	theirs  *os.File // the end of the socket from which the workers take tasks
	tasks   int      // and the pool's end

	callbacks tally
	watched   sync.WaitGroup // the goroutines of the workers

	wanted context.Context // ends when no more workers are wanted
	enough context.CancelFunc

	mu      sync.Mutex
	all     []*hand
	given   [slots]*job
	free    []int // slots
	waiting list
	undone  int
	closed  bool
	broken  error
	idle    chan struct{} // closed when the pool is closed and nothing is undone
	over    chan struct{} // closed when all was given back
	message [largest]byte
}

// list is a queue of jobs. What was taken out of its middle is nil.
type list struct {
	jobs  []*job
	begin int
}

func (l *list) add(j *job) { l.jobs = append(l.jobs, j) }

// first returns the oldest job that waits, nil if there is none.
func (l *list) first() *job {
	for l.begin < len(l.jobs) && isDone(l.jobs[l.begin]) {
		l.jobs[l.begin] = nil
		l.begin++
	}
	switch {
	case l.begin == len(l.jobs):
		l.jobs, l.begin = l.jobs[:0], 0
		return nil
	case l.begin > 1000 && l.begin > len(l.jobs)/2:
		l.jobs = append([]*job(nil), l.jobs[l.begin:]...)
		l.begin = 0
	}
	return l.jobs[l.begin]
}

func (l *list) takeFirst() { l.jobs[l.begin] = nil; l.begin++ }

func isDone(j *job) bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

func New(ctx context.Context, o Options) (_ *Pool, err error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.Command = slices.Clone(o.Command)
	p := &Pool{options: o, tasks: -1, idle: make(chan struct{}), over: make(chan struct{})}
	p.wanted, p.enough = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			p.giveBack()
		}
	}()
	if err := p.open(); err != nil {
		return nil, err
	}
	var begun []*hand
	for n := range o.Workers {
		w, err := p.startWorker(n)
		if err != nil {
			kill(begun)
			return nil, err
		}
		begun = append(begun, w)
	}
	for _, w := range begun {
		if err := w.greets(ctx); err != nil {
			kill(begun)
			return nil, err
		}
	}
	for _, w := range begun {
		p.take(w)
	}
	return p, nil
}

// open makes what all workers share.
func (p *Pool) open() error {
	fd, err := unix.MemfdCreate("pool", unix.MFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	p.memory = os.NewFile(uintptr(fd), "states of a pool")
	if err := p.memory.Truncate(4 * (slots + 1)); err != nil {
		return err
	}
	if p.mapped, err = unix.Mmap(fd, 0, 4*(slots+1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return os.NewSyscallError("mmap", err)
	}
	p.states = (*[slots + 1]atomic.Uint32)(unsafe.Pointer(&p.mapped[0]))
	for i := range slots {
		p.free = append(p.free, slots-1-i)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	p.tasks, p.theirs = pair[0], os.NewFile(uintptr(pair[1]), "tasks of a pool")
	// Room for all messages, so that no send has to wait. Each takes some memory of the kernel's beside.
	return os.NewSyscallError("setsockopt", setRoom(p.tasks))
}

func (p *Pool) giveBack() {
	if p.memory != nil {
		p.memory.Close()
	}
	if p.mapped != nil {
		_ = unix.Munmap(p.mapped)
	}
	if p.tasks >= 0 {
		unix.Close(p.tasks)
		p.theirs.Close()
	}
}

func (p *Pool) Workers() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var pids []int
	for _, w := range p.all {
		pids = append(pids, w.cmd.Process.Pid)
	}
	slices.Sort(pids)
	return pids
}

func Submit[A, R any](p *Pool, t *Task[A, R], arg A) (*Future[R], error) {
	b, err := encode(arg)
	if err != nil {
		return nil, fmt.Errorf("the argument of task %s: %w", t.name, err)
	}
	if len(b) > p.options.MaxSize {
		return nil, fmt.Errorf("the argument of task %s has %d bytes, and %d is the limit: %w", t.name, len(b), p.options.MaxSize, ErrTooLarge)
	}
	if _, is := any(&arg).(*[]byte); is {
		b = slices.Clone(b)
	}
	j := &job{pool: p, name: t.name, arg: b, slot: -1, done: make(chan struct{})}
	if err := p.submit(j); err != nil {
		return nil, err
	}
	return &Future[R]{j}, nil
}

func (p *Pool) submit(j *job) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return os.ErrClosed
	case p.broken != nil:
		return p.broken
	}
	p.undone++
	p.waiting.add(j)
	p.handOver()
	return nil
}

// handOver sends what waits, as long as there are slots. It is called with the lock.
func (p *Pool) handOver() {
	for len(p.free) > 0 {
		j := p.waiting.first()
		if j == nil {
			return
		}
		slot := p.free[len(p.free)-1]
		length := uint32(len(j.name))
		m := binary.NativeEndian.AppendUint32(p.message[:0], uint32(slot))
		if 8+len(j.name)+len(j.arg) <= largest {
			m = append(append(binary.NativeEndian.AppendUint32(m, length), j.name...), j.arg...)
		} else {
			m = binary.NativeEndian.AppendUint32(m, length|apart)
		}
		p.states[slot].Store(handedOver)
		if err := p.send(m); err != nil {
			return // there is no room just now: the next answer comes here again
		}
		j.slot, p.given[slot] = slot, j
		p.free = p.free[:len(p.free)-1]
		p.waiting.takeFirst()
	}
}

func (p *Pool) send(m []byte) error {
	for {
		_, err := unix.SendmsgN(p.tasks, m, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return err
		}
	}
}

// cancel takes a job back that has not begun.
func (p *Pool) cancel(j *job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if isDone(j) {
		return errors.Is(j.err, ErrCancelled)
	}
	if j.slot >= 0 && !p.states[j.slot].CompareAndSwap(handedOver, takenBack) {
		return false
	}
	p.ended(j, nil, fmt.Errorf("task %s: %w", j.name, ErrCancelled))
	return true
}

// ended is called with the lock, once for each job.
func (p *Pool) ended(j *job, value []byte, err error) {
	j.end(value, err)
	p.undone--
	p.lookForTheEnd()
}

func (p *Pool) lookForTheEnd() {
	if p.closed && p.undone == 0 {
		select {
		case <-p.idle:
		default:
			close(p.idle)
		}
	}
}

// answered is what a worker has said about a slot.
func (p *Pool) answered(w *hand, a answer) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.slot >= slots || p.given[a.slot] == nil {
		return fmt.Errorf("slot %d is not in use", a.slot)
	}
	j := p.given[a.slot]
	if a.kind == wanted {
		go w.argument(j.name, j.arg)
		return nil
	}
	p.given[a.slot] = nil
	p.states[a.slot].Store(free)
	p.free = append(p.free, int(a.slot))
	if a.kind != dropped {
		value, err := a.result(j, p.options.MaxSize)
		p.ended(j, value, err)
	}
	p.handOver()
	return nil
}

func (a answer) result(j *job, limit int) ([]byte, error) {
	switch a.kind {
	case good:
		return a.value, nil
	case failure, panicked:
		return nil, &TaskError{Task: j.name, Text: string(a.value), Panic: a.kind == panicked, Stack: string(a.stack)}
	case badValue:
		return nil, fmt.Errorf("task %s: %s: %w", j.name, a.value, ErrValue)
	case tooLarge:
		return nil, fmt.Errorf("the result of task %s has %s bytes, and %d is the limit: %w", j.name, a.value, limit, ErrTooLarge)
	case unknown:
		return nil, fmt.Errorf("task %s: %w", j.name, ErrUnknown)
	}
	return nil, errors.New("an answer of kind " + strconv.Itoa(int(a.kind)))
}

func Map[A, R any](ctx context.Context, p *Pool, t *Task[A, R], args iter.Seq[A]) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		next, stop := iter.Pull(args)
		defer stop()
		var ahead []*Future[R]
		defer func() {
			for _, f := range ahead {
				f.Cancel()
			}
		}()
		var refused error
		for more := true; more || len(ahead) > 0; {
			for more && len(ahead) < 2*p.options.Workers {
				arg, ok := next()
				if !ok {
					more = false
					break
				}
				f, err := Submit(p, t, arg)
				if err != nil {
					more, refused = false, err
					break
				}
				ahead = append(ahead, f)
			}
			if len(ahead) == 0 {
				break
			}
			r, err := ahead[0].Result(ctx)
			if !yield(r, err) || errors.Is(err, ErrUnfinished) && ctx.Err() != nil {
				return
			}
			ahead = ahead[1:]
		}
		if refused != nil {
			var none R
			yield(none, refused)
		}
	}
}
