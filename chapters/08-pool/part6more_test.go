package pool_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	pool "ipcworkbook/chapters/08-pool"
	"ipcworkbook/harness/lab"
)

// What some steps ask at their end.

// ownMemory is the end of step 5: what is no []byte belongs to the caller, too.
func ownMemory(l *lab.Lab) {
	p := newPool(l, 1)
	f := submit(l, p, sameValue, some{Name: "some", Numbers: []int{1, 2}, Inner: map[string]*some{"inner": {Name: "inner"}}})
	first := value(l, f)
	first.Numbers[0], first.Inner["inner"].Name = 99, "changed"
	again := value(l, f)
	require.Equal(l, []int{1, 2}, again.Numbers, "Result() again, after what it had returned was changed: is the value decoded once, and handed out to all?")
	require.Equal(l, "inner", again.Inner["inner"].Name, "Result() again, after what it had returned was changed: is the value decoded once, and handed out to all?")

	// The name of a task may have any length.
	require.Equal(l, 7, run(l, p, longName, 7), "Result() of a task whose name has %d bytes", longest)
	require.Equal(l, 300_000, run(l, p, longNameAndMore, make([]byte, 300_000)), "Result() of a task whose name has %d bytes, with a large argument", longest)
	// The type of the task decides how a value goes, and not what stands in it.
	require.Equal(l, "hello", run(l, p, sameAny, any("hello")), "Result() of a task of any that returns its argument, a string")
	shut(l, p)
}

const longest = 20_000

var (
	longName        = pool.NewTask("long "+strings.Repeat("x", longest-len("long ")), func(n int) (int, error) { return n, nil })
	longNameAndMore = pool.NewTask("more "+strings.Repeat("x", longest-len("more ")), func(b []byte) (int, error) { return len(b), nil })
	sameAny         = pool.NewTask("same any", func(v any) (any, error) { return v, nil })
)

// workersAreTold is the end of step 3.
func workersAreTold(l *lab.Lab) {
	p := newPool(l, 2)
	workers := p.Workers()
	want := slices.Clone(workers)
	workers[0] = 0
	require.Equal(l, want, p.Workers(), "Workers() after what it had returned before was changed: is it the pool's own slice?")
	shut(l, p)
}

// loopsOverMap is the end of step 13.
func loopsOverMap(l *lab.Lab, g *gate) {
	p := newPool(l, 2)
	squares := pool.Map(forever, p, square, numbers(3, nil))
	for _, time := range []string{"the first", "the second"} {
		var got []int
		for r, err := range squares {
			require.NoError(l, err, "a result of Map()")
			got = append(got, r)
		}
		require.Equal(l, []int{0, 1, 4}, got, "the results of one Map(), which is looped over %s time", time)
	}

	// The arguments are told that no more are wanted.
	ended := false
	for _, err := range pool.Map(forever, p, square, func(yield func(int) bool) {
		defer func() { ended = true }()
		for n := 0; yield(n); n++ {
		}
	}) {
		require.NoError(l, err, "a result of Map()")
		break
	}
	require.True(l, ended, "the arguments' own function has returned when Map()'s loop was left: does anybody tell it (the stop of iter.Pull)?")

	// A panic leaves the loop, too.
	path := l.Path("notes")
	loop := l.Call("a loop over Map() that ends with a panic", func() (err error) {
		defer func() { err, _ = recover().(error) }()
		for range pool.Map(forever, p, notesOrPauses, mixed(g, path)) {
			panic(errEnough)
		}
		return nil
	})
	l.Rests()
	var guests []*guest
	for len(g.came) > 0 {
		guests = append(guests, <-g.came)
	}
	loop.ReturnsSoon(errEnough)
	for _, v := range guests {
		v.goes()
	}
	run(l, p, square, 1)
	l.Rests()
	require.Empty(l, lines(l, path), "tasks that have begun though nobody wants their results any more, of a Map() whose loop has ended with a panic: does a deferred function cancel them?")
	shut(l, p)
}

// lateCallbacks are the end of step 14.
func lateCallbacks(l *lab.Lab) {
	// One pool's callbacks are no other one's.
	one, other := newPool(l, 1), newPool(l, 1)
	opens := make(chan struct{})
	said := make(chan string, 10)
	waits := func(*pool.Future[int]) { said <- "called"; <-opens }
	submit(l, one, square, 1).AddDoneCallback(waits)
	heard(l, said, []string{"called"}, "the callback of a task")
	l.Call("Shutdown() of a pool, while a callback of another pool has not returned", func() error { return other.Shutdown(forever, false) }).ReturnsSoon(nil)
	close(opens)
	shut(l, one)

	// A callback may come when its task is done for long.
	p := newPool(l, 1)
	f := submit(l, p, square, 1)
	value(l, f)
	opens = make(chan struct{})
	f.AddDoneCallback(waits)
	heard(l, said, []string{"called"}, "the callback of a task that was done")
	ends := l.Call("Shutdown(), while a callback has not returned that was added when its task was done", func() error { return p.Shutdown(forever, false) })
	ends.Blocks("a callback has not returned")
	close(opens)
	ends.Returns(nil)

	// Callbacks come and go while Shutdown waits.
	p = newPool(l, 1)
	f = submit(l, p, square, 1)
	value(l, f)
	begun, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for n := range 2000 {
			called := make(chan struct{})
			f.AddDoneCallback(func(*pool.Future[int]) { close(called) })
			<-called
			if n == 100 {
				close(begun)
			}
		}
	}()
	<-begun
	ends = l.Call("Shutdown(), while callbacks are added to a task that is done, one after the other", func() error { return p.Shutdown(forever, false) })
	<-stopped
	ends.ReturnsSoon(nil)
}

// cancelledBefore is the end of step 15.
func cancelledBefore(l *lab.Lab, g *gate) {
	p := newPool(l, 1)
	submit(l, p, pauses, g.visit("running"))
	v := g.arrives("The worker is free")
	waiting := submit(l, p, square, 1)
	ends := l.Call("Shutdown() with cancel", func() error { return p.Shutdown(forever, true) })
	ends.Blocks("a task runs")
	require.True(l, waiting.Cancel(), "Cancel() of a task that Shutdown() has cancelled: it was cancelled before")
	v.goes()
	ends.Returns(nil)
}

// whichTasksCount is the end of step 16: each that a worker has begun, and no other.
func whichTasksCount(l *lab.Lab, g *gate) {
	p := poolWith(l, pool.Options{Workers: 1, MaxTasks: 1, MaxSize: 100})
	first := p.Workers()
	_, err := soon(l, submit(l, p, zeros, 200), "a task whose result is too large")
	require.ErrorIs(l, err, pool.ErrTooLarge, "Result()")
	require.NotEqual(l, first, []int{run(l, p, whoami, "")}, "the process of a task, after one whose result was too large, where MaxTasks is 1: does only a good result count?")
	shut(l, p)

	p = poolWith(l, pool.Options{Workers: 1, MaxTasks: 2})
	f := submit(l, p, pauses, g.visit("first"))
	v := g.arrives("The worker is free")
	for range 3 {
		require.True(l, submit(l, p, square, 1).Cancel(), "Cancel() of a task that waits")
	}
	v.goes()
	require.Equal(l, value(l, f), run(l, p, whoami, ""), "the process of the second task that has run, where MaxTasks is 2: does a task count that was cancelled before it began?")
	shut(l, p)
}

// contextOfNew is the end of step 17: New's context is for the start.
func contextOfNew(l *lab.Lab) {
	ctx, cancel := context.WithCancel(forever)
	p, err := pool.New(ctx, pool.Options{Workers: 1, Command: worker.Command()})
	require.NoError(l, err, "New()")
	cancel()
	l.Rests()
	f, err := pool.Submit(p, square, 2)
	require.NoError(l, err, "Submit(), when the context of New() was cancelled after New() had returned")
	require.Equal(l, 4, value(l, f), "Result() of a task, when the context of New() was cancelled after New() had returned")
	require.Equal(l, fmt.Sprint(p.Workers()), fmt.Sprint([]int{run(l, p, whoami, "")}), "Workers()")
	require.NotContains(l, p.Workers(), os.Getpid(), "Workers()")
	shut(l, p)
}
