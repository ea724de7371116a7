package pool_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	pool "ipcworkbook/chapters/08-pool"
	"ipcworkbook/harness/lab"
)

// The second part: arguments, results and errors.

// Step 5: values go over as they are, and what is handed out is nobody else's.
func TestValuesGoOver(t *testing.T) {
	l := lab.New(t)
	p := newPool(l, 1)
	every := make([]byte, 3*256)
	for i := range every {
		every[i] = byte(i)
	}
	l.SameBytes(every, run(l, p, sameBytes, every), "Result() of a task that returns its argument, a []byte")
	require.Empty(l, run(l, p, sameBytes, []byte{}), "Result() of a task that returns its argument, an empty []byte")
	require.Empty(l, run(l, p, sameBytes, nil), "Result() of a task that returns its argument, a nil []byte")
	require.Equal(l, len(every), run(l, p, length, every), "Result() of a task that tells the length of a []byte: a []byte goes as it is, and not as JSON")
	v := some{"name\n\x00 \"äöü\" <&>", []int{math.MaxInt64, math.MinInt64}, map[string]*some{"inner": {Name: "x"}, "none": nil}, []byte{0, 255}}
	require.Equal(l, v, run(l, p, sameValue, v), "Result() of a task that returns its argument, a struct")
	require.Equal(l, some{}, run(l, p, sameValue, some{}), "Result() of a task that returns its argument, a zero struct")
	require.Equal(l, struct{}{}, run(l, p, nothing, struct{}{}), "Result() of a task with nothing to return")
	require.Equal(l, "", run(l, p, sameText, ""), "Result() of a task that returns an empty string")
	require.Nil(l, run(l, p, samePointer, nil), "Result() of a task that returns a nil pointer")

	// An argument is encoded before Submit returns. All of these wait behind a task at the gate.
	g := newGate(l)
	first := submit(l, p, pauses, g.visit("first"))
	atGate := g.arrives("The worker has nothing else to do")
	text, list, large := []byte("before"), some{Numbers: []int{1, 2, 3}}, bytes.Repeat([]byte("b"), 300_000)
	var texts, larges []*pool.Future[[]byte]
	for range 300 { // some are handed over at once, maybe, and others wait
		texts = append(texts, submit(l, p, sameBytes, text))
	}
	lists := submit(l, p, sameValue, list)
	for range 3 {
		larges = append(larges, submit(l, p, sameBytes, large))
	}
	copy(text, "AFTER!")
	list.Numbers[0] = 99
	copy(large, "AFTER!")
	atGate.goes()
	value(l, first)
	for _, f := range texts {
		require.Equal(l, "before", string(value(l, f)), "what Submit() was given, and was changed after Submit() had returned: Result() of that task")
	}
	require.Equal(l, []int{1, 2, 3}, value(l, lists).Numbers, "what Submit() was given, and was changed after Submit() had returned: Result() of that task")
	for _, f := range larges {
		l.SameBytes(bytes.Repeat([]byte("b"), 300_000), value(l, f), "what Submit() was given, and was changed after Submit() had returned: Result() of that task")
	}

	// What was handed out is not used again, neither here nor in the worker.
	a, b := submit(l, p, sameBytes, []byte("first result")), submit(l, p, sameBytes, []byte("other result"))
	one := value(l, a)
	two := value(l, b)
	run(l, p, sameBytes, []byte("later result"))
	require.Equal(l, "first result other result", string(one)+" "+string(two), "two results, when a third one was taken: is their memory used again?")
	for i := range one[:cap(one)] {
		one[:cap(one)][i] = 'x'
	}
	require.Equal(l, "other result", string(two), "a result, after the memory of another one was written to, as far as its capacity goes")
	require.Equal(l, "first result", string(value(l, a)), "Result() again, after what it had returned was written to")
	run(l, p, keeps, []byte("kept"))
	require.Equal(l, "kept", string(run(l, p, keeps, []byte("next"))), "the argument that a task has kept, when the next one runs: is its memory used again?")
	large = bytes.Repeat([]byte("k"), 300_000)
	run(l, p, keeps, large)
	l.SameBytes(large, run(l, p, keeps, bytes.Repeat([]byte("n"), 300_000)), "the large argument that a task has kept, when the next one runs: is its memory used again?")
	shut(l, p)
	ownMemory(l)
}

type some struct {
	Name    string
	Numbers []int
	Inner   map[string]*some
	Bytes   []byte
}

var (
	sameBytes   = pool.NewTask("same bytes", func(b []byte) ([]byte, error) { return b, nil })
	sameValue   = pool.NewTask("same value", func(v some) (some, error) { return v, nil })
	sameText    = pool.NewTask("same text", func(s string) (string, error) { return s, nil })
	samePointer = pool.NewTask("same pointer", func(v *some) (*some, error) { return v, nil })
	nothing     = pool.NewTask("nothing", func(v struct{}) (struct{}, error) { return v, nil })
	length      = pool.NewTask("length", func(b []byte) (int, error) { return len(b), nil })

	kept  []byte
	keeps = pool.NewTask("keeps", func(b []byte) ([]byte, error) {
		before := kept
		kept = b
		return before, nil
	})
)

// Step 6: a task's error and its panic come back with their text, and the worker lives.
func TestTaskErrorsComeBack(t *testing.T) {
	l := lab.New(t)
	p := newPool(l, 1)
	workers := p.Workers()
	for how, want := range inOrder(map[string]pool.TaskError{
		"error":         {Task: "fails", Text: "no space left: 3 files"},
		"empty error":   {Task: "fails", Text: ""},
		"panic":         {Task: "fails", Text: "this cannot be", Panic: true},
		"panic error":   {Task: "fails", Text: "wrapped: file already closed", Panic: true},
		"panic number":  {Task: "fails", Text: "42", Panic: true},
		"nil map":       {Task: "fails", Text: "assignment to entry in nil map", Panic: true},
		"panic nil":     {Task: "fails", Text: new(runtime.PanicNilError).Error(), Panic: true},
		"long error":    {Task: "fails", Text: strings.Repeat("long ", 50_000)},
		"error of Work": {Task: "fails", Text: pool.ErrBroken.Error()},
	}) {
		got, err := submit(l, p, fails, how).Result(forever)
		var e *pool.TaskError
		require.ErrorAs(l, err, &e, "Result() of a task that ends with %q", how)
		if want.Panic {
			require.Contains(l, e.Stack, "explodes", "TaskError.Stack of a task that ends with %s: it is where it has panicked", how)
		} else {
			require.Empty(l, e.Stack, "TaskError.Stack of a task that has not panicked")
		}
		e.Stack = ""
		require.Equal(l, short(want), short(*e), "the error of a task that ends with %q", how)
		require.NotErrorIs(l, err, pool.ErrBroken, "the error of a task that ends with %s: only its text comes over", how)
		require.Zero(l, got, "what Result() returns beside an error")
		require.Equal(l, 49, run(l, p, square, 7), "Result() of the next task, after one that ended with %q", how)
	}
	_, err := soon(l, submit(l, p, fails, "goexit"), "a task that has called runtime.Goexit()")
	var e *pool.TaskError
	require.ErrorAs(l, err, &e, "Result() of a task that has called runtime.Goexit()")
	require.True(l, e.Panic, "TaskError.Panic of a task that has called runtime.Goexit()")
	require.Contains(l, e.Text, "runtime.Goexit", "TaskError.Text of a task that has called runtime.Goexit(): it says so")
	require.Equal(l, 49, run(l, p, square, 7), "Result() of the next task, after one that has called runtime.Goexit()")
	require.Equal(l, workers, p.Workers(), "Workers() after tasks that failed: the worker lives")
	shut(l, p)
}

func short(e pool.TaskError) pool.TaskError {
	if len(e.Text) > 100 {
		e.Text = fmt.Sprintf("%s… of %d bytes", e.Text[:20], len(e.Text))
	}
	return e
}

var fails = pool.NewTask("fails", explodes)

func explodes(how string) (int, error) {
	switch how {
	case "error":
		return 5, fmt.Errorf("no space left: %d files", 3)
	case "empty error":
		return 5, errors.New("")
	case "panic":
		panic("this cannot be")
	case "panic error":
		panic(fmt.Errorf("wrapped: %w", os.ErrClosed))
	case "panic number":
		panic(42)
	case "nil map":
		noMap()["x"] = 1
	case "panic nil":
		panic(nil)
	case "goexit":
		runtime.Goexit()
	case "long error":
		return 5, errors.New(strings.Repeat("long ", 50_000))
	case "error of Work":
		return 5, pool.ErrBroken
	}
	return 5, nil
}

// Step 7: a value that does not go over, and a task that is not known there, fail alone.
func TestWhatDoesNotGoOverFailsAlone(t *testing.T) {
	l := lab.New(t)
	p := newPool(l, 1)
	workers := p.Workers()

	// An argument that cannot be encoded: Submit says so.
	for what, arg := range inOrder(map[string]any{
		"a channel": make(chan int), "a function": func() {}, "NaN": math.NaN(), "a value that cannot be encoded": odd{"encode"},
		"a value whose MarshalJSON panics": odd{"panic in encode"},
	}) {
		f, err := pool.Submit(p, takesAny, arg)
		require.ErrorIs(l, err, pool.ErrValue, "Submit() with %s as argument", what)
		require.Nil(l, f, "Submit() with an error: there is no future then")
	}

	// The others come back from the worker, or fail here when they have come.
	for what, f := range inOrder(map[string]*pool.Future[odd]{
		"whose argument cannot be decoded in the worker":  submit(l, p, oddities, odd{"decode"}),
		"whose argument panics where it is decoded":       submit(l, p, oddities, odd{"panic in decode"}),
		"whose result cannot be encoded":                  submit(l, p, oddities, odd{"result encode"}),
		"whose result panics where it is encoded":         submit(l, p, oddities, odd{"result panic in encode"}),
		"whose result cannot be decoded when it has come": submit(l, p, oddities, odd{"result decode"}),
		"whose result panics where it is decoded":         submit(l, p, oddities, odd{"result panic in decode"}),
	}) {
		got, err := soon(l, f, "a task "+what)
		require.ErrorIs(l, err, pool.ErrValue, "Result() of a task %s", what)
		require.Zero(l, got, "what Result() returns beside the error of a task %s", what)
		require.ErrorContains(l, err, "this is odd", "Result() of a task %s: the reason is in its text", what)
		var e *pool.TaskError
		require.False(l, errors.As(err, &e), "Result() of a task %s: it is no TaskError", what)
		_, again := f.Result(forever)
		require.ErrorIs(l, again, pool.ErrValue, "Result() once more, of a task %s", what)
	}
	for range 3 {
		_, err := soon(l, submit(l, p, takesAny, any("text")), "a task whose result cannot be encoded")
		require.ErrorIs(l, err, pool.ErrValue, "Result() of a task whose result is a channel")
		require.Equal(l, 36, run(l, p, square, 6), "Result() of the next task, after a value that did not go over")
	}

	// A name that the worker does not know.
	stranger := pool.NewTask("known only here", func(int) (int, error) { return 0, nil })
	_, err := soon(l, submit(l, p, stranger, 5), "a task that the worker does not know")
	require.ErrorIs(l, err, pool.ErrUnknown, "Result() of a task that the worker does not know")
	require.ErrorContains(l, err, "known only here", "Result() of a task that the worker does not know: it says which")
	large := pool.NewTask("known only here, too", func([]byte) (int, error) { return 0, nil })
	_, err = soon(l, submit(l, p, large, make([]byte, 1<<20)), "a task that the worker does not know, with an argument of 1 MiB")
	require.ErrorIs(l, err, pool.ErrUnknown, "Result() of a task that the worker does not know, with an argument of 1 MiB")
	got, err := soon(l, submit(l, p, length, make([]byte, 2_000_000)), "a task with an argument of 2 MB, after one that the worker does not know")
	require.NoError(l, err, "Result() of a task with an argument of 2 MB, after one that the worker does not know: was an argument left there?")
	require.Equal(l, 2_000_000, got, "the length of an argument of 2 MB, after a task that the worker does not know: was an argument left there?")

	require.Equal(l, 25, run(l, p, square, 5), "Result() of a task after all that")
	require.Equal(l, workers, p.Workers(), "Workers() after all that: the worker lives")
	shut(l, p)

	// Names are looked at where they are given.
	for what, call := range inOrder(map[string]func(){
		"square":  func() { pool.NewTask("square", func(int) (int, error) { return 0, nil }) },
		"no name": func() { pool.NewTask("", func(int) (int, error) { return 0, nil }) },
		"no-one":  func() { pool.NewTask[int, int]("no-one", nil) },
	}) {
		said := func() (v any) { defer func() { v = recover() }(); call(); return nil }()
		require.NotNil(l, said, "NewTask() with a mistake (%s): it panics", what)
		if what != "no name" {
			require.Contains(l, fmt.Sprint(said), what, "what NewTask() panics with: it says which name it was")
		}
	}
}

// odd is a value that does not always go over: its text says where not.
type odd struct{ where string }

func (o odd) MarshalJSON() ([]byte, error) {
	switch o.where {
	case "encode":
		return nil, errors.New("this is odd")
	case "panic in encode":
		panic("this is odd")
	}
	return json.Marshal(o.where)
}

func (o *odd) UnmarshalJSON(b []byte) error {
	if err := json.Unmarshal(b, &o.where); err != nil {
		return err
	}
	switch o.where {
	case "decode":
		return errors.New("this is odd")
	case "panic in decode":
		panic("this is odd")
	}
	return nil
}

var oddities = pool.NewTask("oddities", func(o odd) (odd, error) { return odd{strings.TrimPrefix(o.where, "result ")}, nil })

var takesAny = pool.NewTask("takes any", func(any) (any, error) { return make(chan int), nil })

// Step 8: what is larger than the limit is refused with both sizes, and the limit is exact.
func TestTooLargeIsRefused(t *testing.T) {
	l := lab.New(t)
	for _, limit := range []int{1, 1000, 100_000} {
		p := poolWith(l, pool.Options{Workers: 1, MaxSize: limit})
		require.Len(l, run(l, p, sameBytes, make([]byte, limit)), limit, "Result() of %d bytes, where %d is the limit", limit, limit)
		f, err := pool.Submit(p, sameBytes, make([]byte, limit+1))
		require.ErrorIs(l, err, pool.ErrTooLarge, "Submit() of %d bytes, where %d is the limit", limit+1, limit)
		require.Nil(l, f, "Submit() with an error: there is no future then")
		bothSizes(l, err, limit+1, limit, "Submit() of too many bytes")
		if limit > 1 {
			_, err = soon(l, submit(l, p, zeros, limit+1), "a task whose result is too large")
			require.ErrorIs(l, err, pool.ErrTooLarge, "Result() of %d bytes, where %d is the limit", limit+1, limit)
			bothSizes(l, err, limit+1, limit, "Result() of a task whose result is too large")
			require.Len(l, run(l, p, zeros, limit), limit, "Result() of %d bytes, where %d is the limit", limit, limit)
			// It is the size as it goes over: JSON has two quotation marks more.
			require.Len(l, run(l, p, sameText, strings.Repeat("x", limit-2)), limit-2, "Result() of a string, where the limit is what its JSON has")
			_, err = pool.Submit(p, sameText, strings.Repeat("x", limit-1))
			require.ErrorIs(l, err, pool.ErrTooLarge, "Submit() of a string whose JSON is one byte too long")
			_, err = soon(l, submit(l, p, longText, limit-1), "a task whose result is a string with a JSON that is one byte too long")
			require.ErrorIs(l, err, pool.ErrTooLarge, "Result() of a string whose JSON is one byte too long")
			_, err = soon(l, submit(l, p, fails, "long error"), "a task whose error is a long text")
			var e *pool.TaskError
			require.ErrorAs(l, err, &e, "Result() of a task with an error of 250,000 bytes, where %d is the limit: it is one of results", limit)
			require.Len(l, e.Text, 250_000, "TaskError.Text of 250,000 bytes, where %d is the limit: it is one of results", limit)
			const huge = 50_000_000
			memory := lab.Allocated(func() { _, err = soon(l, submit(l, p, zeros, huge), "a task whose result is much too large") })
			require.ErrorIs(l, err, pool.ErrTooLarge, "Result() of %d bytes, where %d is the limit", huge, limit)
			require.Less(l, int(memory), huge/2, "bytes of memory that this process has taken for a result of %d bytes, where %d is the limit: was it sent, and refused here?", huge, limit)
		}
		shut(l, p)
	}
	p := newPool(l, 1)
	large := make([]byte, pool.DefaultSize+1)
	_, err := pool.Submit(p, sameBytes, large)
	require.ErrorIs(l, err, pool.ErrTooLarge, "Submit() of one byte more than DefaultSize, where MaxSize is 0")
	const half = pool.DefaultSize / 2
	require.Equal(l, half, run(l, p, length, large[:half]), "Result() of the length of half as many bytes as DefaultSize, where MaxSize is 0")
	_, err = pool.Submit(p, takesAny, any(make(chan int)))
	require.ErrorIs(l, err, pool.ErrValue, "Submit() of a channel")
	shut(l, p)

	// The errors of Submit have an order.
	_, err = pool.Submit(p, sameBytes, large)
	require.ErrorIs(l, err, pool.ErrTooLarge, "Submit() of too many bytes after Shutdown(): what cannot be submitted anywhere comes first")
	_, err = pool.Submit(p, takesAny, any(make(chan int)))
	require.ErrorIs(l, err, pool.ErrValue, "Submit() of a channel after Shutdown(): what cannot be submitted anywhere comes first")
	_, err = pool.Submit(p, square, 1)
	require.ErrorIs(l, err, os.ErrClosed, "Submit() after Shutdown()")
}

var (
	zeros    = pool.NewTask("zeros", func(n int) ([]byte, error) { return make([]byte, n), nil })
	longText = pool.NewTask("long text", func(n int) (string, error) { return strings.Repeat("x", n), nil })
)

func bothSizes(l *lab.Lab, err error, is, limit int, what string) {
	require.Subset(l, lab.Numbers(err), []int{is, limit}, "the numbers in the text of %s: its size, and the limit", what)
}

// Step 9: no size and no number of tasks makes anybody wait, and memory is bounded.
func TestNothingIsTooMuch(t *testing.T) {
	l := lab.New(t)
	p := newPool(l, 2)
	// Arguments and results that are larger than any buffer, both ways at the same time.
	var all []*pool.Future[[]byte]
	sizes := []int{0, 1, 4095, 4097, 8192, 65_535, 65_537, 212_992, 1 << 20, 5_000_001}
	submits := l.Call("Submit() of arguments of up to 5 MB: does it wait until somebody reads?", func() error {
		for _, size := range append(sizes, sizes...) {
			f, err := pool.Submit(p, sameBytes, pattern(size))
			if err != nil {
				return err
			}
			all = append(all, f)
		}
		return nil
	})
	submits.ReturnsSoon(nil)
	for n, f := range all {
		got, err := soon(l, f, fmt.Sprintf("a task with an argument and a result of %d bytes", sizes[n%len(sizes)]))
		require.NoError(l, err, "Result()")
		l.SameBytes(pattern(sizes[n%len(sizes)]), got, "Result() of %d bytes", sizes[n%len(sizes)])
	}

	// Many wait, and the workers are busy. Nobody takes a result.
	g := newGate(l)
	for n := range 2 {
		submit(l, p, pauses, g.visit(fmt.Sprint(n)))
	}
	one, two := g.arrives("Both workers are free"), g.arrives("One worker is free")
	const many = 20_000
	futures := make([]*pool.Future[int], many)
	goroutines, open, memory := runtime.NumGoroutine(), len(descriptors()), heap()
	l.Call("Submit() of 20000 tasks, while both workers are busy: it returns at once, however many wait", func() error {
		for n := range futures {
			f, err := pool.Submit(p, square, n)
			if err != nil {
				return err
			}
			futures[n] = f
		}
		return nil
	}).ReturnsSoon(nil)
	each := (int(heap()) - int(memory)) / many
	require.Less(l, runtime.NumGoroutine(), goroutines+50, "goroutines, when 20000 tasks wait: does one stand for each task?")
	opened := descriptors()
	require.NotEmpty(l, opened, "descriptors, when 20000 tasks wait: none is left. Does one stand for each task?")
	require.Less(l, len(opened), open+50, "descriptors, when 20000 tasks wait: does one stand for each task?")
	require.Less(l, each, 1000, "bytes of memory for each of 20000 tasks that wait, with an argument of some bytes")
	var called atomic.Int32
	for _, f := range futures[:1000] {
		f.AddDoneCallback(func(*pool.Future[int]) { called.Add(1) })
	}
	l.Rests()
	require.Less(l, runtime.NumGoroutine(), goroutines+50, "goroutines, when 1000 tasks wait that have a callback: does one stand for each?")
	one.goes()
	two.goes()
	l.Call("Result() of 20000 tasks, from the last one to the first", func() error {
		for n := many - 1; n >= 0; n-- {
			if got, err := futures[n].Result(forever); err != nil || got != n*n {
				return fmt.Errorf("the square of %d: %d, %v", n, got, err)
			}
		}
		return nil
	}).Returns(nil)
	runtime.KeepAlive(futures)
	l.Rests()
	require.EqualValues(l, 1000, called.Load(), "callbacks that were called, of tasks of which 20000 have waited")

	// Several goroutines at once.
	errs := make(chan error, 8)
	for part := range 8 {
		go func() {
			for n := range 200 {
				f, err := pool.Submit(p, square, part+n)
				if err != nil {
					errs <- fmt.Errorf("Submit(): %w", err)
					return
				}
				if got, err := f.Result(forever); err != nil || got != (part+n)*(part+n) {
					errs <- fmt.Errorf("the square of %d: %d, %v", part+n, got, err)
					return
				}
			}
			errs <- nil
		}()
	}
	for range 8 {
		require.NoError(l, <-errs, "Submit() and Result() by eight goroutines at once")
	}

	// What is done takes no memory in the pool.
	futures = nil
	memory = heap()
	for range 10 {
		run(l, p, length, make([]byte, 3_000_000))
	}
	require.Less(l, int(heap())-int(memory), 10_000_000, "bytes of memory that ten tasks with 3 MB each have left, when all are done")
	shut(l, p)
}

// heap is how much memory is in use, without what nobody has any more.
func heap() uint64 {
	lab.CollectGarbage()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// pattern are bytes of which each place can be told from the next one.
func pattern(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i%251) ^ byte(i>>12)
	}
	return b
}

// noMap is a map that nobody has made.
func noMap() map[string]int { return nil }
