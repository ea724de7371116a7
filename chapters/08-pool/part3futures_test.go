package pool_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	pool "ipcworkbook/chapters/08-pool"
	"ipcworkbook/harness/lab"
)

// The third part: what one does with a future.

// Step 10: Result waits asleep, and a context ends the wait and nothing else.
func TestResultWaits(t *testing.T) {
	l := lab.New(t)
	p := newPool(l, 1)
	g := newGate(l)
	f := submit(l, p, pauses, g.visit("first"))
	behind := submit(l, p, square, 3)
	v := g.arrives("The worker has nothing else to do")

	channel := f.Done()
	require.NotNil(l, channel, "Done()")
	require.False(l, done(f), "Done() of a task that runs: the channel is closed")
	require.False(l, done(behind), "Done() of a task that waits: the channel is closed")
	_, err := f.Result(over())
	both(l, err, pool.ErrUnfinished, errEnough, "Result() of a task that runs, with a context that has ended")
	_, err = behind.Result(over())
	both(l, err, pool.ErrUnfinished, errEnough, "Result() of a task that waits, with a context that has ended")

	ctx, stop := context.WithCancelCause(forever)
	var results []*lab.Call
	for range 3 {
		results = append(results, l.Call("Result()", func() error { _, err := f.Result(forever); return err }))
	}
	limited := l.Call("Result() with a context", func() error { _, err := f.Result(ctx); return err })
	results[0].Blocks("the task waits at the gate")
	limited.Blocks("the task waits at the gate")
	stop(errEnough)
	limited.ReturnsSoon(pool.ErrUnfinished)
	l.Call("Result() with a context that has ended, while others wait", func() error { _, err = f.Result(ctx); return nil }).ReturnsSoon(nil)
	both(l, err, pool.ErrUnfinished, errEnough, "Result() with a context that has ended")
	results[2].Blocks("only the context of another call has ended: does the task end with it?")

	v.goes()
	for _, r := range results {
		r.ReturnsSoon(nil)
	}
	require.Equal(l, []int{v.pid}, []int{value(l, f)}, "Result()")
	require.Equal(l, 9, value(l, behind), "Result() of the next task, of which a Result() had ended with its context")
	require.True(l, done(f), "Done() of a task that is done: the channel is open")
	require.Equal(l, channel, f.Done(), "Done() once more: it is the same channel")
	got, err := f.Result(over())
	require.NoError(l, err, "Result() of a task that is done, with a context that has ended")
	require.Equal(l, v.pid, got, "Result() of a task that is done, with a context that has ended")
	failed := submit(l, p, fails, "error")
	<-failed.Done()
	for range 50 { // a select with two cases that are ready takes any of them
		_, err = failed.Result(over())
		require.NotErrorIs(l, err, pool.ErrUnfinished, "Result() of a task that is done, with a context that has ended: what the task has said comes first")
		_, err = f.Result(over())
		require.NoError(l, err, "Result() of a task that is done, with a context that has ended: what the task has said comes first")
	}
	shut(l, p)
	require.Equal(l, v.pid, value(l, f), "Result() after Shutdown()")
}

// Step 11: callbacks run once, here, one after the other, and disturb nobody.
func TestCallbacks(t *testing.T) {
	l := lab.New(t)
	p := newPool(l, 1)
	g := newGate(l)
	f := submit(l, p, pauses, g.visit("first"))
	v := g.arrives("The worker has nothing else to do")
	said := make(chan string, 1000)
	says := func(text string) func(*pool.Future[int]) {
		return func(of *pool.Future[int]) {
			if pid, err := of.Result(over()); err != nil || pid != v.pid {
				text += fmt.Sprintf(" of another future: %d %v", pid, err)
			}
			if !done(of) {
				text += " before Done"
			}
			said <- text
		}
	}
	var want []string
	for n := range 100 {
		f.AddDoneCallback(says(strconv.Itoa(n)))
		want = append(want, strconv.Itoa(n))
	}
	l.Rests()
	require.Empty(l, said, "callbacks that were called before the task is done")
	v.goes()
	value(l, f)
	heard(l, said, want, "the callbacks of a task, in the order in which they were added")
	l.Call("AddDoneCallback() to a future that is done", func() error { f.AddDoneCallback(says("late")); return nil }).ReturnsSoon(nil)
	heard(l, said, []string{"late"}, "a callback that was added when the task was done")
	l.Rests()
	require.Empty(l, said, "callbacks that were called a second time")

	// A callback may wait, as long as it likes: the pool goes on. The next one of this future waits.
	opens := make(chan struct{})
	ours := submit(l, p, square, 2)
	<-ours.Done()
	l.Call("AddDoneCallback() to a future that is done: does it call the callback itself, and wait for it?", func() error {
		ours.AddDoneCallback(func(*pool.Future[int]) { said <- "waits"; <-opens; said <- "has waited" })
		return nil
	}).ReturnsSoon(nil)
	l.Call("AddDoneCallback() while an earlier callback waits", func() error {
		ours.AddDoneCallback(func(*pool.Future[int]) { said <- "next" })
		ours.AddDoneCallback(func(*pool.Future[int]) { said <- "after next" })
		return nil
	}).ReturnsSoon(nil)
	heard(l, said, []string{"waits"}, "the first callback of three")
	l.Rests()
	require.Empty(l, said, "callbacks of a future while one of its callbacks has not returned: they come one after the other")
	got, err := soon(l, submit(l, p, square, 5), "a task, while a callback of another one waits")
	require.NoError(l, err, "Result() while a callback waits")
	require.Equal(l, 25, got, "Result() while a callback waits")
	another := submit(l, p, square, 6)
	another.AddDoneCallback(func(*pool.Future[int]) { said <- "another" })
	value(l, another)
	heard(l, said, []string{"another"}, "a callback of another future, while one waits")
	close(opens)
	heard(l, said, []string{"has waited", "next", "after next"}, "the callbacks of a future whose first one has waited")

	// It may submit, wait for that, and add callbacks. It was added before the task has ended.
	chain := submit(l, p, pauses, g.visit("second"))
	v = g.arrives("The worker has nothing else to do")
	chain.AddDoneCallback(func(f *pool.Future[int]) {
		next, err := pool.Submit(p, square, 9)
		if err != nil {
			said <- err.Error()
			return
		}
		got, err := next.Result(forever)
		f.AddDoneCallback(func(*pool.Future[int]) { said <- "added in a callback" })
		said <- fmt.Sprint(got, " ", err)
	})
	v.goes()
	heard(l, said, []string{"81 <nil>", "added in a callback"}, "a callback that submits a task, waits for it, and adds a callback: who reads the answers is not to call it, since it may wait for one")

	// Tasks that fail have callbacks, too.
	failed := submit(l, p, fails, "panic")
	failed.AddDoneCallback(func(f *pool.Future[int]) {
		_, err := f.Result(forever)
		if e := (*pool.TaskError)(nil); errors.As(err, &e) {
			said <- e.Text
		} else {
			said <- fmt.Sprint(err)
		}
	})
	heard(l, said, []string{"this cannot be"}, "the callback of a task that has panicked, and the text of the error that Result() has there")

	// Many goroutines add at the moment at which the task ends.
	for range 30 {
		f := submit(l, p, square, 1)
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for range 5 {
					f.AddDoneCallback(func(*pool.Future[int]) { said <- "one" })
					runtime.Gosched()
				}
			})
		}
		group.Wait()
		heard(l, said, strings.Fields(strings.Repeat("one ", 20)), "callbacks that were added while the task came to its end, and each is called once")
	}
	shut(l, p)
	require.Empty(l, said, "callbacks that were called a second time")

	role := l.Start(panics)
	var text string
	role.Report(&text)
	require.Equal(l, "[before after] 16", text, "the callbacks around two that end by panic and runtime.Goexit, and the next task")
	role.Exit()
	text = role.Printed()
	require.Contains(l, text, "a callback that panics", "standard error after a callback has panicked")
	require.Contains(l, text, "doPanic", "standard error after a callback has panicked: the stack is there, too")
}

// heard expects these texts in this order. After a colon in what stands the likeliest reason.
func heard(l *lab.Lab, said chan string, want []string, what string) {
	var got []string
	if !strings.Contains(what, ": ") {
		what += ": was none called?"
	}
	l.Call(what, func() error {
		for range want {
			got = append(got, <-said)
		}
		return nil
	}).ReturnsSoon(nil)
	require.Equal(l, want, got, what)
}

// panics has a callback that panics.
var panics = lab.NewRole("pool whose callback panics", func(c *lab.Child) error {
	p, err := pool.New(forever, pool.Options{Workers: 1, Command: worker.Command()})
	if err != nil {
		return fmt.Errorf("New(): %w", err)
	}
	f, err := pool.Submit(p, square, 4)
	if err != nil {
		return fmt.Errorf("Submit(): %w", err)
	}
	<-f.Done()
	var order []string
	f.AddDoneCallback(func(*pool.Future[int]) { order = append(order, "before") })
	f.AddDoneCallback(func(*pool.Future[int]) { doPanic() })
	f.AddDoneCallback(func(*pool.Future[int]) { runtime.Goexit() })
	over := make(chan struct{})
	f.AddDoneCallback(func(*pool.Future[int]) { order = append(order, "after"); close(over) })
	<-over
	next, err := pool.Submit(p, square, 4)
	if err != nil {
		return fmt.Errorf("Submit(): %w", err)
	}
	n, err := next.Result(forever)
	if err != nil {
		return fmt.Errorf("Result(): %w", err)
	}
	c.Report(fmt.Sprint(order, " ", n))
	return p.Shutdown(forever, false)
})

func doPanic() { panic("a callback that panics") }

// Step 12: who is cancelled in time never runs, and who runs cannot be cancelled.
func TestCancel(t *testing.T) {
	l := lab.New(t)
	p := newPool(l, 1)
	g := newGate(l)
	path := l.Path("notes")
	f := submit(l, p, pauses, g.visit("first"))
	v := g.arrives("The worker has nothing else to do")
	var all []*pool.Future[int]
	const many = 400
	for n := range many {
		all = append(all, submit(l, p, writesDown, note{path, strconv.Itoa(n)}))
	}
	require.False(l, f.Cancel(), "Cancel() of a task that runs")
	require.False(l, done(f), "Done() of a task that runs, after Cancel(): the channel is closed")

	said := make(chan string, 10)
	all[0].AddDoneCallback(func(f *pool.Future[int]) {
		_, err := f.Result(forever)
		said <- fmt.Sprint(errors.Is(err, pool.ErrCancelled))
	})
	waits := l.Call("Result() of a task that is cancelled meanwhile", func() error { _, err := all[0].Result(forever); return err })
	waits.Blocks("the task waits for a worker")
	// Some may be handed over already, and others not.
	var want []string
	for n, f := range all {
		if n%3 != 0 && n != many-1 {
			want = append(want, strconv.Itoa(n))
			continue
		}
		cancelled := false
		cancel := func() error { cancelled = f.Cancel(); return nil }
		if n == 0 {
			l.Call("Cancel() of a task that waits", cancel).ReturnsSoon(nil)
		} else {
			_ = cancel()
		}
		require.True(l, cancelled, "Cancel() of task %d that waits: is it handed over for good before it begins?", n)
		require.True(l, f.Cancel(), "Cancel() of a task that was cancelled")
		require.True(l, done(f), "Done() of a task that was cancelled: the channel is open")
		_, err := f.Result(forever)
		require.ErrorIs(l, err, pool.ErrCancelled, "Result() of a task that was cancelled")
	}
	waits.ReturnsSoon(pool.ErrCancelled)
	heard(l, said, []string{"true"}, "the callback of a task that was cancelled")
	v.goes()
	require.Equal(l, v.pid, value(l, f), "Result() of a task that ran when Cancel() was called")
	l.Call("Result() of the tasks that were not cancelled", func() error {
		for _, n := range want {
			i, _ := strconv.Atoi(n)
			if _, err := all[i].Result(forever); err != nil {
				return err
			}
		}
		return nil
	}).ReturnsSoon(nil)
	require.Equal(l, want, lines(l, path), "the tasks that have run, in their order: those that were not cancelled")
	require.False(l, f.Cancel(), "Cancel() of a task that is done")
	require.Equal(l, v.pid, value(l, f), "Result() of a task that was done when Cancel() was called")
	require.True(l, all[0].Cancel(), "Cancel() of a task that was cancelled long ago")

	// At the moment at which it begins: what Cancel says is what happens.
	path = l.Path("more notes")
	want = []string{}
	for n := range 300 {
		f := submit(l, p, writesDown, note{path, strconv.Itoa(n)})
		for range n % 40 {
			runtime.Gosched()
		}
		cancelled := f.Cancel()
		_, err := f.Result(forever)
		if !cancelled {
			require.NoError(l, err, "Result() of a task of which Cancel() has said that it is too late")
			want = append(want, strconv.Itoa(n))
			continue
		}
		require.ErrorIs(l, err, pool.ErrCancelled, "Result() of a task that was cancelled")
	}
	run(l, p, square, 1)
	require.Equal(l, want, lines(l, path), "the tasks that have run: those of which Cancel() has said that it is too late")

	// Two at once.
	f = submit(l, p, pauses, g.visit("second"))
	v = g.arrives("The worker has nothing else to do")
	for range 50 {
		waiting := submit(l, p, square, 2)
		var results [4]bool
		var group sync.WaitGroup
		for i := range results {
			group.Go(func() { results[i] = waiting.Cancel() })
		}
		group.Wait()
		require.Equal(l, [4]bool{true, true, true, true}, results, "four Cancel() of a task at once")
	}

	// What was cancelled is needed no more, though its worker is still busy.
	memory := heap()
	for range 20 {
		large := submit(l, p, length, make([]byte, 2_000_000))
		require.True(l, large.Cancel(), "Cancel() of a task that waits")
	}
	require.Less(l, int(heap())-int(memory), 10_000_000, "bytes of memory that 20 tasks with 2 MB each have left, when all were cancelled: does the list keep them?")
	v.goes()
	value(l, f)
	shut(l, p)
	require.False(l, f.Cancel(), "Cancel() after Shutdown()")
}

// note is what a task writes down, and where.
type note struct{ Path, Text string }

var writesDown = pool.NewTask("writes down", func(n note) (int, error) {
	return 0, appendTo(n.Path, n.Text)
})
