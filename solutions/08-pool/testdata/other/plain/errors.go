// Package pool runs tasks in other processes, by the simplest design: each worker has one socket,
// a goroutine that writes tasks to it, and one that reads answers.
package pool

import (
	"errors"
	"fmt"
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
