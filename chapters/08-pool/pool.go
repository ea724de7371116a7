// Package pool runs tasks in other processes: a process pool. Who has a task submits it, and gets
// a [Future], which has the result when there is one.
//
// A task is a function of this program that has a name: see [NewTask]. A worker is a process
// that calls [Work]; it is the same program, or another one that has the same tasks. So only names
// and values go from one process to the other, and never code.
//
// # The worker
//
// [New] starts the workers. A worker begins with these descriptors, and no others of the pool's:
//
//	0      at its end: nothing can be read
//	1, 2   those of the process that has called New
//	3      a socket (unix(7), SOCK_STREAM), whose other end the pool has
//
// A worker may also be handed descriptors from 4 on, as many as it needs. In the process that has
// called New, all descriptors of the pool are close-on-exec.
//
// A worker whose stream is at its end cannot be talked to any more. So the pool kills it there, if it
// has not ended yet: also one that has closed descriptor 3 and goes on. That spoils nothing, since a
// process that ends has its status by then. And a worker has ended when its process has: whatever it
// has started may have descriptor 3, and go on.
//
// The first that a worker writes to descriptor 3 is a greeting of [GreetingSize] bytes. Numbers are
// in the machine's byte order:
//
//	0   8 bytes   "ipc-pool"
//	8   uint32    Version
//	12  uint32    0
//
// All that comes behind it is yours. Descriptors 3 and up are close-on-exec in the worker before a
// task begins: what a task starts does not have them.
//
// # Values
//
// A task has one argument and one result. A []byte goes as it is. One that is empty and one that is
// nil are no different: the other side gets no bytes, as either of them. Every other value goes as JSON
// (encoding/json). What cannot be encoded, or not be decoded on the other side, is [ErrValue], with the
// reason in its text. So is a value of which a method panics. What goes over has at most
// Options.MaxSize bytes. More than that is [ErrTooLarge], and a result that is too large is not sent.
// Each of these errors is the error of one task, and the pool goes on.
//
// What a task gets, and what Result returns, is memory of its own: nobody else writes to it, and it
// is not used again.
//
// # Which task runs where
//
// A worker runs one task at a time. A task begins as soon as a worker is free; those that were
// submitted first begin first. So as many tasks run at one time as there are workers, and no task
// waits for another one while a worker has nothing to do, however many were submitted at once.
//
// # Who may die
//
// A worker may end at any moment, other than by the pool: a task calls os.Exit, the kernel
// kills it where memory is short, somebody sends SIGKILL. What it was doing is lost, and nobody
// knows how much of it was done. So the pool is broken, for good: every future that is not done gets
// [ErrBroken], as a [*BrokenError] that says which process it was and how it ended; Submit refuses;
// and the pool kills its other workers. That is so when it was running a task, while it took one,
// while it sent a result, and while it had nothing to do. Nothing hangs. A result that has come
// half-way is lost. One that has come as a whole, just before the end, may count or be lost.
//
// A pool breaks, too, where a worker has done its Options.MaxTasks and no other one can be started, or
// the other one does not greet as it should.
//
// When the process ends that has called New, its workers end too, whatever they are just doing,
// and however it has ended.
//
// # All functions
//
// All may be called by several goroutines at once. A call that waits sleeps. No goroutine and no
// descriptor stands for a task that waits, also where it has callbacks: memory grows by what a task's
// argument needs, and some hundred bytes. A task that is done, or cancelled, keeps no argument.
package pool

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"ipcworkbook/harness/todo"
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
//
// Where nobody takes the place of a worker that has done its MaxTasks, PID is that worker's, How has
// the text of the error with which no other one came, and Task is "".
type BrokenError struct {
	PID  int    // the worker
	How  string // "exit status 3", or "signal: killed": see os.ProcessState.String
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

// Task is a function under a name.
type Task[A, R any] struct{}

// NewTask gives a function a name. It is called from a package variable, so that it happens in
// each process before main begins:
//
//	var square = pool.NewTask("square", func(n int) (int, error) { return n * n, nil })
//
// An empty name, a name that is there already and a nil function are a mistake in the program:
// it panics, and says which name it was.
//
// Where the function panics, that is its error: see [TaskError]. Where it calls [runtime.Goexit], the
// error is that of a panic, too, and "runtime.Goexit" is in its text.
func NewTask[A, R any](name string, run func(A) (R, error)) *Task[A, R] {
	return &Task[A, R]{}
}

// Work makes this process a worker: it takes tasks from the pool and runs them, until the pool
// ends it. It is what a worker's main calls first.
//
// It returns nil when the pool has ended it. In a process that no pool has started, where descriptor
// 3 is no stream socket, it is unix.ENOTSOCK, or unix.EBADF if there is none, and it has read and
// written nothing. If the pool's process has ended, the worker ends with exit status 1, also in the
// middle of a task.
func Work() error {
	return todo.Err("Work")
}

// Options are those of a pool.
type Options struct {
	// Workers is how many there are, from 1 to MaxWorkers.
	Workers int

	// Command is the worker's program and its arguments, as in exec.Command.
	Command []string

	// MaxTasks is after how many tasks a worker is replaced by a new one. 0 means never. The old one
	// ends first, by itself as in Shutdown, and the pool has waited for it.
	MaxTasks int

	// MaxSize is the limit of an argument and of a result, as it goes over, in bytes. 0 means
	// DefaultSize. The text of a task's error has no limit.
	MaxSize int
}

// Pool runs tasks in its workers.
type Pool struct{}

// New starts the workers, and returns when all of them have greeted. They are the process's, and not
// the thread's on which New runs: when that thread ends they go on.
//
// Errors, after which nothing that it has started is left, neither processes nor descriptors:
//   - unix.EINVAL for a number of workers that is not from 1 to MaxWorkers, for a negative number in
//     the other options, and for no Command;
//   - what exec.Cmd.Start returned, for a program that cannot be started;
//   - ErrGreeting for a worker that ends before it has greeted (the text says how it ended), that
//     closes descriptor 3 and goes on (it is killed), that writes something else, or is of another
//     version (both versions are in the text then);
//   - ErrUnfinished and the context's cause ([context.Cause]), both by errors.Is, when the context
//     ends before all have greeted;
//   - the kernel's error where there is no descriptor left, or no process.
func New(ctx context.Context, o Options) (*Pool, error) {
	return nil, todo.Err("New")
}

// Workers returns the process ids of the workers that are there, in ascending order. After
// Shutdown, and in a broken pool whose workers have ended, there are none.
func (p *Pool) Workers() []int {
	return nil
}

// Submit hands a task to the pool, and returns at once, however many tasks wait and however
// large the argument is. The argument is encoded before it returns: so the caller may change it
// afterwards.
//
// Errors, with which there is no future; they come in this order:
//   - ErrValue and ErrTooLarge (with both sizes in the text) for the argument;
//   - os.ErrClosed after Shutdown was called;
//   - ErrBroken, as a *BrokenError, in a pool that is broken.
func Submit[A, R any](p *Pool, t *Task[A, R], arg A) (*Future[R], error) {
	return nil, todo.Err("Submit")
}

// Map submits the task for each argument, and hands out the results in the order of the
// arguments. When one is an error the others go on.
//
// It takes arguments as results are taken from it: there are never more than 2 × Options.Workers
// arguments of which the result was not handed out yet. So the arguments may be endless. As long as
// there are fewer it takes the next one: no worker waits for a result to be handed out.
//
// Where Submit refuses, whatever the error is, Map takes no more arguments. The results of those that
// were submitted still come, and then that error, which is the last. Where the context ends while Map
// waits for a result, ErrUnfinished comes in its place, as in Result, and is the last. When Map ends
// early, also because the caller has left the loop, tasks that have not begun are cancelled.
func Map[A, R any](ctx context.Context, p *Pool, t *Task[A, R], args iter.Seq[A]) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		var none R
		yield(none, todo.Err("Map"))
	}
}

// Shutdown ends the pool. From now on Submit refuses. All that was submitted is still done; or, with
// cancel, what has not begun is cancelled. It returns when every future is done, every callback has
// returned, and every worker has ended and was waited for. Workers end by themselves: Work returns nil
// there, and what a worker's main does after that is done. What a task has started, and has not ended,
// goes on: Shutdown does not wait for it.
//
// It may be called again, also by several at once, and also with cancel after it was called without:
// each call waits for the same end, and returns nil.
//
// When the context ends it kills all workers that are left, also those that have nothing to do and do
// not end. What they were doing is ErrBroken, and what had not begun is ErrCancelled. The error is
// ErrUnfinished and the context's cause, both by errors.Is. Also then no process is left. In a broken
// pool no task is left to wait for: it returns nil. In both it still waits for callbacks.
//
// A callback must not call it and wait: it would wait for itself.
func (p *Pool) Shutdown(ctx context.Context, cancel bool) error {
	return todo.Err("Pool.Shutdown")
}

// Future is the result of a task, now or later.
type Future[R any] struct{}

// Done returns a channel that is closed when the task is done: with a result, an error, or because
// it was cancelled. It is the same one in each call.
func (f *Future[R]) Done() <-chan struct{} {
	return nil
}

// Result waits until the task is done, and returns what it has returned. It may be called as often
// as one likes. When its context ends it returns ErrUnfinished and the context's cause, both by
// errors.Is. The task goes on, and Result may be called again. If the task is done it returns that, also
// with a context that has ended.
//
// Errors of the task, beside which the value is zero, also where a part of it could be decoded:
//   - a *TaskError if it has returned an error, or panicked;
//   - ErrCancelled if it was cancelled;
//   - ErrBroken, as a *BrokenError: see [Pool];
//   - ErrValue, ErrTooLarge (with both sizes in the text) and ErrUnknown (with the name).
func (f *Future[R]) Result(ctx context.Context) (R, error) {
	var none R
	return none, todo.Err("Future.Result")
}

// Cancel takes a task back that has not begun: it will never run, and its error is ErrCancelled. Then
// it is true; and it is true again for a task that was cancelled before. For a task that runs, or is
// done otherwise, it does nothing, and is false.
func (f *Future[R]) Cancel() bool {
	return false
}

// AddDoneCallback calls a function when the task is done, once, in this process; also if it is done
// already. Done is closed before. The callbacks of one future are called one after the other, in the
// order in which they were added, by a goroutine that does nothing else: so they may wait, submit,
// and add callbacks. A callback that panics is told on standard error, with its stack. The others
// are called, and the pool goes on.
func (f *Future[R]) AddDoneCallback(call func(*Future[R])) {
}
