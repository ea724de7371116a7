package pool

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"sync"
)

// Task is a function under a name.
type Task[A, R any] struct{ name string }

// tasks are those of this process.
var (
	tasksMu sync.Mutex
	tasks   = map[string]func(arg []byte) answer{}
)

func taskOf(name string) func(arg []byte) answer {
	tasksMu.Lock()
	defer tasksMu.Unlock()
	return tasks[name]
}

// NewTask wraps the function in one of bytes: so a worker needs to know no types.
func NewTask[A, R any](name string, run func(A) (R, error)) *Task[A, R] {
	tasksMu.Lock()
	defer tasksMu.Unlock()
	switch {
	case name == "":
		panic("pool: a task without a name")
	case run == nil:
		panic("pool: task " + name + " has no function")
	case tasks[name] != nil:
		panic("pool: there is a task " + name + " already")
	}
	tasks[name] = func(arg []byte) answer {
		var a A
		if err := decode(arg, &a); err != nil {
			return answer{kind: badValue, value: []byte("the argument: " + err.Error())}
		}
		r, failed := called(run, a)
		if failed.kind != good {
			return failed
		}
		value, err := encode(r)
		if err != nil {
			return answer{kind: badValue, value: []byte("the result: " + err.Error())}
		}
		return answer{kind: good, value: value}
	}
	return &Task[A, R]{name}
}

// called calls the function on a goroutine of its own: runtime.Goexit ends only that.
func called[A, R any](run func(A) (R, error), a A) (r R, failed answer) {
	over := make(chan struct{})
	go func() {
		failed = answer{kind: panicked, value: []byte("it has called runtime.Goexit")}
		defer close(over)
		defer func() {
			if v := recover(); v != nil {
				failed = answer{kind: panicked, value: text(v), stack: debug.Stack()}
			}
		}()
		var err error
		if r, err = run(a); err != nil {
			failed = answer{kind: failure, value: text(err)}
			return
		}
		failed = answer{}
	}()
	<-over
	return r, failed
}

// text is what a value says. Its method may panic, too.
func text(v any) (said []byte) {
	defer func() {
		if recover() != nil {
			said = fmt.Appendf(nil, "a %T that cannot say what it is", v)
		}
	}()
	if err, is := v.(error); is {
		return []byte(err.Error())
	}
	return fmt.Append(nil, v)
}

// encode may call a method of the value's, which may panic.
func encode[V any](v V) (b []byte, err error) {
	if b, is := any(&v).(*[]byte); is { // it goes by the task's type, as in decode
		return *b, nil
	}
	defer caught(&err)
	b, err = json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrValue, err)
	}
	return b, nil
}

func decode(b []byte, into any) (err error) {
	if bytes, is := into.(*[]byte); is {
		*bytes = b
		return nil
	}
	defer caught(&err)
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%w: %w", ErrValue, err)
	}
	return nil
}

func caught(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("%w: panic: %s", ErrValue, text(v))
	}
}
