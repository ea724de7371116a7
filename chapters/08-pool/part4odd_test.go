package pool_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	pool "ipcworkbook/chapters/08-pool"
	"ipcworkbook/harness/lab"
)

// Step 18: what a task prints and starts harms neither the pool nor its end.
func TestTasksMayDoWhatTheyLike(t *testing.T) {
	l := lab.New(t)
	p := newPool(l, 2)
	for n := range 20 {
		require.Equal(l, n, run(l, p, prints, n), "Result() of a task that prints, and reads from standard input")
	}
	// What it starts has the worker's standard output, and nothing from 3 on. It goes on after Shutdown.
	var children []*lab.Other
	for range 2 {
		got := run(l, p, startsAnother, worker.Command()[0])
		children = append(children, l.Other("a process that a task has started", got.PID))
		require.Empty(l, got.Files, "descriptors from 3 on that a process has that a task has started: are they close-on-exec before a task begins?")
	}
	// A task may hand descriptor 3 on. So its worker's stream is not at its end when that has ended.
	children = append(children, l.Other("a process that a task has started, and has handed descriptor 3", run(l, p, handsThreeOn, "")))
	l.Call("Shutdown() of a pool whose tasks have started processes that have not ended: does one hold a descriptor, so that the pool waits for it?", func() error { return p.Shutdown(forever, false) }).ReturnsSoon(nil)
	l.Rests()
	for _, c := range children {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.PID()))
		require.NoError(l, err, "looking for a process that a task has started: it goes on after Shutdown()")
		require.NotContains(l, string(stat), ") Z", "looking for a process that a task has started: it goes on after Shutdown()")
		require.NoError(l, unix.Kill(c.PID(), unix.SIGKILL))
		c.Ends("it was killed")
	}

	// A pool in a task of a pool.
	p = newPool(l, 2)
	var nested []*pool.Future[int]
	for n := range 4 {
		nested = append(nested, submit(l, p, hasAPool, n+10))
	}
	for n, f := range nested {
		got, err := soon(l, f, "a task that makes a pool of its own")
		require.NoError(l, err, "Result() of a task that makes a pool of its own")
		require.Equal(l, (n+10)*(n+10), got, "Result() of a task that makes a pool of its own")
	}
	shut(l, p)
}

var prints = pool.NewTask("prints", func(n int) (int, error) {
	fmt.Println("a task prints", strings.Repeat("x", n))
	fmt.Fprintln(os.Stderr, "a task prints", n)
	var text string
	_, err := fmt.Scan(&text)
	if err == nil {
		return 0, fmt.Errorf("standard input has %q", text)
	}
	return n, nil
})

// started is a process that a task has started.
type started struct {
	PID   int
	Files []string
}

var startsAnother = pool.NewTask("starts another", func(self string) (started, error) {
	cmd := exec.Command(self, sleeper.Command()[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return started{}, err
	}
	s := started{PID: cmd.Process.Pid}
	for fd := range 64 {
		target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", s.PID, fd))
		if fd > 2 && err == nil && (strings.HasPrefix(target, "socket:") || strings.HasPrefix(target, "pipe:") || strings.HasPrefix(target, "/memfd:")) {
			s.Files = append(s.Files, fmt.Sprintf("%d %s", fd, target))
		}
	}
	return s, nil
})

// handsThreeOn starts a process that has descriptor 3 as well.
var handsThreeOn = pool.NewTask("hands descriptor 3 on", func(string) (int, error) { return startsWithThree() })

func startsWithThree() (pid int, err error) {
	fd, err := unix.FcntlInt(3, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return 0, err
	}
	three := os.NewFile(uintptr(fd), "a copy of descriptor 3")
	defer three.Close()
	cmd := exec.Command(sleeper.Command()[0], sleeper.Command()[1:]...)
	cmd.ExtraFiles = []*os.File{three}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	return cmd.Process.Pid, nil
}

// sleeper waits until it is killed.
var sleeper = lab.NewProgram("process that a task has started", sleeps)

func sleeps() int {
	for {
		_ = unix.Pause()
	}
}

var hasAPool = pool.NewTask("has a pool", func(n int) (int, error) {
	p, err := pool.New(forever, pool.Options{Workers: 2, Command: worker.Command()})
	if err != nil {
		return 0, err
	}
	f, err := pool.Submit(p, square, n)
	if err != nil {
		return 0, err
	}
	got, err := f.Result(forever)
	return got, errors.Join(err, p.Shutdown(forever, false))
})
