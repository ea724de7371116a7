package joinable_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// Step 13: the maker's Close ends the queue: the rest is taken, then comes io.EOF, and nothing
// can be put any more. No marker is needed.
func TestCloseEndsTheQueue(t *testing.T) {
	l := lab.New(t)
	q := queue(l, 2, 20)
	left := another(l, q)
	getter := l.Start(getsTheEnd, handed(q)...)
	getter.Blocks("the queue is empty")
	more := l.Call("Get() of another Queue", func() error { _, err := left.Get(forever); return err })
	more.Blocks("the queue is empty")
	require.NoError(l, q.Close(), "Close() of the maker's Queue")
	more.ReturnsSoon(io.EOF)
	end := l.Call("Get() of another process, whose queue has ended: do all that wait learn of it?", getter.Wait)
	end.ReturnsSoon(nil)

	q = queue(l, 2, 20)
	left = another(l, q)
	late := copies(l, q)
	put(l, q, "1", "2")
	putter := l.Start(putsTooLate, handed(q)...)
	putter.Blocks("the queue is full")
	join := l.Call("Join() of another Queue", func() error { return left.Join(forever) })
	join.Blocks("two items are not done")
	require.NoError(l, q.Close(), "Close() of the maker's Queue while there are items")
	refused := l.Call("Put() into a full queue that ends", putter.Wait)
	refused.ReturnsSoon(nil)
	join.Blocks("two items are not done, and the queue has ended: they can still be taken")
	require.Equal(l, 2, length(l, left), "Len() of a queue that has ended")
	item, err := left.Get(forever)
	require.NoError(l, err, "Get() of a queue that has ended and is not empty")
	require.Equal(l, "1", string(item), "Get() of a queue that has ended and is not empty")
	require.ErrorIs(l, left.TryPut([]byte("3")), unix.EPIPE, "TryPut() into a queue that has ended, where there is room")
	require.ErrorIs(l, left.Put(forever, []byte("3")), unix.EPIPE, "Put() into a queue that has ended, where there is room")
	require.ErrorIs(l, left.Put(forever, nil), unix.EINVAL, "Put() of nil into a queue that has ended: what can never be comes first")
	require.ErrorIs(l, left.Put(ended(errBell), []byte("3")), joinable.ErrFull, "Put() into a queue that has ended, with a context that has ended: that comes first")

	// Who comes late still finds it.
	after, err := joinable.Attach(late, 0, 0)
	require.NoError(l, err, "Attach() to a queue that has ended")
	l.CloseAtEnd(after)
	item, err = after.Get(forever)
	require.NoError(l, err, "Get() of who has attached after the end")
	require.Equal(l, "2", string(item), "Get() of who has attached after the end")
	for range 2 {
		_, err = after.Get(forever)
		require.ErrorIs(l, err, io.EOF, "Get() of a queue that has ended and is empty")
		_, err = left.TryGet()
		require.ErrorIs(l, err, io.EOF, "TryGet() of a queue that has ended and is empty")
	}
	_, err = left.Get(ended(errBell))
	require.ErrorIs(l, err, joinable.ErrEmpty, "Get() of a queue that has ended, with a context that has ended: that comes first")
	done(l, after, 1)
	join.Blocks("one item is not done")
	done(l, left, 1)
	join.ReturnsSoon(nil)
	require.ErrorIs(l, left.TaskDone(), joinable.ErrNotTaken, "TaskDone() too often, after the end")
	require.NoError(l, after.Close(), "Close() of who has attached after the end")

	// The limit comes before the end.
	q = queue(l, joinable.MaxUndone, 20)
	left = another(l, q)
	for n := range joinable.MaxUndone {
		put(l, q, fmt.Sprint(n))
		take(l, left, fmt.Sprint(n))
	}
	require.NoError(l, q.Close(), "Close() of the maker's Queue")
	_, err = left.Get(forever)
	require.ErrorIs(l, err, unix.ENOBUFS, "Get() of a queue that has ended and is empty, with MaxUndone items to be done: that comes first")
	_, err = left.TryGet()
	require.ErrorIs(l, err, unix.ENOBUFS, "TryGet() of a queue that has ended and is empty, with MaxUndone items to be done: that comes first")
	done(l, left, 1)
	_, err = left.Get(forever)
	require.ErrorIs(l, err, io.EOF, "Get() of a queue that has ended and is empty, with one less than MaxUndone items to be done")
	endsInBetween(l)
}

var getsTheEnd = lab.NewRole("consumer of an empty queue", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	if _, err := q.Get(forever); !errors.Is(err, io.EOF) {
		return fmt.Errorf("Get(): expected io.EOF, and got: %v", err)
	}
	return q.Close()
})

var putsTooLate = lab.NewRole("producer of a full queue", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	for range 2 {
		if err := q.Put(forever, []byte("too late")); !errors.Is(err, unix.EPIPE) {
			return fmt.Errorf("Put(): expected EPIPE, and got: %v", err)
		}
	}
	return q.Close()
})

// Step 14: Close of another Queue ends nothing for others. Its own calls end, and all of it
// is given back.
func TestCloseOfOneEndsItAlone(t *testing.T) {
	l := lab.New(t)
	first := queue(l, 1, 20)
	require.NoError(l, errors.Join(another(l, first).Close(), first.Close()), "Close()") // what a process makes once is made now
	mapped, opened := mappings(l), descriptors(l)
	for _, who := range []string{"the maker's Queue", "another Queue"} {
		q := queue(l, 1, 20)
		own, other := q, another(l, q)
		if who == "another Queue" {
			own, other = other, q
		}
		files := own.Files()
		get := l.Call("Get() of "+who, func() error { _, err := own.Get(forever); return err })
		get.Blocks("the queue is empty")
		into := l.Call("GetInto() of "+who, func() error { _, err := own.GetInto(forever, make([]byte, 9)); return err })
		into.Blocks("the queue is empty")
		closes := l.Call("Close() of "+who+", while calls wait: does it wait for them?", own.Close)
		closes.ReturnsSoon(nil)
		get.ReturnsSoon(os.ErrClosed)
		into.ReturnsSoon(os.ErrClosed)
		for i, f := range files {
			_, err := f.Stat()
			require.ErrorIs(l, err, os.ErrClosed, "file %d of Files() of %s, after Close()", i, who)
		}
		require.Empty(l, own.Files(), "Files() of %s, after Close()", who)
		_, got := own.Get(ended(errBell))
		_, gotInto := own.GetInto(forever, nil)
		_, tried := own.TryGet()
		_, length := own.Len()
		for _, one := range []struct {
			what string
			err  error
		}{
			{"Put()", own.Put(forever, []byte("1"))}, {"Put() of nil", own.Put(ended(errBell), nil)}, {"TryPut()", own.TryPut([]byte("1"))},
			{"Get() with a context that has ended", got}, {"GetInto()", gotInto}, {"TryGet()", tried},
			{"TaskDone()", own.TaskDone()}, {"Join()", own.Join(ended(errBell))}, {"Len()", length}, {"Daemon()", own.Daemon()}, {"Close()", own.Close()},
		} {
			require.ErrorIs(l, one.err, os.ErrClosed, "%s of %s, after Close()", one.what, who)
		}
		if who == "another Queue" {
			put(l, other, "1")
			take(l, other, "1")
			done(l, other, 1)
		}
		require.NoError(l, other.Close(), "Close() of the other one")
	}
	require.Equal(l, opened, descriptors(l), "descriptors of this process, after Close() of all its Queues")
	require.Equal(l, mapped, mappings(l), "mappings of memfds in this process, after Close(): is the memory unmapped?")

	// Who waits in Put and in Join.
	q := queue(l, 1, 20)
	own := another(l, q)
	put(l, q, "1")
	long, stop := context.WithCancel(context.Background())
	defer stop()
	before, err := inherited()
	require.NoError(l, err, "reading /proc/self/fd")
	full := l.Call("Put() of a Queue that is closed meanwhile", func() error { return own.Put(long, []byte("2")) })
	full.Blocks("the queue is full")
	join := l.Call("Join() of a Queue that is closed meanwhile", func() error { return own.Join(long) })
	join.Blocks("an item is not done")
	require.NoError(l, asBefore(before, "Put() and Join() with a context, which wait now,"), "the descriptors of this process")
	require.NoError(l, own.Close(), "Close()")
	full.ReturnsSoon(os.ErrClosed)
	join.ReturnsSoon(os.ErrClosed)
	take(l, q, "1")
	done(l, q, 1)

	// Many come and go, and places are used again.
	for n := range 2 * joinable.MaxProcesses {
		a, err := joinable.Attach(copies(l, q), 0, 0)
		require.NoError(l, err, "Attach() number %d, when those before have closed", n)
		put(l, q, "1")
		take(l, a, "1")
		done(l, a, 1)
		require.NoError(l, a.Close(), "Close()")
	}
	var everybody []*joinable.Queue
	for n := range joinable.MaxProcesses - 1 {
		a, err := joinable.Attach(copies(l, q), 0, 0)
		require.NoError(l, err, "Attach() number %d, with the maker %d of MaxProcesses", n, n+2)
		everybody = append(everybody, a)
	}
	tooMany := copies(l, q)
	for _, f := range tooMany {
		_, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0)
		require.NoError(l, err, "fcntl() of the test's own")
	}
	_, err = joinable.Attach(tooMany, 0, 0)
	require.ErrorIs(l, err, unix.EUSERS, "Attach() when MaxProcesses are attached")
	for i, f := range tooMany {
		_, err := f.Stat()
		require.NoError(l, err, "fstat() of file %d after Attach() that was refused: the files are as they were", i)
		require.NotEqual(l, "close-on-exec", l.OnExec(f), "file %d after Attach() that was refused: its flags are as they were", i)
	}
	require.NoError(l, everybody[17].Close(), "Close() of one of them")
	a, err := joinable.Attach(tooMany, 0, 0)
	require.NoError(l, err, "Attach() when one of MaxProcesses has closed, with the files of an Attach() that was refused: they are as they were")
	everybody[17] = a
	for _, a := range everybody {
		require.NoError(l, a.Close(), "Close()")
	}
	makersPlaceStays(l)
	slicesAreTheCallers(l)
	leavesNothing(l)

	closesUnderACall(l)
}

// makersPlaceStays asserts that nobody gets the maker's place, also when the maker has closed.
func makersPlaceStays(l *lab.Lab) {
	q := queue(l, 1, 20)
	last, tooMany := copies(l, q), copies(l, q)
	var all []*joinable.Queue
	for range joinable.MaxProcesses - 2 {
		all = append(all, another(l, q))
	}
	require.NoError(l, q.Close(), "Close() of the maker's Queue")
	a, err := joinable.Attach(last, 0, 0)
	require.NoError(l, err, "Attach() number %d, when the maker has closed: with the maker's place it is the last one of MaxProcesses", joinable.MaxProcesses-1)
	all = append(all, a)
	_, err = joinable.Attach(tooMany, 0, 0)
	require.ErrorIs(l, err, unix.EUSERS, "Attach() number %d, when the maker has closed: one place of MaxProcesses is the maker's, also then", joinable.MaxProcesses)
	for _, a := range all {
		require.NoError(l, a.Close(), "Close()")
	}
}

// mappings is how many mappings of memfds this process has.
func mappings(l *lab.Lab) int {
	maps, err := os.ReadFile("/proc/self/maps")
	require.NoError(l, err, "reading /proc/self/maps")
	return strings.Count(string(maps), "/memfd:")
}
