package pool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	pool "ipcworkbook/chapters/08-pool"
	"ipcworkbook/harness/lab"
)

// Step 13: Map keeps the order of its arguments, and takes them as results are taken.
func TestMap(t *testing.T) {
	l := lab.New(t)
	p := newPool(l, 2)
	var got, want []int
	l.Call("Map() of 100 arguments", func() error {
		for r, err := range pool.Map(forever, p, square, numbers(100, nil)) {
			if err != nil {
				return err
			}
			got = append(got, r)
		}
		return nil
	}).ReturnsSoon(nil)
	for n := range 100 {
		want = append(want, n*n)
	}
	require.Equal(l, want, got, "the results of Map()")
	for range pool.Map(forever, p, square, numbers(0, nil)) {
		require.Fail(l, "a result", "Map() without arguments")
	}

	// The later ones are done first.
	g := newGate(l)
	order := make(chan string, 100)
	mapping := l.Call("Map() of tasks that end in another order", func() error {
		for r, err := range pool.Map(forever, p, comesBack, func(yield func(visit) bool) {
			for _, name := range []string{"a", "b", "c"} {
				if !yield(g.visit(name)) {
					return
				}
			}
		}) {
			if err != nil {
				return err
			}
			order <- r
		}
		return nil
	})
	guests := map[string]*guest{}
	for range 2 {
		v := g.arrives("Map() has two arguments for two workers: does it wait for each before the next one?")
		guests[v.name] = v
	}
	guests["b"].goes()
	v := g.arrives("One of two workers is free, and Map() has a third argument: does it wait for the first one?")
	v.goes()
	l.Rests()
	require.Empty(l, order, "results of Map() before the first one is there")
	guests["a"].goes()
	mapping.ReturnsSoon(nil)
	heard(l, order, []string{"a", "b", "c"}, "the results of Map(), where later tasks are done first")

	// An error is a result like the others.
	var texts []string
	for r, err := range pool.Map(forever, p, oddFails, numbers(6, nil)) {
		var e *pool.TaskError
		if errors.As(err, &e) {
			texts = append(texts, e.Text)
		} else {
			require.NoError(l, err, "a result of Map()")
			texts = append(texts, strconv.Itoa(r))
		}
	}
	require.Equal(l, []string{"0", "1 is odd", "2", "3 is odd", "4", "5 is odd"}, texts, "the results of Map(), where each second task fails")

	// Endless arguments: how many were taken when a result is handed out.
	taken, handed := 0, 0
	for r, err := range pool.Map(forever, p, square, numbers(1<<40, &taken)) {
		require.NoError(l, err, "a result of Map() of endless arguments")
		require.Equal(l, handed*handed, r, "a result of Map() of endless arguments")
		require.LessOrEqual(l, taken-handed, 4, "arguments that Map() has taken, and of which the result was not handed out yet: 2 × Workers at most")
		if handed++; handed == 200 {
			break
		}
	}

	// Who leaves the loop cancels what has not begun. So does who ends the context.
	path := l.Path("notes")
	for _, what := range []string{"whose loop was left", "whose context has ended"} {
		ctx, stop := context.WithCancelCause(forever)
		var last error
		var guests []*guest
		results := 0
		first, leave := make(chan bool), make(chan bool)
		mapping := l.Call("Map() "+what+": does it wait for what runs?", func() error {
			for _, err := range pool.Map(ctx, p, notesOrPauses, mixed(g, path)) {
				results++
				if last = err; err != nil {
					continue
				}
				first <- true
				<-leave
				if what == "whose loop was left" {
					break
				}
				stop(errEnough)
			}
			return nil
		})
		l.Call("the first result of Map()", func() error { <-first; return nil }).ReturnsSoon(nil)
		l.Rests() // all has begun that can
		for len(g.came) > 0 {
			guests = append(guests, <-g.came)
		}
		leave <- true
		mapping.ReturnsSoon(nil)
		if what == "whose context has ended" {
			both(l, last, pool.ErrUnfinished, errEnough, "the last that is handed out by a Map() whose context has ended")
			require.Equal(l, 2, results, "what is handed out by a Map() whose context ends after the first result: that, and the error")
		}
		for _, v := range guests {
			v.goes()
		}
		run(l, p, square, 1)
		l.Rests()
		require.Empty(l, lines(l, path), "tasks that have begun though nobody wants their results any more, of a Map() "+what)
		stop(nil)
	}

	// Where Submit refuses, what was submitted still comes, and then the error.
	count := 0
	var last error
	for r, err := range pool.Map(forever, p, square, func(yield func(int) bool) {
		for n := range 10 {
			if n == 3 {
				l.Rests() // what was submitted is done
				shut(l, p)
			}
			if !yield(n) {
				return
			}
		}
	}) {
		if last = err; err == nil {
			require.Equal(l, count*count, r, "a result of Map()")
			count++
		}
	}
	require.Equal(l, 3, count, "results of a Map() whose pool is shut down after the third argument")
	require.ErrorIs(l, last, os.ErrClosed, "the last that Map() hands out, where Submit() refuses")

	// So it is with any error of Submit.
	p = newPool(l, 2)
	count = 0
	for _, err := range pool.Map(forever, p, echoes, func(yield func(any) bool) {
		_ = yield(1.5) && yield(make(chan int)) && yield(2.5)
	}) {
		last = err
		count++
	}
	require.ErrorIs(l, last, pool.ErrValue, "the last that Map() hands out, where the second of three arguments is a channel: Submit() refuses, and that is the end")
	require.Equal(l, 2, count, "what Map() hands out, where the second of three arguments is a channel: Submit() refuses, and that is the end")
	shut(l, p)
	loopsOverMap(l, g)
}

// numbers are those from 0 on. How many were asked for is counted.
func numbers(n int, taken *int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if taken != nil {
				*taken++
			}
			if !yield(i) {
				return
			}
		}
	}
}

var (
	echoes    = pool.NewTask("echoes", func(v any) (any, error) { return v, nil })
	comesBack = pool.NewTask("comes back", func(v visit) (string, error) { return v.Name, v.wait() })
	oddFails  = pool.NewTask("fails if odd", func(n int) (int, error) {
		if n%2 == 1 {
			return 0, fmt.Errorf("%d is odd", n)
		}
		return n, nil
	})
)

// mixed are one task that is quick, two that wait at a gate, and then such as write something down.
func mixed(g *gate, path string) func(func([3]string) bool) {
	return func(yield func([3]string) bool) {
		for n := range 12 {
			arg := [3]string{"writes", path, strconv.Itoa(n)}
			switch n {
			case 0:
				arg = [3]string{"quick"}
			case 1, 2:
				arg = [3]string{"pauses", g.path, strconv.Itoa(n)}
			}
			if !yield(arg) {
				return
			}
		}
	}
}

var notesOrPauses = pool.NewTask("writes down, or pauses", func(arg [3]string) (int, error) {
	switch arg[0] {
	case "pauses":
		return 0, visit{arg[1], arg[2]}.wait()
	case "writes":
		return 0, os.WriteFile(arg[1], []byte(arg[2]), 0o600)
	}
	return 0, nil
})

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
	first, leave := make(chan bool), make(chan bool)
	loop := l.Call("a loop over Map() that ends with a panic", func() (err error) {
		defer func() { err, _ = recover().(error) }()
		for range pool.Map(forever, p, notesOrPauses, mixed(g, path)) {
			first <- true
			<-leave
			panic(errEnough)
		}
		return nil
	})
	l.Call("the first result of Map()", func() error { <-first; return nil }).ReturnsSoon(nil)
	l.Rests() // all has begun that can
	var guests []*guest
	for len(g.came) > 0 {
		guests = append(guests, <-g.came)
	}
	leave <- true
	loop.ReturnsSoon(errEnough)
	for _, v := range guests {
		v.goes()
	}
	run(l, p, square, 1)
	l.Rests()
	require.Empty(l, lines(l, path), "tasks that have begun though nobody wants their results any more, of a Map() whose loop has ended with a panic: does a deferred function cancel them?")
	shut(l, p)
}
