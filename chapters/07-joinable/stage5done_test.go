package joinable_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// The last stage. In the fourth one markers end the consumers, and nobody knows whether what
// they had taken is done.

// Step 10: Join returns when every item that was put is done: not before, and not never.
func TestJoinWaitsUntilAllIsDone(t *testing.T) {
	l := lab.New(t)
	q := queue(l, 5, 20)
	join := func(q *joinable.Queue) func() error { return func() error { return q.Join(forever) } }
	l.Call("Join() of a queue into which nothing was put", join(q)).ReturnsSoon(nil)

	put(l, q, "1", "2", "3")
	call := l.Call("Join()", join(q))
	call.Blocks("three items wait: does it look again and again?")
	call.Interrupt(2)
	call.Blocks("signals have come, and three items wait")
	worker := l.Start(works, handed(q)...)
	worker.Go()
	require.Equal(l, "1", reported[string](worker), "what another process took")
	take(l, q, "2", "3")
	call.Blocks("all are taken, and none is done: an empty queue is not enough")
	done(l, q, 2)
	call.Blocks("two of three are done, and another process has the third one")
	put(l, q, "4")
	worker.Go()
	require.Equal(l, "done", reported[string](worker), "what another process says after TaskDone()")
	call.Blocks("item 4 was put meanwhile: has it counted the items that there were when it began?")
	take(l, q, "4")
	done(l, q, 1)
	call.ReturnsSoon(nil)

	// It is used again, by several that join, in two processes.
	l.Call("Join() of a queue in which all is done", join(q)).ReturnsSoon(nil)
	put(l, q, "5")
	first, second := l.Call("Join() of one that has joined before", join(q)), l.Call("Join() of another Queue", join(another(l, q)))
	joiner := l.Start(joins, handed(q)...)
	first.Blocks("item 5 waits: does the end of an earlier round count?")
	second.Blocks("item 5 waits")
	joiner.Blocks("item 5 waits", lab.SleepsUntilWoken(joiner))
	worker.Go()
	require.Equal(l, "5", reported[string](worker), "what another process took")
	first.Blocks("item 5 is taken, and not done")
	worker.Go()
	require.Equal(l, "done", reported[string](worker), "what another process says after TaskDone()")
	first.ReturnsSoon(nil)
	second.ReturnsSoon(nil)
	require.NoError(l, joiner.Wait(), "a process that joins: do all that wait learn of the last TaskDone()?")
	worker.Kill()

	// The last TaskDone comes between any two calls of who is about to sleep.
	calls := l.Calls()
	held := l.Start(heldJoiner, handed(q, calls.HandOver())...)
	calls.Of(held)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		put(l, q, "last")
		take(l, q, "last")
		isHeld = calls.Hold(try)
		last := l.Call("the last TaskDone() while another process is about to wait in Join()", q.TaskDone)
		last.SleepsOrReturns("the one that is held may have the lock")
		calls.Go()
		last.ReturnsSoon(nil)
		calls.Reports("joined", "Join() while the last TaskDone() comes: is there a moment between the look at the count and the sleep in which that is not seen?")
	}
	held.Kill()

	// Many items, several workers.
	var workers []*lab.Process
	for range 3 {
		workers = append(workers, l.Start(takes, handed(q)...))
	}
	for n := range 100 {
		require.NoError(l, q.Put(forever, numbered("one", n, 0)), "Put()")
	}
	require.NoError(l, q.Join(forever), "Join() of 100 items")
	require.Zero(l, length(l, q), "Len() after Join()")
	for range workers {
		require.NoError(l, q.Put(forever, []byte(marker)), "Put()")
	}
	var got []string
	for _, w := range workers {
		got = append(got, reported[[]string](w)...)
		require.NoError(l, w.Wait(), "a worker")
	}
	exactlyOnce(l, all("one", 100), got, "three workers took them")
}

// works takes an item at the test's word, and marks it as done at the next one.
var works = lab.NewRole("worker", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	for range mostCalls {
		c.Wait()
		item, err := q.Get(forever)
		if err != nil {
			return fmt.Errorf("Get(): %w", err)
		}
		c.Report(string(item))
		c.Wait()
		if err := q.TaskDone(); err != nil {
			return fmt.Errorf("TaskDone(): %w", err)
		}
		c.Report("done")
	}
	return nil
})

var joins = lab.NewRole("process that joins", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	if err := q.Join(forever); err != nil {
		return fmt.Errorf("Join(): %w", err)
	}
	return q.Close()
})

var heldJoiner = lab.NewRole("joiner that is held", func(c *lab.Child) error {
	q, err := attachedInSight(c)
	if err != nil {
		return err
	}
	for range mostCalls {
		c.Wait()
		if err := q.Join(forever); err != nil {
			return fmt.Errorf("Join(): %w", err)
		}
		c.Report("joined")
	}
	return nil
})

// Step 11: TaskDone more often than Get is an error, and the count stays, whoever calls it.
func TestTaskDoneTooOften(t *testing.T) {
	l := lab.New(t)
	q := queue(l, 1500, 20)
	require.ErrorIs(l, q.TaskDone(), joinable.ErrNotTaken, "TaskDone() before anything was put")
	put(l, q, "1", "2")
	require.ErrorIs(l, q.TaskDone(), joinable.ErrNotTaken, "TaskDone() before anything was taken")
	take(l, q, "1")
	require.NoError(l, l.Start(doneTooOften, handed(q)...).Wait(), "another process that has taken nothing, while this one has an item to be done")
	join := l.Call("Join()", func() error { return q.Join(forever) })
	join.Blocks("one of two items is taken and one waits: has a TaskDone() counted that was refused?")
	require.NoError(l, q.TaskDone(), "TaskDone() of an item that was taken here, after another process was refused")
	require.ErrorIs(l, q.TaskDone(), joinable.ErrNotTaken, "the second TaskDone() for one item: it is not for item 2, which waits")
	require.Equal(l, 1, length(l, q), "Len() after TaskDone() was refused")
	join.Blocks("item 2 waits")
	take(l, q, "2")
	other := another(l, q)
	require.ErrorIs(l, other.TaskDone(), joinable.ErrNotTaken, "TaskDone() of another Queue, also in the same process: it has taken nothing")
	join.Blocks("item 2 is not done")
	done(l, q, 1)
	join.ReturnsSoon(nil)
	require.ErrorIs(l, q.TaskDone(), joinable.ErrNotTaken, "TaskDone() when all is done")
	put(l, q, "3")
	again := l.Call("Join()", func() error { return q.Join(forever) })
	again.Blocks("item 3 waits: was a TaskDone() that was refused kept for it?")
	take(l, q, "3")
	done(l, q, 1)
	again.ReturnsSoon(nil)

	// There is a limit of what one may have to do.
	for n := range joinable.MaxUndone + 1 {
		put(l, q, strconv.Itoa(n))
	}
	for n := range joinable.MaxUndone {
		take(l, q, strconv.Itoa(n))
	}
	_, err := q.TryGet()
	require.ErrorIs(l, err, unix.ENOBUFS, "TryGet() with MaxUndone items to be done")
	_, err = q.Get(forever)
	require.ErrorIs(l, err, unix.ENOBUFS, "Get() with MaxUndone items to be done")
	_, err = q.GetInto(forever, make([]byte, 20))
	require.ErrorIs(l, err, unix.ENOBUFS, "GetInto() with MaxUndone items to be done")
	_, err = q.Get(ended(errBell))
	require.ErrorIs(l, err, joinable.ErrEmpty, "Get() with MaxUndone items to be done, and with a context that has ended: that comes first")
	require.Equal(l, 1, length(l, q), "Len() after Get() was refused")
	take(l, other, strconv.Itoa(joinable.MaxUndone))
	full := l.Call("Get() of an empty queue with MaxUndone items to be done: to wait would not help", func() error { _, err := q.Get(forever); return err })
	full.ReturnsSoon(unix.ENOBUFS)
	_, err = q.TryGet()
	require.ErrorIs(l, err, unix.ENOBUFS, "TryGet() of an empty queue with MaxUndone items to be done")
	done(l, q, 1)
	put(l, q, "one more")
	take(l, q, "one more")
	done(l, q, joinable.MaxUndone)
	require.ErrorIs(l, q.TaskDone(), joinable.ErrNotTaken, "TaskDone() more often than Get()")
	last := l.Call("Join()", func() error { return q.Join(forever) })
	last.Blocks("another Queue has one item to be done")
	done(l, other, 1)
	last.ReturnsSoon(nil)
}

var doneTooOften = lab.NewRole("process that has taken nothing", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	if err := is(q.TaskDone(), joinable.ErrNotTaken, "TaskDone()"); err != nil {
		return err
	}
	return q.Close()
})

// Step 12: a Join ends with its context, and says how many items are not done.
func TestJoinEndsWithItsContext(t *testing.T) {
	l := lab.New(t)
	q := queue(l, 50, 20)
	another(l, q) // and who joins waits for its end, too
	for n := range 40 {
		put(l, q, strconv.Itoa(n))
	}
	for n := range 30 {
		take(l, q, strconv.Itoa(n))
	}
	done(l, q, 3)
	var text string
	join := func(ctx context.Context, cause error) func() error {
		return func() error {
			err := q.Join(ctx)
			text = fmt.Sprint(err)
			return both(err, joinable.ErrUnfinished, cause)
		}
	}
	opened := descriptors(l)
	ctx, cancel := context.WithCancelCause(context.Background())
	ends := l.Call("Join() whose context ends: what wakes it, and is the error both ErrUnfinished and the context's cause (context.Cause)?", join(ctx, errBell))
	ends.Blocks("37 items are not done")
	cancel(errBell)
	ends.ReturnsSoon(nil)
	require.Contains(l, text, "37", "the error of Join() while 10 items wait and 27 are taken and not done: how many are not done")
	deadline, stop := context.WithTimeout(context.Background(), soon)
	defer stop()
	late := l.Call("Join() with a deadline", join(deadline, context.DeadlineExceeded))
	late.Returns(nil)
	far, cancelFar := context.WithTimeout(context.Background(), time.Hour)
	cancelled := l.Call("Join() whose context is cancelled long before its deadline: is the deadline all that it waits for?", join(far, context.Canceled))
	cancelled.Blocks("37 items are not done")
	cancelFar()
	cancelled.ReturnsSoon(nil)
	before := l.Call("Join() whose context has ended before", join(ended(errBell), errBell))
	before.ReturnsSoon(nil)
	require.Contains(l, text, "37", "the error of Join() whose context has ended before: how many are not done")
	require.Equal(l, opened, descriptors(l), "descriptors of this process, after four calls of Join() have ended with their contexts")
	done(l, q, 27)
	for n := range 10 {
		take(l, q, strconv.Itoa(30+n))
	}
	done(l, q, 10)
	all := l.Call("Join() whose context has ended before, when all is done", join(ended(errBell), errBell))
	all.ReturnsSoon(nil)
	require.NoError(l, q.Join(forever), "Join() when all is done")
	countsAtTheEnd(l)
	endsAfterTheCall(l, "Join()")
}

// countsAtTheEnd asserts that the number in the error is that of the moment in which the context ends. Nothing
// has to wake Join for a Put, nor for a TaskDone that is not the last one.
func countsAtTheEnd(l *lab.Lab) {
	q := queue(l, 50, 20)
	for n := range 41 {
		put(l, q, strconv.Itoa(n))
		take(l, q, strconv.Itoa(n))
	}
	for _, change := range []struct {
		what string
		does func()
		left string
	}{
		{"four of 41 items are done meanwhile", func() { done(l, q, 4) }, "37"},
		{"26 items are put meanwhile, and 37 are not done", func() {
			for n := range 26 {
				put(l, q, strconv.Itoa(n))
			}
		}, "63"},
	} {
		ctx, cancel := context.WithCancelCause(context.Background())
		var text string
		join := l.Call("Join() whose context ends, when "+change.what, func() error {
			err := q.Join(ctx)
			text = fmt.Sprint(err)
			return both(err, joinable.ErrUnfinished, errBell)
		})
		join.Blocks("items are not done")
		change.does()
		join.Blocks("items are not done, and " + change.what)
		cancel(errBell)
		join.ReturnsSoon(nil)
		require.Contains(l, text, change.left, "the error of Join() whose context ends, when %s: how many are not done. Are they counted again when the context has ended?", change.what)
	}
}
