package joinable_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// madeElsewhere is a queue whose maker is another process, and this one is attached to it. The
// files come over a socket, as SCM_RIGHTS (unix(7)). Calls are handed over where it is to be held.
func madeElsewhere(l *lab.Lab, bound int, calls ...lab.Handed) (*joinable.Queue, *lab.Process) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	require.NoError(l, err, "socketpair() of the test's own")
	ours, theirs := os.NewFile(uintptr(fds[0]), "line"), os.NewFile(uintptr(fds[1]), "line")
	defer ours.Close()
	maker := l.Start(makes, append(calls, lab.HandOver("line", theirs), lab.Tell("bound", fmt.Sprint(bound)), lab.Tell("held", fmt.Sprint(len(calls) > 0)))...)
	rights := make([]byte, unix.CmsgSpace(4*mostFiles))
	_, n, _, _, err := unix.Recvmsg(fds[0], make([]byte, 1), rights, unix.MSG_CMSG_CLOEXEC)
	require.NoError(l, err, "recvmsg() of the test's own")
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) == 0 {
		require.NoError(l, maker.Wait(), "the maker")
		l.Fault("no files came from the maker: %v", err)
	}
	numbers, err := unix.ParseUnixRights(&messages[0])
	require.NoError(l, err, "the rights of the test's own")
	var files []*os.File
	for _, n := range numbers {
		files = append(files, os.NewFile(uintptr(n), "queue"))
	}
	q, err := joinable.Attach(files, bound, 20)
	require.NoError(l, err, "Attach() to a queue of another process")
	l.CloseAtEnd(q)
	return q, maker
}

// mostFiles is how many files a message can have with it (SCM_MAX_FD).
const mostFiles = 253

// makes makes a queue. At the test's first word it closes it, and at the second one it ends.
var makes = lab.NewRole("maker", func(c *lab.Child) error {
	var bound int
	fmt.Sscan(c.Text("bound"), &bound)
	q, err := joinable.Create(bound, 20)
	if err != nil {
		return fmt.Errorf("Create(): %w", err)
	}
	var numbers []int
	for _, f := range q.Files() {
		numbers = append(numbers, int(f.Fd()))
	}
	line := c.File("line")
	if err := unix.Sendmsg(int(line.Fd()), []byte{0}, unix.UnixRights(numbers...), nil, 0); err != nil {
		return err
	}
	line.Close()
	if c.Text("held") == "true" {
		if err := c.ShowCalls(); err != nil {
			return err
		}
	}
	c.Report(true)
	c.Wait()
	if err := q.Close(); err != nil {
		return fmt.Errorf("Close(): %w", err)
	}
	c.Report(true)
	c.Wait()
	return nil
})

// Step 18: a maker that ends without Close ends the queue as well, and nobody waits for ever.
func TestMakerDies(t *testing.T) {
	l := lab.New(t)
	q, maker := madeElsewhere(l, 2)
	maker.Report(new(bool))
	get := l.Call("Get() of an empty queue whose maker is killed", func() error { _, err := q.Get(forever); return err })
	get.Blocks("the queue is empty")
	other := l.Start(getsABrokenEnd, handed(q)...)
	other.Blocks("the queue is empty")
	get.Interrupt(2)
	other.Interrupt(2)
	maker.Kill()
	get.ReturnsSoon(io.ErrUnexpectedEOF)
	end := l.Call("Get() of another process, when the maker was killed", other.Wait)
	end.ReturnsSoon(nil)

	// The first one that has attached may have gone.
	q, maker = madeElsewhere(l, 2)
	maker.Report(new(bool))
	second := l.Start(getsABrokenEnd, handed(q)...)
	second.Blocks("the queue is empty, and its maker lives", lab.SleepsUntilWoken(second))
	require.NoError(l, q.Close(), "Close() of the first one that has attached")
	second.Blocks("the queue is empty, and the first one that had attached has closed its Queue")
	maker.Kill()
	alone := l.Call("Get() of a process that was not the first one to attach, when the maker was killed: does each one watch the maker by itself?", second.Wait)
	alone.ReturnsSoon(nil)

	q, maker = madeElsewhere(l, 2)
	maker.Report(new(bool))
	late := copies(l, q)
	put(l, q, "1", "2")
	full := l.Call("Put() into a full queue whose maker is killed", func() error { return q.Put(forever, []byte("3")) })
	full.Blocks("the queue is full")
	join := l.Call("Join() of a queue whose maker is killed", func() error { return q.Join(forever) })
	join.Blocks("two items are not done")
	maker.Kill()
	full.ReturnsSoon(unix.EPIPE)
	join.ReturnsSoon(io.ErrUnexpectedEOF)
	require.ErrorIs(l, q.TryPut([]byte("3")), unix.EPIPE, "TryPut() into a full queue whose maker was killed")
	take(l, q, "1")
	require.ErrorIs(l, q.TryPut([]byte("3")), unix.EPIPE, "TryPut() into a queue whose maker was killed, where there is room")
	require.ErrorIs(l, q.Put(forever, []byte("3")), unix.EPIPE, "Put() into a queue whose maker was killed, where there is room")
	after, err := joinable.Attach(late, 0, 0)
	require.NoError(l, err, "Attach() to a queue whose maker was killed: what is in it can be taken")
	l.CloseAtEnd(after)
	require.ErrorIs(l, after.TryPut([]byte("3")), unix.EPIPE, "TryPut() of who has attached after the maker's death")
	take(l, after, "2")
	for range 2 {
		_, err := after.Get(forever)
		require.ErrorIs(l, err, io.ErrUnexpectedEOF, "Get() when all is taken, of who has attached after the maker's death")
		_, err = q.TryGet()
		require.ErrorIs(l, err, io.ErrUnexpectedEOF, "TryGet() when all is taken, after the maker's death")
	}
	done(l, q, 1)
	require.ErrorIs(l, q.Join(forever), io.ErrUnexpectedEOF, "Join() when one item is not done, after the maker's death")
	require.NoError(l, after.Close(), "Close() of who had an item to be done")
	require.Equal(l, told{Error: "lost", PID: os.Getpid(), Items: []uint64{2}}, tells(q.Join(forever)), "Join() when an item is lost, after the maker's death: that comes first")
	require.NoError(l, q.Join(forever), "Join() when all is done, after the maker's death")

	looksForItself(l)

	// A clean end is another one, also when the maker's process is gone.
	q, maker = madeElsewhere(l, 2)
	maker.Report(new(bool))
	put(l, q, "1")
	maker.Go()
	maker.Report(new(bool))
	maker.Exit()
	take(l, q, "1")
	_, err = q.Get(forever)
	require.ErrorIs(l, err, io.EOF, "Get() when the maker has closed the queue, and has ended afterwards")
	rest := l.Call("Join() when the maker has closed the queue, and has ended afterwards", func() error { return q.Join(forever) })
	rest.Blocks("an item is not done, and a maker that has closed the queue may end: is its pidfd, which is ready for ever, still among what Join() waits for?")
	done(l, q, 1)
	rest.ReturnsSoon(nil)

	// The context and the limit come before the maker's death.
	q, maker = madeElsewhere(l, joinable.MaxUndone)
	maker.Report(new(bool))
	for n := range joinable.MaxUndone {
		put(l, q, fmt.Sprint(n))
		take(l, q, fmt.Sprint(n))
	}
	maker.Kill()
	_, err = q.Get(forever)
	require.ErrorIs(l, err, unix.ENOBUFS, "Get() of an empty queue whose maker was killed, with MaxUndone items to be done: that comes first")
	_, err = q.TryGet()
	require.ErrorIs(l, err, unix.ENOBUFS, "TryGet() of an empty queue whose maker was killed, with MaxUndone items to be done: that comes first")
	done(l, q, 1)
	_, err = q.Get(ended(errBell))
	require.NoError(l, both(err, joinable.ErrEmpty, errBell), "Get() of a queue whose maker was killed, with a context that has ended: that comes first")
	require.NoError(l, both(q.Put(ended(errBell), []byte("1")), joinable.ErrFull, errBell), "Put() into a queue whose maker was killed, with a context that has ended: that comes first")
	require.NoError(l, both(q.Join(ended(errBell)), joinable.ErrUnfinished, errBell), "Join() of a queue whose maker was killed, with a context that has ended: that comes first")
}

// looksForItself asserts that Put finds out by itself that the maker was killed. Nobody else has looked
// before, so nothing in the memory says it.
func looksForItself(l *lab.Lab) {
	q, maker := madeElsewhere(l, 2)
	maker.Report(new(bool))
	maker.Kill()
	require.ErrorIs(l, q.TryPut([]byte("1")), unix.EPIPE, "TryPut() into an empty queue, the first call of all since its maker was killed: does it look whether the maker lives, or does it rely on another call that has noticed?")

	q, maker = madeElsewhere(l, 2)
	maker.Report(new(bool))
	put(l, q, "1", "2")
	alone := l.Call("Put() into a full queue whose maker is killed, when nobody else waits: does it look whether the maker lives, or does it rely on another call that has noticed?", func() error { return q.Put(forever, []byte("3")) })
	alone.Blocks("the queue is full")
	maker.Kill()
	alone.ReturnsSoon(unix.EPIPE)
}

// severalMakers are so many that the number of one of them can be had again, and what a process
// is handed to attach to all their queues.
func severalMakers(l *lab.Lab) (makers []*lab.Process, more []lab.Handed) {
	for n := range several {
		q, maker := madeElsewhere(l, 2)
		maker.Report(new(bool))
		for i, f := range q.Files() {
			more = append(more, lab.Give(fmt.Sprintf("file %d of queue %d", i, n), l.File(f)))
		}
		if n == 0 {
			more = append(more, lab.Tell("files", fmt.Sprint(len(q.Files()))))
		}
		require.NoError(l, q.Close(), "Close()")
		makers = append(makers, maker)
	}
	return makers, more
}

const several = 5

// attachedToThese attaches a role to the queues of several makers.
func attachedToThese(c *lab.Child) (all []*joinable.Queue, err error) {
	files, err := strconv.Atoi(c.Text("files"))
	for n := range several {
		var own []*os.File
		for i := range files {
			own = append(own, c.File(fmt.Sprintf("file %d of queue %d", i, n)))
		}
		q, err := joinable.Attach(own, 0, 0)
		if err != nil {
			return nil, fmt.Errorf("Attach(): %w", err)
		}
		all = append(all, q)
	}
	return all, err
}

var getsABrokenEnd = lab.NewRole("consumer of an empty queue whose maker dies", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	if _, err := q.Get(forever); !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("Get(): expected %w, and got: %v", io.ErrUnexpectedEOF, err)
	}
	return q.Close()
})
