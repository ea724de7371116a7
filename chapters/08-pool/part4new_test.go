package pool_test

import (
	"context"
	"encoding/binary"
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

// Step 17: New refuses what is no pool, and waits for no worker that is none.
func TestNewRefuses(t *testing.T) {
	l := lab.New(t)
	right, before := worker.Command(), children(os.Getpid())
	for what, o := range inOrder(map[string]pool.Options{
		"no worker":            {Workers: 0, Command: right},
		"a negative number":    {Workers: -1, Command: right},
		"more than MaxWorkers": {Workers: pool.MaxWorkers + 1, Command: right},
		"no Command":           {Workers: 1},
		"a negative MaxTasks":  {Workers: 1, Command: right, MaxTasks: -1},
		"a negative MaxSize":   {Workers: 1, Command: right, MaxSize: -1},
	}) {
		p, err := pool.New(forever, o)
		require.ErrorIs(l, err, unix.EINVAL, "New() with %s", what)
		require.Nil(l, p, "New() with an error: there is no pool then")
	}
	_, err := pool.New(forever, pool.Options{Workers: 2, Command: []string{l.Path("no program")}})
	require.ErrorIs(l, err, os.ErrNotExist, "New() with a program that is not there")
	require.NoError(l, os.WriteFile(l.Path("text"), []byte("text"), 0o600))
	_, err = pool.New(forever, pool.Options{Workers: 2, Command: []string{l.Path("text")}})
	require.ErrorIs(l, err, os.ErrPermission, "New() with a file that is no program")

	for _, bad := range []struct {
		what string
		text []string
	}{
		{"ends at once", []string{"exit status 3"}},
		{"is killed at once", []string{"killed"}},
		{"ends after half a greeting", []string{"exit status 4"}},
		{"writes something else", nil},
		{"is of version 7", []string{"7", strconv.Itoa(pool.Version)}},
		{"is of version 0", []string{"0", strconv.Itoa(pool.Version)}},
		{"has something else behind its version", nil},
	} {
		l.Call("New() with a worker that "+bad.what, func() error {
			p, err := pool.New(forever, pool.Options{Workers: 2, Command: fake.Command(bad.what)})
			if p != nil {
				return errors.New("there is a pool")
			}
			for _, text := range bad.text {
				if err != nil && !strings.Contains(err.Error(), text) {
					return fmt.Errorf("%q is not in the text: %v", text, err)
				}
			}
			return err
		}).ReturnsSoon(pool.ErrGreeting)
		require.Equal(l, before, children(os.Getpid()), "child processes of who has called New() with a worker that %s: it has returned an error", bad.what)
	}

	// One that ends while something it has started has descriptor 3.
	path := l.Path("started")
	l.Call("New() with a worker that ends with status 3, after it has handed descriptor 3 to a process that goes on: does it wait for the stream alone?", func() error {
		_, err := pool.New(forever, pool.Options{Workers: 1, Command: fake.Command("hands descriptor 3 on", path)})
		if err != nil && !strings.Contains(err.Error(), "exit status 3") {
			return fmt.Errorf("%q is not in the text: %v", "exit status 3", err)
		}
		return err
	}).ReturnsSoon(pool.ErrGreeting)
	for _, pid := range lines(l, path) {
		n, _ := strconv.Atoi(pid)
		l.Other("a process that a worker has started", n)
	}

	// One that goes on, and nobody can talk to it. Whoever gives it time to end may do so.
	closed := l.Call("New() with a worker that closes descriptor 3, and goes on: its stream is at its end. Is it killed then?", func() error {
		_, err := pool.New(forever, pool.Options{Workers: 2, Command: fake.Command("closes descriptor 3")})
		return err
	})
	closed.Returns(pool.ErrGreeting)
	require.Equal(l, before, children(os.Getpid()), "child processes of who has called New() with a worker that closes descriptor 3: it has returned an error")

	// One that says nothing, or not all of it.
	for _, what := range []string{"says nothing", "says half of it"} {
		ctx, stop := context.WithCancelCause(forever)
		call := l.Call("New() with a worker that "+what, func() error {
			_, err := pool.New(ctx, pool.Options{Workers: 2, Command: fake.Command(what)})
			if err != nil && !errors.Is(err, errEnough) {
				return fmt.Errorf("it is not the context's cause: %v", err)
			}
			return err
		})
		call.Blocks("no worker has greeted")
		stop(errEnough)
		call.ReturnsSoon(pool.ErrUnfinished)
	}
	_, err = pool.New(over(), pool.Options{Workers: 2, Command: fake.Command("says nothing")})
	both(l, err, pool.ErrUnfinished, errEnough, "New() with a context that has ended")

	role := l.Start(lacksDescriptors)
	var text string
	role.Report(&text)
	require.Equal(l, "", text, "New() in a process that may open no more descriptors")
	role.Exit()

	// All is right after all that.
	p := newPool(l, 2)
	require.Equal(l, 4, run(l, p, square, 2), "Result() in a pool that was made after many that were refused")
	shut(l, p)
	contextOfNew(l)
}

// lacksDescriptors calls New with ever more free descriptors, until there are enough.
var lacksDescriptors = lab.NewRole("pool that lacks descriptors", func(c *lab.Child) error {
	r, w, err := os.Pipe() // the runtime opens what it needs for the first one
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	last := 0
	for range 60 {
		if last, err = unix.FcntlInt(r.Fd(), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return err
		}
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return err
	}
	open := len(descriptors())
	problem := "it never works"
	for more := range 60 {
		few := unix.Rlimit{Cur: uint64(last + 1 + more), Max: limit.Max}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
			return err
		}
		p, err := pool.New(forever, pool.Options{Workers: 2, Command: worker.Command()})
		if set := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); set != nil {
			return set
		}
		if err == nil {
			problem = ""
			err = p.Shutdown(forever, false)
		} else if !errors.Is(err, unix.EMFILE) {
			problem = fmt.Sprintf("%d are free, and it returns: %v", more, err)
		}
		if now := len(descriptors()); now != open {
			problem = fmt.Sprintf("%d are free, and it leaves %d open", more, now-open)
		}
		if left := children(os.Getpid()); len(left) > 0 {
			problem = fmt.Sprintf("%d are free, and it leaves %d processes", more, len(left))
		}
		if err == nil || problem != "it never works" {
			break
		}
	}
	c.Report(problem)
	c.Wait()
	return nil
})

// fake is a worker that is none.
var fake = lab.NewProgram("no worker", func() int {
	greeting := func(version uint32) []byte {
		b := binary.NativeEndian.AppendUint32([]byte("ipc-pool"), version)
		return append(b, 0, 0, 0, 0)
	}
	says := func(b []byte) { _, _ = unix.Write(3, b) }
	switch os.Args[2] {
	case "ends at once":
		return 3
	case "is killed at once":
		_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	case "ends after half a greeting":
		says(greeting(1)[:9])
		return 4
	case "writes something else":
		says([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	case "is of version 7":
		says(greeting(7))
	case "is of version 0":
		says(greeting(0))
	case "has something else behind its version":
		b := greeting(pool.Version)
		b[15], b[12] = 1, 1
		says(b)
	case "hands descriptor 3 on":
		pid, err := startsWithThree()
		if err != nil || appendTo(os.Args[3], strconv.Itoa(pid)) != nil {
			return 1
		}
		return 3
	case "greets, and closes all":
		says(greeting(pool.Version))
		_ = visit{os.Args[3], "fake"}.wait()
		for fd, target := range descriptors() {
			if n, _ := strconv.Atoi(fd); n >= 3 && !strings.HasPrefix(target, "anon_inode:") { // those are Go's own
				unix.Close(n)
			}
		}
	case "closes descriptor 3":
		unix.Close(3)
	case "says half of it":
		says(greeting(1)[:9])
	}
	return sleeps()
})

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
	shut(l, p)
}
