package pool_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	pool "ipcworkbook/chapters/08-pool"
	"ipcworkbook/harness/lab"
)

// What the steps share: the worker, a gate at which tasks wait, and how a pool is made and ended.

var forever = context.Background()

// worker is the program whose processes run the tasks. It is this test binary. So it has all tasks
// that are in package variables here.
var worker = lab.NewProgram("worker", func() int { return status(pool.Work()) })

func status(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "Work():", err)
		return 1
	}
	return 0
}

// finisher is a worker that writes down what Work has returned, behind it and not before.
var finisher = lab.NewProgram("worker that writes down its end", func() int {
	err := pool.Work()
	_ = appendTo(os.Args[2], fmt.Sprintf("%d:%v", os.Getpid(), err))
	return 0
})

// lingerer is a worker that does not end when Work has returned.
var lingerer = lab.NewProgram("worker that goes on after Work()", func() int {
	_ = pool.Work()
	return sleeps()
})

// appendTo adds a line to a file.
func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, text)
	return errors.Join(err, f.Close())
}

// newPool makes a pool of so many workers.
func newPool(l *lab.Lab, workers int) *pool.Pool {
	return poolWith(l, pool.Options{Workers: workers})
}

func poolWith(l *lab.Lab, o pool.Options) *pool.Pool {
	if o.Command == nil {
		o.Command = worker.Command()
	}
	p, err := pool.New(forever, o)
	require.NoError(l, err, "New() of a pool of %d", o.Workers)
	require.NotNil(l, p, "New() without an error")
	return p
}

// shut ends a pool that has no reason to wait.
func shut(l *lab.Lab, p *pool.Pool) {
	l.Call("Shutdown() of a pool in which nothing is left to do", func() error { return p.Shutdown(forever, false) }).ReturnsSoon(nil)
	require.Empty(l, p.Workers(), "Workers() after Shutdown()")
}

func submit[A, R any](l *lab.Lab, p *pool.Pool, t *pool.Task[A, R], arg A) *pool.Future[R] {
	f, err := pool.Submit(p, t, arg)
	require.NoError(l, err, "Submit()")
	require.NotNil(l, f, "Submit() without an error")
	return f
}

// run submits a task and waits for its result.
func run[A, R any](l *lab.Lab, p *pool.Pool, t *pool.Task[A, R], arg A) R {
	return value(l, submit(l, p, t, arg))
}

func value[R any](l *lab.Lab, f *pool.Future[R]) R {
	r, err := f.Result(forever)
	require.NoError(l, err, "Result()")
	return r
}

// soon is the result of a task for which nothing is left to wait for.
func soon[R any](l *lab.Lab, f *pool.Future[R], what string) (r R, err error) {
	l.Call("Result() of "+what, func() error { r, err = f.Result(forever); return nil }).ReturnsSoon(nil)
	return r, err
}

// done says whether a future is done now.
func done[R any](f *pool.Future[R]) bool {
	select {
	case <-f.Done():
		return true
	default:
		return false
	}
}

// visit is the argument of a task that waits at a gate.
type visit struct{ Gate, Name string }

// pauses comes to a gate, and waits there until it is let through. It returns its process's id.
var pauses = pool.NewTask("pauses", func(v visit) (int, error) { return os.Getpid(), v.wait() })

func (v visit) wait() error {
	conn, err := net.Dial("unix", v.Gate)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "%d %s\n", os.Getpid(), v.Name); err != nil {
		return err
	}
	_, err = io.ReadFull(conn, make([]byte, 1))
	return err
}

// gate is where tasks wait for the test: a socket.
type gate struct {
	l    *lab.Lab
	path string
	came chan *guest
}

// guest is a task that waits at a gate.
type guest struct {
	name string
	pid  int
	conn net.Conn
}

func newGate(l *lab.Lab) *gate {
	g := &gate{l: l, path: l.SocketPath("gate"), came: make(chan *guest, 1000)}
	in, err := net.Listen("unix", g.path)
	require.NoError(l, err, "listening at the gate")
	l.CloseAtEnd(in)
	go func() {
		for {
			conn, err := in.Accept()
			if err != nil {
				return
			}
			v := &guest{conn: conn}
			line, err := bufio.NewReader(conn).ReadString('\n')
			if _, scan := fmt.Sscan(line, &v.pid, &v.name); err == nil && scan == nil {
				g.came <- v
			}
		}
	}()
	return g
}

func (g *gate) visit(name string) visit { return visit{g.path, name} }

// arrives waits for the next task that comes to the gate.
func (g *gate) arrives(why string) (v *guest) {
	select {
	case v = <-g.came:
	default:
		g.l.Call("the next task. "+why, func() error { v = <-g.came; return nil }).Happens("a task begins", "none has begun")
	}
	g.l.CloseAtEnd(v.conn)
	return v
}

// nobody expects that no other task has come, when all that can happen has happened.
func (g *gate) nobody(why string) {
	g.l.Rests()
	select {
	case v := <-g.came:
		require.Fail(g.l, "task "+v.name+" has begun", why)
	default:
	}
}

// inOneGo does something while no other goroutine of this process runs, unless it waits itself.
func inOneGo(f func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	f()
}

// goes lets the task through.
func (v *guest) goes() {
	_, _ = v.conn.Write([]byte("."))
	_ = v.conn.Close()
}

// both expects two errors in one.
func both(l *lab.Lab, err, one, other error, what string, args ...any) {
	require.ErrorIs(l, err, one, append([]any{what}, args...)...)
	require.ErrorIs(l, err, other, append([]any{what}, args...)...)
}

// broken expects the error of a broken pool.
func broken(l *lab.Lab, err error, pid int, how, task, what string) {
	require.ErrorIs(l, err, pool.ErrBroken, what)
	var b *pool.BrokenError
	require.ErrorAs(l, err, &b, what)
	require.Equal(l, pool.BrokenError{PID: pid, How: how, Task: task}, *b, what+": it says which worker it was, how it has ended, and in which task")
}

// descriptors are those of this process: what each of them is, by its number.
func descriptors() map[string]string {
	all := map[string]string{}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			all[e.Name()] = target
		}
	}
	return all
}

// errEnough is what a context ended with, for tests: its cause.
var errEnough = errors.New("the caller does not want to wait any longer")

// over is a context that has ended.
func over() context.Context {
	ctx, end := context.WithCancelCause(forever)
	end(errEnough)
	return ctx
}

// lines are those of a text file, without the empty ones.
func lines(l *lab.Lab, path string) []string {
	text, err := os.ReadFile(path)
	if !errors.Is(err, os.ErrNotExist) {
		require.NoError(l, err, "reading what the tasks have written down")
	}
	return strings.Fields(string(text))
}

// inOrder goes through a map, in the order of its keys.
func inOrder[V any](all map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(all)) {
			if !yield(k, all[k]) {
				return
			}
		}
	}
}

// noneIsLeft expects that processes have ended, and that somebody has waited for them: now, and not soon.
func noneIsLeft(l *lab.Lab, workers []*lab.Other, what string) {
	for _, w := range workers {
		require.ErrorIs(l, unix.Kill(w.PID(), 0), unix.ESRCH, "looking for worker %d after %s: it has to have ended, and the pool has to have waited for it (wait4)", w.PID(), what)
	}
}
