package pool_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	pool "ipcworkbook/chapters/08-pool"
	"ipcworkbook/harness/lab"
)

// The fifth part: workers die, at each moment, and so does the pool's process.

// Step 19: a worker that dies in a task breaks the pool, and every future says so.
func TestWorkerDiesInATask(t *testing.T) {
	l := lab.New(t)
	g := newGate(l)
	for _, end := range []struct{ what, how string }{
		{"is killed", "signal: killed"},
		{"calls os.Exit(3)", "exit status 3"},
		{"calls os.Exit(0)", "exit status 0"},
	} {
		p := newPool(l, 2)
		var workers []*lab.Other
		for _, pid := range p.Workers() {
			workers = append(workers, l.Other("a worker", pid))
		}
		before := run(l, p, square, 4)
		finished := submit(l, p, square, 5)
		value(l, finished)
		running := submit(l, p, pauses, g.visit("other"))
		g.arrives("Both workers are free")
		victim := submit(l, p, ends, ending{g.visit("victim"), end.what})
		v := g.arrives("One worker is free")
		var waiting []*pool.Future[int]
		for n := range 300 {
			waiting = append(waiting, submit(l, p, square, n))
		}
		large := submit(l, p, length, make([]byte, 1<<20))
		said := make(chan string, 10)
		for _, f := range []*pool.Future[int]{victim, running, waiting[0], waiting[299], large} {
			f.AddDoneCallback(func(f *pool.Future[int]) {
				_, err := f.Result(forever)
				said <- fmt.Sprint(errors.Is(err, pool.ErrBroken))
			})
		}
		waits := l.Call("Result() of a task that waits, when a worker dies", func() error { _, err := waiting[299].Result(forever); return err })
		waits.Blocks("both workers run a task")
		v.goes()
		waits.ReturnsSoon(pool.ErrBroken)
		_, err := soon(l, victim, "a task whose worker has ended")
		broken(l, err, v.pid, end.how, "ends", "Result() of a task whose process "+end.what)
		_, err = soon(l, running, "a task that was running in another worker when one ended")
		broken(l, err, v.pid, end.how, "ends", "Result() of a task that was running in another worker, when a process "+end.what)
		for _, f := range append(waiting, large) {
			_, err = soonOf(l, f, waiting, "300 tasks that waited when a worker ended")
			broken(l, err, v.pid, end.how, "ends", "Result() of a task that waited, when a process "+end.what)
		}
		heard(l, said, []string{"true", "true", "true", "true", "true"}, "the callbacks of five tasks of a pool that is broken")
		f, err := pool.Submit(p, square, 1)
		broken(l, err, v.pid, end.how, "ends", "Submit() after a process "+end.what)
		require.Nil(l, f, "Submit() with an error: there is no future then")
		require.Equal(l, 16, before, "Result() of a task that was done before")
		require.Equal(l, 25, value(l, finished), "Result() of a task that was done before")
		for what, f := range inOrder(map[string]*pool.Future[int]{"ran": running, "was the first that waited": waiting[0], "was the last that waited": waiting[299], "ended its worker": victim}) {
			require.False(l, f.Cancel(), "Cancel() of a task of a broken pool, which %s: it is done, and was not cancelled", what)
		}
		for _, w := range workers {
			w.Ends("one worker has ended: the pool is broken, and kills the others")
		}
		l.Rests()
		require.Empty(l, p.Workers(), "Workers() of a broken pool whose workers have ended")
		count := 0
		for _, err := range pool.Map(forever, p, square, numbers(5, nil)) {
			require.ErrorIs(l, err, pool.ErrBroken, "Map() in a broken pool")
			count++
		}
		require.Equal(l, 1, count, "what Map() hands out in a broken pool: the error of Submit() once")
		shut(l, p)
		_, err = pool.Submit(p, square, 1)
		require.ErrorIs(l, err, os.ErrClosed, "Submit() after Shutdown() of a broken pool: it comes first")
		noneIsLeft(l, workers, "Shutdown() of a broken pool")
	}

	// Something that the worker has started has descriptor 3, and goes on.
	p := newPool(l, 1)
	l.Other("a process that a task has started, and has handed descriptor 3", run(l, p, handsThreeOn, ""))
	victim := submit(l, p, ends, ending{g.visit("victim"), "calls os.Exit(3)"})
	v := g.arrives("The worker is free")
	waiting := submit(l, p, square, 1)
	v.goes()
	for what, f := range inOrder(map[string]*pool.Future[int]{"ended its worker": victim, "waited then": waiting}) {
		_, err := soon(l, f, "a task that "+what+", where a process that the worker has started has descriptor 3: is the stream all that tells of the end?")
		broken(l, err, v.pid, "exit status 3", "ends", "Result() of a task that "+what)
	}
	shut(l, p)
}

// ending is the argument of a task that ends its process.
type ending struct {
	Visit visit
	What  string
}

var ends = pool.NewTask("ends", func(e ending) (int, error) {
	if err := e.Visit.wait(); err != nil {
		return 0, err
	}
	switch e.What {
	case "is killed":
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	case "calls os.Exit(3)":
		os.Exit(3)
	case "calls os.Exit(0)":
		os.Exit(0)
	}
	return 0, nil
})

// Step 20: a worker that dies with nothing to do breaks the pool, too.
func TestWorkerDiesIdle(t *testing.T) {
	l := lab.New(t)
	for _, used := range []bool{false, true} {
		p := newPool(l, 2)
		if used {
			for n := range 10 {
				run(l, p, square, n)
			}
		}
		pids := p.Workers()
		workers := []*lab.Other{l.Other("a worker", pids[0]), l.Other("a worker", pids[1])}
		require.NoError(l, unix.Kill(pids[1], unix.SIGKILL))
		for _, w := range workers {
			w.Ends("one worker was killed: the pool is broken, and kills the others. Is nobody told of the end of a worker that has nothing to do?")
		}
		l.Rests()
		_, err := pool.Submit(p, square, 1)
		broken(l, err, pids[1], "signal: killed", "", "Submit() after a worker was killed that had nothing to do")
		require.Empty(l, p.Workers(), "Workers() of a broken pool whose workers have ended")
		noneIsLeft(l, workers, "a pool was broken")
		shut(l, p)
	}

	// Others wait for it in Shutdown, and one works.
	p := newPool(l, 2)
	g := newGate(l)
	f, other := submit(l, p, pauses, g.visit("one")), submit(l, p, pauses, g.visit("other"))
	one, two := g.arrives("Both workers are free"), g.arrives("One worker is free")
	call := l.Call("Shutdown() of a pool in which a worker dies", func() error { return p.Shutdown(forever, false) })
	call.Blocks("two tasks wait at the gate")
	require.NoError(l, unix.Kill(two.pid, unix.SIGKILL))
	for _, f := range []*pool.Future[int]{f, other} {
		_, err := soon(l, f, "a task, when a worker was killed while Shutdown() waits")
		broken(l, err, two.pid, "signal: killed", "pauses", "Result() of a task, when a worker was killed while Shutdown() waits")
	}
	call.ReturnsSoon(nil)
	require.Empty(l, p.Workers(), "Workers() after Shutdown()")
	one.goes()

	// A worker that goes on, though its stream is at its end. It may be given time to end.
	p = poolWith(l, pool.Options{Workers: 1, Command: fake.Command("greets, and closes all", g.path)})
	v := g.arrives("The worker has greeted")
	f = submit(l, p, square, 1)
	v.goes()
	result := l.Call("Result() in a pool whose worker closes descriptor 3, and goes on: is it killed then?", func() error {
		_, err := f.Result(forever)
		return err
	})
	result.Returns(pool.ErrBroken)
	_, err := pool.Submit(p, square, 1)
	require.ErrorIs(l, err, pool.ErrBroken, "Submit() in a pool whose worker has closed descriptor 3")
	var b *pool.BrokenError
	require.ErrorAs(l, err, &b, "Submit() in a pool whose worker has closed descriptor 3")
	require.Equal(l, v.pid, b.PID, "BrokenError.PID, where a worker has closed descriptor 3 and goes on")
	require.Equal(l, "signal: killed", b.How, "BrokenError.How, where a worker has closed descriptor 3 and goes on: the pool kills it")
	shut(l, p)

	// A worker has done its MaxTasks, and no other one takes its place.
	for what, how := range inOrder(map[string]string{
		"whose program is not there any more": unix.ENOENT.Error(),
		"that ends before it has greeted":     "exit status 5",
	}) {
		path := l.Path("program")
		command := onlyWhile.Command(path)
		if how != "exit status 5" {
			command = append([]string{path}, worker.Command()[1:]...)
		}
		program, err := os.Readlink("/proc/self/exe")
		require.NoError(l, err)
		require.NoError(l, os.Symlink(program, path))
		p = poolWith(l, pool.Options{Workers: 2, MaxTasks: 1, Command: command})
		busy := submit(l, p, pauses, g.visit("busy"))
		other := l.Other("a worker", g.arrives("Both workers are free").pid)
		last := submit(l, p, pauses, g.visit("last"))
		v := g.arrives("One worker is free")
		waits := submit(l, p, square, 1)
		require.NoError(l, os.Remove(path))
		v.goes()
		require.Equal(l, v.pid, value(l, last), "Result() of the last task of a worker that nobody can replace: it is done")
		for doing, f := range inOrder(map[string]*pool.Future[int]{"runs elsewhere": busy, "waits": waits}) {
			_, err := soon(l, f, "a task that "+doing+", where a worker has done its MaxTasks, and is to be replaced by one "+what+": does nobody break the pool?")
			replacedByNobody(l, err, v.pid, how, "Result() of a task that "+doing+", where a worker has done its MaxTasks, and is to be replaced by one "+what)
		}
		_, err = pool.Submit(p, square, 1)
		replacedByNobody(l, err, v.pid, how, "Submit(), where a worker was to be replaced by one "+what)
		other.Ends("nobody can take the place of a worker: the pool is broken, and kills the others")
		shut(l, p)
	}
}

// replacedByNobody expects the error of a pool that is broken since nobody takes the place of a worker.
func replacedByNobody(l *lab.Lab, err error, pid int, how, what string) {
	require.ErrorIs(l, err, pool.ErrBroken, what)
	var b *pool.BrokenError
	require.ErrorAs(l, err, &b, what)
	require.Equal(l, pid, b.PID, "%s: BrokenError.PID is the worker whose place it was", what)
	require.Contains(l, b.How, how, "%s: BrokenError.How says why there is no other one", what)
	require.Empty(l, b.Task, "%s: BrokenError.Task, where a worker has ended in order", what)
}

// onlyWhile is a worker as long as there is a file.
var onlyWhile = lab.NewProgram("worker as long as there is a file", func() int {
	if _, err := os.Lstat(os.Args[2]); err != nil {
		return 5
	}
	return status(pool.Work())
})

// Step 21: a worker that dies while it takes a task, or while it sends a result, makes nobody wait.
func TestWorkerDiesHalfway(t *testing.T) {
	l := lab.New(t)
	// It is stopped, and so it takes no more than what buffers hold.
	for _, size := range []int{10, 1_000_000} {
		many := 300
		if size > 10 {
			many = 12
		}
		p := newPool(l, 1)
		pid := p.Workers()[0]
		run(l, p, square, 1)
		w := l.Other("a worker", pid)
		require.NoError(l, unix.Kill(pid, unix.SIGSTOP))
		l.Until("a worker was stopped", lab.IsStopped(w))
		var all []*pool.Future[int]
		l.Call(fmt.Sprintf("Submit() of arguments of %d bytes, while the worker is stopped: does it wait until the worker reads?", size), func() error {
			for range many {
				f, err := pool.Submit(p, length, make([]byte, size))
				if err != nil {
					return err
				}
				all = append(all, f)
			}
			return nil
		}).ReturnsSoon(nil)
		l.Rests() // a part of the first one is on its way
		_, err := all[0].Result(over())
		require.ErrorIs(l, err, pool.ErrUnfinished, "Result() with a context that has ended, while the worker is stopped")
		cancelled := false
		l.Call("Cancel() while the worker is stopped", func() error { cancelled = all[len(all)-1].Cancel(); return nil }).ReturnsSoon(nil)
		require.True(l, cancelled, "Cancel() of a task that waits while the worker is stopped")
		require.NoError(l, unix.Kill(pid, unix.SIGKILL))
		for n, f := range all[:len(all)-1] {
			_, err := soonOf(l, f, all, "tasks, when the worker is killed that takes one")
			require.ErrorIs(l, err, pool.ErrBroken, "Result() of task %d, when the worker is killed that takes one", n)
		}
		_, err = all[len(all)-1].Result(forever)
		require.ErrorIs(l, err, pool.ErrCancelled, "Result() of a task that was cancelled before the worker was killed")
		shut(l, p)
	}

	// The pool's process is stopped, and the worker writes a result that no buffer holds.
	g := newGate(l)
	role := l.Start(takesLargeResult, lab.Tell("gate", g.path))
	var pid int
	role.Report(&pid)
	v := g.arrives("The worker is free")
	w := l.Other("a worker", pid)
	require.NoError(l, unix.Kill(role.PID(), unix.SIGSTOP))
	l.Until("the pool's process was stopped", lab.IsStopped(role))
	v.goes()
	l.Rests()
	require.NoError(l, unix.Kill(pid, unix.SIGKILL))
	l.Until("a worker was killed", lab.IsZombie(w))
	require.NoError(l, unix.Kill(role.PID(), unix.SIGCONT))
	for _, what := range []string{"the task whose worker was killed half-way in its result", "a task that waited then", "Submit() then"} {
		var text string
		role.Report(&text)
		require.Equal(l, "ErrBroken", text, "the error of "+what)
	}
	role.Exit()

	workerVictims(l)
}

// takesLargeResult has a task that sends 5 MB when it is let through a gate.
var takesLargeResult = lab.NewRole("pool that is stopped", func(c *lab.Child) error {
	p, err := pool.New(forever, pool.Options{Workers: 1, Command: worker.Command()})
	if err != nil {
		return fmt.Errorf("New(): %w", err)
	}
	first, err := pool.Submit(p, largeResult, visit{c.Text("gate"), "large"})
	if err != nil {
		return fmt.Errorf("Submit(): %w", err)
	}
	second, err := pool.Submit(p, square, 1)
	if err != nil {
		return fmt.Errorf("Submit(): %w", err)
	}
	c.Report(p.Workers()[0])
	tell := func(err error) {
		if errors.Is(err, pool.ErrBroken) {
			c.Report("ErrBroken")
		} else {
			c.Report(fmt.Sprint(err))
		}
	}
	_, err = first.Result(forever)
	tell(err)
	_, err = second.Result(forever)
	tell(err)
	_, err = pool.Submit(p, square, 1)
	tell(err)
	c.Wait()
	return p.Shutdown(forever, false)
})

var largeResult = pool.NewTask("large result", func(v visit) ([]byte, error) { return make([]byte, 5_000_000), v.wait() })

// Step 22: when the pool's process ends, so do its workers, whatever they are doing.
func TestWorkersEndWithThePool(t *testing.T) {
	l := lab.New(t)
	g := newGate(l)
	for _, how := range []string{"is killed", "returns from main without Shutdown()"} {
		role := l.Start(isKilled, lab.Tell("gate", g.path), lab.Dies())
		var pids []int
		role.Report(&pids)
		var workers []*lab.Other
		for _, pid := range pids {
			workers = append(workers, l.Other("a worker", pid))
		}
		a, b := g.arrives("Three workers are free"), g.arrives("Two workers are free")
		l.Rests()
		if how == "is killed" {
			role.Kill()
		} else {
			role.Go()
			role.Ended()
		}
		for _, w := range workers {
			doing := "has nothing to do"
			if w.PID() == a.pid || w.PID() == b.pid {
				doing = "runs a task"
			}
			w.Ends("the pool's process " + how + ", and this worker " + doing + ": does it only find out when it wants to read or write? Does another worker hold a copy of the pool's end of its socket?")
		}
	}

	// A thread of that process may end before it does.
	var p *pool.Pool
	var err error
	lab.OnEndingThread(func() { p, err = pool.New(forever, pool.Options{Workers: 2, Command: worker.Command()}) })
	require.NoError(l, err, "New() of a pool of 2")
	l.Rests()
	f, err := pool.Submit(p, square, 4)
	if err == nil {
		_, err = f.Result(forever)
	}
	require.NoError(l, err, "New() on a thread that has ended since, and its process goes on; Submit() and Result() of a task then: do the workers ask for a signal then (PR_SET_PDEATHSIG)? It goes by the thread that has started them")
	shut(l, p)

	poolVictims(l)
}

var isKilled = lab.NewRole("pool that is killed", func(c *lab.Child) error {
	p, err := pool.New(forever, pool.Options{Workers: 3, Command: worker.Command()})
	if err != nil {
		return fmt.Errorf("New(): %w", err)
	}
	for n := range 2 {
		if _, err := pool.Submit(p, pauses, visit{c.Text("gate"), strconv.Itoa(n)}); err != nil {
			return fmt.Errorf("Submit(): %w", err)
		}
	}
	c.Report(p.Workers())
	c.Wait()
	return nil
})
