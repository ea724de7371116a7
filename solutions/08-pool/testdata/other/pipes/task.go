package pool

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
)

// The kinds of answers.
const (
	isResult = iota
	isError
	isPanic
	isBadValue
	isUnknown
	isTooLarge
)

// answer is what a worker says when a task has ended.
type answer struct {
	kind  uint32
	value []byte // or the text of the error
	stack []byte
}

type Task[A, R any] struct{ name string }

var known = map[string]func(arg []byte) answer{}

func NewTask[A, R any](name string, run func(A) (R, error)) *Task[A, R] {
	if name == "" || run == nil {
		panic(fmt.Sprintf("a task needs a name and a function: the name is %q", name))
	}
	if _, there := known[name]; there {
		panic(fmt.Sprintf("two tasks with the name %q", name))
	}
	known[name] = func(arg []byte) answer {
		var a A
		if err := decode(arg, &a); err != nil {
			return answer{kind: isBadValue, value: []byte(err.Error())}
		}
		out := make(chan answer, 1)
		go func() {
			came := answer{kind: isPanic, value: []byte("runtime.Goexit was called")}
			defer func() {
				if v := recover(); v != nil {
					came = answer{isPanic, fmt.Append(nil, v), debug.Stack()}
				}
				out <- came
			}()
			r, err := run(a)
			if err != nil {
				came = answer{kind: isError, value: []byte(err.Error())}
				return
			}
			b, err := encode(r)
			if err != nil {
				came = answer{kind: isBadValue, value: []byte(err.Error())}
				return
			}
			came = answer{kind: isResult, value: b}
		}()
		return <-out
	}
	return &Task[A, R]{name}
}

// encode and decode may call methods of the value's.
func encode(v any) (b []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v", ErrValue, v)
		}
	}()
	if b, is := v.([]byte); is {
		return slices.Clone(b), nil
	}
	if b, err = json.Marshal(v); err != nil {
		err = fmt.Errorf("%w: %w", ErrValue, err)
	}
	return b, err
}

func decode(b []byte, into any) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v", ErrValue, v)
		}
	}()
	if to, is := into.(*[]byte); is {
		*to = slices.Clone(b)
		return nil
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("%w: %w", ErrValue, err)
	}
	return nil
}
