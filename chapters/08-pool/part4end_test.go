package pool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	pool "ipcworkbook/chapters/08-pool"
	"ipcworkbook/harness/lab"
)

// The fourth part: the end of a pool, its workers' beginning, and what tasks do beside their work.

// Step 14: Shutdown waits for all that was submitted, and for the callbacks, and leaves nothing.
func TestShutdownWaits(t *testing.T) {
	l := lab.New(t)
	p := newPool(l, 2)
	g := newGate(l)
	workers := []*lab.Other{l.Other("a worker", p.Workers()[0]), l.Other("a worker", p.Workers()[1])}
	var all []*pool.Future[int]
	for n := range 2 {
		all = append(all, submit(l, p, pauses, g.visit(strconv.Itoa(n))))
	}
	one, two := g.arrives("Both workers are free"), g.arrives("One worker is free")
	for n := range 300 {
		all = append(all, submit(l, p, square, n))
	}
	said, opens := make(chan string, 10), make(chan struct{})
	all[301].AddDoneCallback(func(f *pool.Future[int]) { said <- "called"; <-opens })
	shutdowns := []*lab.Call{
		l.Call("Shutdown()", func() error { return p.Shutdown(forever, false) }),
		l.Call("Shutdown()", func() error { return p.Shutdown(forever, false) }),
	}
	shutdowns[0].Blocks("two tasks wait at the gate, and 300 wait for a worker")
	shutdowns[1].Blocks("the first Shutdown() has not returned")
	f, err := pool.Submit(p, square, 1)
	require.ErrorIs(l, err, os.ErrClosed, "Submit() after Shutdown() was called, though it has not returned yet")
	require.Nil(l, f, "Submit() with an error: there is no future then")
	one.goes()
	heard(l, said, []string{"called"}, "the callback of a task that waited when Shutdown() was called")
	two.goes()
	shutdowns[0].Blocks("all tasks are done, and a callback has not returned")
	for n, f := range all[2:] {
		require.Equal(l, n*n, value(l, f), "Result() of a task that waited when Shutdown() was called")
	}
	close(opens)
	for _, s := range shutdowns {
		s.ReturnsSoon(nil)
	}
	for _, f := range all[:2] {
		value(l, f)
	}
	require.Empty(l, p.Workers(), "Workers() after Shutdown()")
	noneIsLeft(l, workers, "Shutdown()")
	require.NoError(l, p.Shutdown(forever, false), "Shutdown() again")
	require.NoError(l, p.Shutdown(forever, true), "Shutdown() again, with cancel")
	require.NoError(l, p.Shutdown(over(), false), "Shutdown() again, with a context that has ended")
	_, err = pool.Submit(p, square, 1)
	require.ErrorIs(l, err, os.ErrClosed, "Submit() after Shutdown()")

	// Its workers are stopped. It kills them, or it waits.
	p = newPool(l, 2)
	workers = []*lab.Other{l.Other("a worker", p.Workers()[0]), l.Other("a worker", p.Workers()[1])}
	for _, w := range workers {
		require.NoError(l, unix.Kill(w.PID(), unix.SIGSTOP))
	}
	l.Until("the workers were stopped", lab.IsStopped(workers[0]), lab.IsStopped(workers[1]))
	returned := make(chan error, 1)
	go func() { returned <- p.Shutdown(forever, false) }()
	l.Rests()
	select {
	case err := <-returned:
		noneIsLeft(l, workers, "Shutdown()")
		returned <- err
	default:
	}
	for _, w := range workers {
		_ = unix.Kill(w.PID(), unix.SIGCONT)
	}
	l.Call("Shutdown() of a pool whose workers were stopped for a while", func() error { return <-returned }).ReturnsSoon(nil)
	noneIsLeft(l, workers, "Shutdown()")

	// A worker ends by itself: Work returns, and what comes behind it is done.
	path := l.Path("ends")
	p = poolWith(l, pool.Options{Workers: 2, Command: finisher.Command(path)})
	var want []string
	for _, pid := range p.Workers() {
		want = append(want, fmt.Sprintf("%d:<nil>", pid))
	}
	run(l, p, square, 1)
	shut(l, p)
	require.ElementsMatch(l, want, lines(l, path), "what Work() has returned in each worker, when Shutdown() has returned: are they killed, so that it does not return?")

	// A pool that had nothing to do, and one whose results nobody takes.
	shut(l, newPool(l, 3))
	p = newPool(l, 2)
	for range 50 {
		submit(l, p, zeros, 100_000)
	}
	l.Call("Shutdown() of a pool with 50 results of 100 kB that nobody takes", func() error { return p.Shutdown(forever, false) }).ReturnsSoon(nil)

	// A callback that submits meets a pool that is closed.
	p = newPool(l, 1)
	first := submit(l, p, pauses, g.visit("first"))
	v := g.arrives("The worker is free")
	first.AddDoneCallback(func(*pool.Future[int]) {
		_, err := pool.Submit(p, square, 1)
		said <- fmt.Sprint(errors.Is(err, os.ErrClosed))
	})
	last := l.Call("Shutdown() of a pool of which a callback submits a task", func() error { return p.Shutdown(forever, false) })
	last.Blocks("a task waits at the gate")
	v.goes()
	last.ReturnsSoon(nil)
	heard(l, said, []string{"true"}, "a callback that submits after Shutdown() was called: os.ErrClosed")
	lateCallbacks(l)
}

// Step 15: Shutdown cancels what has not begun, if it is asked to, and kills when its context ends.
func TestShutdownCancels(t *testing.T) {
	l := lab.New(t)
	p := newPool(l, 1)
	g := newGate(l)
	path := l.Path("notes")
	running := submit(l, p, pauses, g.visit("running"))
	v := g.arrives("The worker is free")
	var waiting []*pool.Future[int]
	for n := range 300 {
		waiting = append(waiting, submit(l, p, writesDown, note{path, strconv.Itoa(n)}))
	}
	waits := l.Call("Shutdown()", func() error { return p.Shutdown(forever, false) })
	waits.Blocks("a task waits at the gate")
	cancels := l.Call("Shutdown() with cancel", func() error { return p.Shutdown(forever, true) })
	for _, f := range waiting {
		_, err := soonOf(l, f, waiting, "300 tasks that wait, when Shutdown() was called with cancel after it was called without")
		require.ErrorIs(l, err, pool.ErrCancelled, "Result() of a task that waited when Shutdown() was called with cancel")
	}
	cancels.Blocks("a task runs: to cancel does not end it")
	v.goes()
	waits.ReturnsSoon(nil)
	cancels.ReturnsSoon(nil)
	require.Equal(l, v.pid, value(l, running), "Result() of a task that ran when Shutdown() was called with cancel")
	require.Empty(l, lines(l, path), "tasks that have run, though they were cancelled")

	// Its context ends.
	p = newPool(l, 2)
	pids := p.Workers()
	workers := []*lab.Other{l.Other("a worker", pids[0]), l.Other("a worker", pids[1])}
	running = submit(l, p, pauses, g.visit("running"))
	g.arrives("Both workers are free")
	other := submit(l, p, pauses, g.visit("other"))
	g.arrives("One worker is free")
	waiting = waiting[:0]
	for n := range 300 {
		waiting = append(waiting, submit(l, p, writesDown, note{path, strconv.Itoa(n)}))
	}
	said := make(chan string, 10)
	running.AddDoneCallback(func(*pool.Future[int]) { said <- "called" })
	ctx, stop := context.WithCancelCause(forever)
	limited := l.Call("Shutdown() with a context", func() error { return shutNow(p, ctx, pids) })
	limited.Blocks("two tasks wait at the gate")
	stop(errEnough)
	limited.ReturnsSoon(pool.ErrUnfinished)
	noneIsLeft(l, workers, "Shutdown(), whose context has ended")
	require.Empty(l, p.Workers(), "Workers() after Shutdown()")
	for _, f := range []*pool.Future[int]{running, other} {
		_, err := soon(l, f, "a task that ran when the context of Shutdown() ended")
		require.ErrorIs(l, err, pool.ErrBroken, "Shutdown() whose context has ended, and Result() of a task that ran when the context of Shutdown() ended")
	}
	for _, f := range waiting {
		_, err := soonOf(l, f, waiting, "300 tasks that waited when the context of Shutdown() ended")
		require.ErrorIs(l, err, pool.ErrCancelled, "Shutdown() whose context has ended, and Result() of a task that waited when the context of Shutdown() ended")
	}
	require.Empty(l, lines(l, path), "tasks that have run, though they were cancelled")
	heard(l, said, []string{"called"}, "the callback of a task that ran when the context of Shutdown() ended")
	require.NoError(l, p.Shutdown(forever, false), "Shutdown() again")

	// It had ended before.
	p = newPool(l, 1)
	running = submit(l, p, pauses, g.visit("running"))
	g.arrives("The worker is free")
	var err error
	l.Call("Shutdown() with a context that has ended", func() error { err = p.Shutdown(over(), false); return nil }).ReturnsSoon(nil)
	both(l, err, pool.ErrUnfinished, errEnough, "Shutdown() with a context that has ended")
	_, err = soon(l, running, "a task that ran when Shutdown() was called with a context that has ended")
	require.ErrorIs(l, err, pool.ErrBroken, "Result() of a task that ran when Shutdown() was called with a context that has ended")
	require.Empty(l, p.Workers(), "Workers() after Shutdown()")

	// Nothing is left to do, and a worker does not end.
	p = poolWith(l, pool.Options{Workers: 2, Command: lingerer.Command()})
	pids = p.Workers()
	ctx, stop = context.WithCancelCause(forever)
	ends := l.Call("Shutdown() with a context, of a pool whose workers do not end when Work() has returned", func() error { return shutNow(p, ctx, pids) })
	ends.Blocks("the workers have not ended")
	stop(errEnough)
	ends.ReturnsSoon(pool.ErrUnfinished)

	// It waits for callbacks, also when its context has ended.
	p = newPool(l, 1)
	opens := make(chan struct{})
	finished := submit(l, p, square, 1)
	finished.AddDoneCallback(func(*pool.Future[int]) { said <- "called"; <-opens })
	heard(l, said, []string{"called"}, "the callback of a task")
	ends = l.Call("Shutdown() with a context that has ended", func() error { _ = p.Shutdown(over(), false); return nil })
	ends.Blocks("a callback has not returned")
	close(opens)
	ends.Returns(nil)
	cancelledBefore(l, g)
}

// shutNow looks at once what Shutdown has left.
func shutNow(p *pool.Pool, ctx context.Context, pids []int) error {
	err := p.Shutdown(ctx, false)
	if left := p.Workers(); len(left) > 0 {
		return fmt.Errorf("when it has returned there are still Workers(): %v", left)
	}
	for _, pid := range pids {
		if unix.Kill(pid, 0) == nil {
			return fmt.Errorf("when it has returned worker %d is still there, or nobody has waited for it", pid)
		}
	}
	return err
}

// soonOf is soon for one of many: only the first one is looked at while it waits.
func soonOf[R any](l *lab.Lab, f *pool.Future[R], all []*pool.Future[R], what string) (R, error) {
	if f == all[0] {
		l.Call("Result() of "+what, func() error {
			for _, f := range all {
				<-f.Done()
			}
			return nil
		}).ReturnsSoon(nil)
	}
	return f.Result(forever)
}

// Step 16: after MaxTasks tasks a worker ends, and then another one takes its place.
func TestWorkersAreReplaced(t *testing.T) {
	l := lab.New(t)
	without := len(children(os.Getpid()))
	for _, most := range []int{1, 3} {
		p := poolWith(l, pool.Options{Workers: 1, MaxTasks: most})
		const many = 12
		var all []*pool.Future[string]
		for range many {
			all = append(all, submit(l, p, countsWorkers, os.Getpid()))
		}
		tasks := map[string]int{}
		for _, f := range all {
			got, err := soon(l, f, "a task in a pool whose worker is replaced now and then")
			require.NoError(l, err, "Result() in a pool with MaxTasks %d", most)
			pid, others, _ := strings.Cut(got, " ")
			tasks[pid]++
			require.Equal(l, strconv.Itoa(without+1), others, "child processes of the pool's process, while a task runs: the old worker ends first, and the pool has waited for it")
		}
		for pid, n := range tasks {
			require.Equal(l, most, n, "tasks that worker %s has done, where MaxTasks is %d", pid, most)
		}
		require.Len(l, tasks, many/most, "workers that have done %d tasks, where MaxTasks is %d", many, most)
		shut(l, p)
	}

	// In the place of each of several, while the others are busy. Failed tasks count as well.
	p := poolWith(l, pool.Options{Workers: 3, MaxTasks: 2})
	g := newGate(l)
	var busy []*guest
	for n := range 2 {
		submit(l, p, pauses, g.visit(strconv.Itoa(n)))
		busy = append(busy, g.arrives("Three workers are free"))
	}
	pids := map[int]bool{}
	for n := range 10 {
		_, err := soon(l, submit(l, p, fails, "panic"), "a task, while two workers of three are busy and the third one is replaced now and then")
		require.Error(l, err, "Result() of a task that panics")
		got, err := soon(l, submit(l, p, whoami, ""), "a task, while two workers of three are busy and the third one is replaced now and then")
		require.NoError(l, err, "Result()")
		require.False(l, pids[got], "the process of task %d has done two tasks before, where MaxTasks is 2: does a task count that has panicked?", 2*n+1)
		pids[got] = true
	}
	for _, v := range busy {
		v.goes()
	}
	l.Rests()
	require.Len(l, p.Workers(), 3, "Workers() of a pool of 3, some of which were replaced")
	for _, pid := range p.Workers() {
		require.False(l, pids[pid], "Workers(): process %d has ended long ago", pid)
	}
	shut(l, p)

	// It ends by itself, and not because it is killed.
	path := l.Path("ends")
	p = poolWith(l, pool.Options{Workers: 1, MaxTasks: 1, Command: finisher.Command(path)})
	var want []string
	for range 3 {
		want = append(want, fmt.Sprintf("%d:<nil>", run(l, p, whoami, "")))
	}
	run(l, p, square, 1)
	ended := lines(l, path) // the last one may be among them
	require.Equal(l, want, ended[:min(len(ended), len(want))], "what Work() has returned in workers that were replaced: are they killed, so that it does not return?")
	shut(l, p)

	// It does not end before it has to.
	p = poolWith(l, pool.Options{Workers: 1, MaxTasks: 1000})
	first := p.Workers()
	for range 100 {
		submit(l, p, square, 1)
	}
	require.Equal(l, first, []int{run(l, p, whoami, "")}, "the worker after 100 tasks, where MaxTasks is 1000")
	shut(l, p)
	whichTasksCount(l, g)
}

var whoami = pool.NewTask("whoami", func(string) (int, error) { return os.Getpid(), nil })

// countsWorkers returns its process's id, and how many children the pool's process has.
var countsWorkers = pool.NewTask("counts workers", func(of int) (string, error) {
	return fmt.Sprintf("%d %d", os.Getpid(), len(children(of))), nil
})

// children are those of a process, also those that have ended and were not waited for.
func children(of int) (pids []string) {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", of))
	for _, t := range tasks {
		some, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", of, t.Name()))
		pids = append(pids, strings.Fields(string(some))...)
	}
	return pids
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
