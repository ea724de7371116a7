package pool_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	pool "ipcworkbook/chapters/08-pool"
	"ipcworkbook/harness/lab"
)

// The first part: tasks run in workers.

// Step 1: a task runs in another process, and its result comes back.
func TestTaskRunsInAnotherProcess(t *testing.T) {
	l := lab.New(t)
	before := descriptors()
	p := newPool(l, 1)
	mine := descriptors()
	f := submit(l, p, square, 12)
	require.Equal(l, 144, value(l, f), "Result() of the square of 12")
	again, err := f.Result(forever)
	require.NoError(l, err, "Result() once more")
	require.Equal(l, 144, again, "Result() once more")
	<-f.Done()
	got := run(l, p, tellsWhere, "")
	require.NotEqual(l, os.Getpid(), got.PID, "the process in which a task runs: it is not that of New()")
	require.Equal(l, []int{got.PID}, p.Workers(), "Workers(): the task has run in another process")

	// What the worker has.
	require.Equal(l, "at its end", got.Input, "descriptor 0 of a worker")
	// The package testing may have changed os.Stderr. So either will do.
	require.Contains(l, []string{mine["1"], l.Target(os.Stdout)}, got.Files["1"], "descriptor 1 of a worker: the standard output of who has called New()")
	require.Contains(l, []string{mine["2"], l.Target(os.Stderr)}, got.Files["2"], "descriptor 2 of a worker: the standard error of who has called New()")
	require.Equal(l, "a UNIX stream socket", got.Three, "descriptor 3 of a worker")
	for fd, target := range mine {
		if before[fd] == target {
			continue
		}
		n, _ := strconv.Atoi(fd)
		flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0)
		if err == nil { // it may be gone by now
			require.NotZero(l, flags&unix.FD_CLOEXEC, "descriptor %s (%s) of the process that has called New(): every program that is started inherits it, if it is not close-on-exec", fd, target)
		}
	}

	// Two pools at once know nothing of each other.
	q := newPool(l, 1)
	other := run(l, q, tellsWhere, "")
	require.NotEqual(l, got.PID, other.PID, "the worker of another pool")
	shut(l, q)
	require.Equal(l, 81, run(l, p, square, 9), "Result() in a pool, after another one has ended")
	shut(l, p)
}

var square = pool.NewTask("square", func(n int) (int, error) { return n * n, nil })

// where is what a task sees of its process.
type where struct {
	PID          int
	Input, Three string
	Files        map[string]string
}

var tellsWhere = pool.NewTask("where", func(string) (where, error) {
	w := where{PID: os.Getpid(), Files: descriptors(), Input: "something else", Three: "something else"}
	if n, err := unix.Read(0, make([]byte, 1)); n == 0 && err == nil {
		w.Input = "at its end"
	}
	domain, _ := unix.GetsockoptInt(3, unix.SOL_SOCKET, unix.SO_DOMAIN)
	kind, _ := unix.GetsockoptInt(3, unix.SOL_SOCKET, unix.SO_TYPE)
	if domain == unix.AF_UNIX && kind == unix.SOCK_STREAM {
		w.Three = "a UNIX stream socket"
	}
	return w, nil
})

// Step 2: a worker greets first, and a process without a pool is no worker.
func TestWorkerGreetsFirst(t *testing.T) {
	l := lab.New(t)
	greeting := append([]byte("ipc-pool"), make([]byte, 8)...)
	binary.NativeEndian.PutUint32(greeting[8:], pool.Version)
	require.Len(l, greeting, pool.GreetingSize)

	// Somebody stands between the pool and its worker, and takes the greeting.
	path := l.Path("greeting")
	l.Call("New() with a worker that ends before it has greeted", func() error {
		_, err := pool.New(forever, pool.Options{Workers: 1, Command: middleman.Command(path)})
		return err
	}).ReturnsSoon(pool.ErrGreeting)
	said := strings.Join(lines(l, path), " ")
	first, end, _ := strings.Cut(said, " ")
	require.Equal(l, hex.EncodeToString(greeting), first, "the first 16 bytes that a worker writes to descriptor 3, as hexadecimal digits")
	require.Equal(l, "exit status 1", end, "how a worker ends when nobody has the other end of descriptor 3 any more")

	// No pool has started these.
	for what, three := range inOrder(map[string]func() (theirs, ours int){
		"a pipe, to be read":    func() (int, int) { r, w := newPipe(l); return r, w },
		"a pipe, to be written": func() (int, int) { r, w := newPipe(l); return w, r },
		"a datagram socket":     func() (int, int) { return newPair(l, unix.SOCK_DGRAM) },
		"a seqpacket socket":    func() (int, int) { return newPair(l, unix.SOCK_SEQPACKET) },
		"a file":                func() (int, int) { return newFile(l), newFile(l) },
	}) {
		a, b := three()
		theirs, ours := os.NewFile(uintptr(a), what), os.NewFile(uintptr(b), what)
		require.NoError(l, unix.SetNonblock(b, true))
		_, _ = unix.Write(b, []byte("x")) // nobody may read it
		cmd := exec.Command(loner.Command()[0], loner.Command()[1:]...)
		cmd.ExtraFiles = []*os.File{theirs}
		says := l.Run(cmd).Says("a process that calls Work(), with " + what + " as descriptor 3")
		require.Equal(l, "ENOTSOCK", strings.TrimSpace(says), "Work() with %s as descriptor 3", what)
		if what != "a file" {
			n, err := unix.Read(b, make([]byte, 99))
			require.False(l, err == nil && n > 0, "Work() with %s as descriptor 3: it has written %d bytes there before it looked what that is", what, n)
		}
		if strings.HasSuffix(what, "read") || strings.HasSuffix(what, "socket") {
			require.NoError(l, unix.SetNonblock(a, true))
			n, _ := unix.Read(a, make([]byte, 99))
			require.Equal(l, 1, max(n, 0), "bytes that wait in %s at descriptor 3: Work() has not read them", what)
		}
		theirs.Close()
		ours.Close()
	}
	says := l.Run(exec.Command(loner.Command()[0], loner.Command()[1:]...)).Says("a process that calls Work(), and was started without a descriptor 3")
	require.Contains(l, []string{"EBADF", "ENOTSOCK"}, strings.TrimSpace(says), "Work() without a descriptor 3")
}

func newPipe(l *lab.Lab) (r, w int) {
	var fds [2]int
	require.NoError(l, unix.Pipe2(fds[:], unix.O_CLOEXEC))
	return fds[0], fds[1]
}

func newPair(l *lab.Lab, kind int) (int, int) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	require.NoError(l, err)
	return fds[0], fds[1]
}

func newFile(l *lab.Lab) int {
	fd, err := unix.MemfdCreate("a file", unix.MFD_CLOEXEC)
	require.NoError(l, err)
	return fd
}

// middleman starts a worker with a socket of its own as descriptor 3, and writes down what comes
// first, and how the worker ends then.
var middleman = lab.NewProgram("middleman", func() int {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 1
	}
	mine, theirs := os.NewFile(uintptr(pair[0]), "mine"), os.NewFile(uintptr(pair[1]), "theirs")
	cmd := exec.Command(worker.Command()[0], worker.Command()[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{theirs}
	for fd := 4; ; fd++ {
		if fd == pair[0] || fd == pair[1] {
			break
		}
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			break
		}
		cmd.ExtraFiles = append(cmd.ExtraFiles, os.NewFile(uintptr(fd), "more"))
	}
	if err := cmd.Start(); err != nil {
		return 1
	}
	theirs.Close()
	first := make([]byte, pool.GreetingSize)
	n, _ := io.ReadFull(mine, first)
	mine.Close()
	end := cmd.Wait()
	_ = os.WriteFile(os.Args[2], fmt.Appendf(nil, "%x %v", first[:n], end), 0o600)
	return 0
})

// loner calls Work, though no pool has started it, and prints the error.
var loner = lab.NewProgram("worker of nobody", func() int {
	err := pool.Work()
	switch {
	case errors.Is(err, unix.ENOTSOCK):
		fmt.Println("ENOTSOCK")
	case errors.Is(err, unix.EBADF):
		fmt.Println("EBADF")
	default:
		fmt.Println("other:", err)
	}
	return 0
})

// Step 3: workers are used again, and each of them runs one task at a time, in the order of Submit.
func TestWorkersAreUsedAgain(t *testing.T) {
	l := lab.New(t)
	p := newPool(l, 3)
	workers := p.Workers()
	require.Len(l, workers, 3, "Workers() of a pool of 3")
	require.True(l, slices.IsSorted(workers), "Workers() are in ascending order: %v", workers)
	require.Len(l, slices.Compact(slices.Clone(workers)), 3, "Workers(): three processes")
	var all []*pool.Future[turn]
	for range 90 {
		all = append(all, submit(l, p, takesTurns, 0))
	}
	for n, f := range all {
		got := value(l, f)
		require.Contains(l, workers, got.PID, "the process of task %d: is one started for each task?", n)
		require.Equal(l, 1, got.Inside, "tasks that run in one worker at the same time")
	}
	require.Equal(l, workers, p.Workers(), "Workers() after 90 tasks")
	shut(l, p)

	// One worker: the order is seen.
	p = newPool(l, 1)
	all = nil
	for range 300 {
		all = append(all, submit(l, p, takesTurns, 0))
	}
	for n, f := range slices.Backward(all) {
		require.Equal(l, n+1, value(l, f).Number, "which task of its worker it was that was submitted as number %d", n+1)
	}
	shut(l, p)
	workersAreTold(l)
}

// turn says which task of its worker it was, and how many were inside.
type turn struct{ PID, Number, Inside int }

var inside, turns atomic.Int32

var takesTurns = pool.NewTask("takes turns", func(int) (turn, error) {
	in := inside.Add(1)
	defer inside.Add(-1)
	for range 100 { // others could run now
		runtime.Gosched()
	}
	return turn{os.Getpid(), int(turns.Add(1)), int(in)}, nil
})

// Step 4: as many tasks run at one time as there are workers, and no worker is idle while one waits.
func TestTasksMeet(t *testing.T) {
	l := lab.New(t)
	g := newGate(l)
	p := newPool(l, 3)
	var all []*pool.Future[int]
	inOneGo(func() {
		for n := range 5 {
			all = append(all, submit(l, p, pauses, g.visit(strconv.Itoa(n))))
		}
	})
	var here []*guest
	var names []string
	for n := range 3 {
		v := g.arrives(fmt.Sprintf("%d of 3 workers run a task: are they used one after the other?", n))
		here, names = append(here, v), append(names, v.name)
	}
	slices.Sort(names)
	require.Equal(l, []string{"0", "1", "2"}, names, "the tasks that have begun: those that were submitted first")
	g.nobody("a fourth task at the same time, in a pool of 3 workers")
	here[1].goes()
	v := g.arrives("One of 3 workers is free")
	require.Equal(l, "3", v.name, "the task that has begun when a worker was free")
	g.nobody("a fourth task at the same time, in a pool of 3 workers")

	// Two workers stay busy. All else goes through the third one.
	here[0].goes()
	last := g.arrives("One of 3 workers is free")
	last.goes()
	var quick []*pool.Future[int]
	for n := range 200 {
		quick = append(quick, submit(l, p, square, n))
	}
	l.Call("Result() of 200 tasks, while one worker of three has nothing to do: are tasks given to a worker that is busy?", func() error {
		for n, f := range quick {
			if got, err := f.Result(forever); err != nil || got != n*n {
				return fmt.Errorf("the square of %d: %d, %v", n, got, err)
			}
		}
		return nil
	}).ReturnsSoon(nil)
	here[2].goes()
	v.goes()
	for _, f := range all {
		require.Contains(l, p.Workers(), value(l, f), "the process of a task that waited at the gate")
	}

	// All are free, and as many tasks come as there are workers, before anybody else has run.
	for range 20 {
		var three []*pool.Future[int]
		inOneGo(func() {
			for range 3 {
				three = append(three, submit(l, p, pauses, g.visit("one of three")))
			}
		})
		here = here[:0]
		for n := range 3 {
			here = append(here, g.arrives(fmt.Sprintf("Three were submitted at once, in a pool of 3 workers that had nothing to do, and %d run: was only one woken?", n)))
		}
		for _, v := range here {
			v.goes()
		}
		for _, f := range three {
			value(l, f)
		}
	}
	shut(l, p)
}

// workersAreTold is the end of step 3.
func workersAreTold(l *lab.Lab) {
	p := newPool(l, 2)
	workers := p.Workers()
	want := slices.Clone(workers)
	workers[0] = 0
	require.Equal(l, want, p.Workers(), "Workers() after what it had returned before was changed: is it the pool's own slice?")
	shut(l, p)
}
