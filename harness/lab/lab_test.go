package lab

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/verdict"
)

// TestMain shows that plain go test works as it does in a chapter: this binary
// runs below a supervisor of its own.
func TestMain(m *testing.M) { Main(m) }

func pipe(t *testing.T, l *Lab) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	l.CloseAtEnd(r, w)
	return r, w
}

func nonblocking(t *testing.T, end conn) bool {
	t.Helper()
	var flags int
	require.NoError(t, control(end, func(fd int) (err error) {
		flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		return err
	}))
	return flags&unix.O_NONBLOCK != 0
}

// To hand a descriptor over must not change the open file description, which is
// shared: os.File.Fd and exec's ExtraFiles can make it blocking for everybody.
func TestHandingOverKeepsADescriptorNonBlocking(t *testing.T) {
	l := New(t)
	r, w := pipe(t, l)
	require.True(t, nonblocking(t, r))
	p := l.Start(tellsMode, Give("r", r), Give("w", w))
	var child [2]bool
	p.Report(&child)
	require.NoError(t, p.Wait())
	require.Equal(t, [2]bool{true, true}, child, "in the child")
	require.True(t, nonblocking(t, r), "the read end, here")
	require.True(t, nonblocking(t, w), "the write end, here")
}

var tellsMode = NewRole("tells the mode", func(c *Child) error {
	var modes [2]bool
	for i, name := range []string{"r", "w"} {
		f := c.File(name)
		err := control(f, func(fd int) error {
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
			modes[i] = flags&unix.O_NONBLOCK != 0
			return err
		})
		if err != nil {
			return err
		}
	}
	c.Report(modes)
	return nil
})

// A child gets what was handed over and the lab's own lines, and nothing else.
func TestAChildGetsNothingElse(t *testing.T) {
	l := New(t)
	_, w := pipe(t, l)
	p := l.Start(countsPipes, Give("w", w))
	var pipes []string
	p.Report(&pipes)
	n := 0
	for _, target := range pipes {
		if target == l.Target(w) {
			n++
		}
	}
	require.Equal(t, 1, n, "one end was handed over, and one is there: %v", pipes)
}

var countsPipes = NewRole("counts pipes", func(c *Child) error {
	var targets []string
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			targets = append(targets, target)
		}
	}
	c.Report(targets)
	return nil
})

// What the garbage collector closes is closed for certain: every time.
func TestCollectGarbageClosesADroppedFile(t *testing.T) {
	for range 20 {
		l := New(t)
		r, w := pipe(t, l)
		p := l.Start(dropsFile, Give("w", w))
		var err string
		p.Report(&err)
		require.Equal(t, unix.EBADF.Error(), err)
		require.NoError(t, p.Wait())
		require.NoError(t, r.Close())
		require.NoError(t, w.Close())
	}
}

var dropsFile = NewRole("drops a file", func(c *Child) error {
	fd := func() int {
		var number int
		_ = control(c.File("w"), func(fd int) error { number = fd; return nil })
		return number
	}()
	CollectGarbage()
	_, err := unix.Write(fd, []byte("hello"))
	c.Report(fmt.Sprint(err))
	return nil
})

// Blocks does not take a call that is still on its way for one that waits, and
// sees one that returns.
func TestBlocksAndReturns(t *testing.T) {
	l := New(t)
	r, w := pipe(t, l)
	one := make([]byte, 1)
	read := l.Call("Read", func() error { _, err := r.Read(one); return err })
	read.Blocks("the pipe is empty", Holds(r, 0, ""))
	_, err := w.Write([]byte("x"))
	require.NoError(t, err)
	read.Returns(nil)

	p := l.Start(waits)
	p.Blocks("nobody has said Go")
	p.Exit()

	failing := l.Call("Read", func() error { return errors.New("at once") })
	<-failing.done
	failing.ReturnsSoon(failing.err)
}

var waits = NewRole("waits", func(c *Child) error {
	c.Wait()
	return nil
})

// A failure of testify becomes: what was called, what was expected, what came,
// the likeliest reason.
func TestFailuresReadAsOurs(t *testing.T) {
	var got failure
	into := recorder(func(text string) { got = parse(text) })

	require.Equal(into, "one", "two", "Recv() of the first: was one Read taken for one message?")
	require.Equal(t, "Recv() of the first", got.Call)
	require.Equal(t, []string{`expected: "one"`, `got:      "two"`}, got.Detail)
	require.Equal(t, "was one Read taken for one message?", got.Reason)
	require.Contains(t, got.text(), "\n\nWas one Read")

	require.NoError(into, errors.New("no"), "Send()")
	require.Equal(t, []string{"expected: no error", "got:      no"}, got.Detail)
	require.Error(into, nil, "OpenReader()")
	require.Equal(t, []string{"expected: an error", "got:      no error"}, got.Detail)
	require.ErrorIs(into, errors.New("no"), os.ErrExist, "OpenReader()")
	require.Equal(t, []string{`expected: "file already exists"`, `got:      "no"`}, got.Detail)
	require.ErrorIs(into, nil, os.ErrExist, "OpenReader()")
	require.Equal(t, []string{`expected: "file already exists"`, "got:      no error"}, got.Detail)
}

// An unwritten function makes a failure "todo", wherever its error comes from.
func TestTheStubsErrorIsTodo(t *testing.T) {
	f := failure{Verdict: verdict.Wrong, Call: "Recv()",
		Detail: []string{"got: producer: Send(): Writer.Send is not written yet (pipe.go:105)"}}
	require.Equal(t, verdict.Todo, f.finding().Verdict)
	require.Equal(t, "pipe.go", f.finding().File)
	require.Equal(t, 105, f.finding().Line)
}

// recorder is a TestingT that keeps the text and does not stop.
type recorder func(string)

func (r recorder) Errorf(format string, args ...any) { r(fmt.Sprintf(format, args...)) }
func (r recorder) FailNow()                          {}

// A supervisor's timers may be late. Those of a step are as everywhere.
func TestTimersOfAStepAreNoneOfTheSupervisors(t *testing.T) {
	l := New(t)
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	require.NoError(t, err)
	require.EqualValues(t, launch.UsualSlack, slack, "of the test, in ns")
	p := l.Start(tellsSlack)
	p.Report(&slack)
	require.NoError(t, p.Wait())
	require.EqualValues(t, launch.UsualSlack, slack, "of a process that it starts, in ns")
}

var tellsSlack = NewRole("tells the slack", func(c *Child) error {
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	c.Report(slack)
	return err
})
