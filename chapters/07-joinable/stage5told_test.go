package joinable_test

import (
	"context"
	"os"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// What step 17 asks of Join beside its own: who is told, and of whom.

// worker starts a process that takes one item, and reports that it has it.
func worker(l *lab.Lab, q *joinable.Queue, end string) *lab.Process {
	p := l.Start(holdsItems, handed(q, lab.Tell("items", "1"), lab.Tell("done", "0"), lab.Tell("end", end))...)
	p.Report(new([]string))
	return p
}

// comesInItsPlace asserts that Join knows of who comes when another one has gone.
func comesInItsPlace(l *lab.Lab) {
	q := queue(l, 5, 20)
	gone := l.Start(waitsAttached, handed(q)...)
	gone.Report(new(bool))
	put(l, q, "1", "2")
	take(l, q, "1")
	var err error
	join := l.Call("Join() while one process ends, and another one comes, takes an item and is killed: does it know of who comes where another one was?", func() error { err = q.Join(forever); return nil })
	join.Blocks("two items are not done")
	gone.Kill()
	join.Blocks("two items are not done, and a process was killed that had none of them")
	p := worker(l, q, "")
	join.Blocks("two items are not done")
	p.Kill()
	join.ReturnsSoon(nil)
	require.Equal(l, toldOf(p, 2), tells(err), "Join() when a worker was killed that had come when another one had gone")
	done(l, q, 1)
	require.NoError(l, q.Join(forever), "Join() when all is done")
}

// takesWhileJoinWaits asserts that Join knows of a worker that had nothing when Join began. No Attach
// comes meanwhile, and so no ringing.
func takesWhileJoinWaits(l *lab.Lab) {
	q := queue(l, 5, 20)
	p := l.Start(works, handed(q)...)
	p.Rests() // it has attached, and waits for the test's word
	put(l, q, "1")
	var err error
	join := l.Call("Join() while a worker that had nothing takes an item, and is killed: are only those watched that have items when Join() looks?", func() error { err = q.Join(forever); return nil })
	join.Blocks("an item waits, and a worker has nothing to do")
	p.Go()
	require.Equal(l, "1", reported[string](p), "what a worker took that was there before Join()")
	join.Blocks("an item is taken, and not done")
	p.Kill()
	join.ReturnsSoon(nil)
	require.Equal(l, toldOf(p, 1), tells(err), "Join() when a worker was killed that had nothing when Join() began")
}

// placeOfTheUntold asserts that a process that attaches does not take the place of a dead one, with what
// that had, before Join has told of it.
func placeOfTheUntold(l *lab.Lab) {
	q := queue(l, 5, 20)
	put(l, q, "1", "2")
	p := worker(l, q, "")
	p.Kill()
	next := another(l, q)
	take(l, next, "2")
	var err error
	join := l.Call("Join() when a worker was killed that had item 1, and another Queue was attached before any Join(): has that taken the place of the dead one?", func() error { err = q.Join(forever); return nil })
	join.ReturnsSoon(nil)
	require.Equal(l, toldOf(p, 1), tells(err), "Join() when a worker was killed that had item 1, and another Queue was attached before any Join(), and has item 2")
	done(l, next, 1)
	last := l.Call("Join() when item 1 was told, and item 2 is done", func() error { return q.Join(forever) })
	last.ReturnsSoon(nil)
}

// oneIsTold asserts that of two that wait one is told, and that the other one goes on, also if it
// was not quick. Nothing but the first one's Join can wake it: who had the item lives.
func oneIsTold(l *lab.Lab) {
	q := queue(l, 5, 20)
	put(l, q, "1")
	p := worker(l, q, "closes its Queue, and lives on")
	slow := l.Start(joins, handed(q)...)
	slow.Blocks("an item is not done")
	var err error
	join := l.Call("Join() while a worker closes its Queue with an item to be done", func() error { err = q.Join(forever); return nil })
	join.Blocks("an item is not done")
	require.NoError(l, unix.Kill(slow.PID(), unix.SIGSTOP), "stopping a process that waits in Join()")
	l.Until("a process that was sent SIGSTOP", lab.IsStopped(slow))
	p.Go()
	p.Report(new(bool))
	join.ReturnsSoon(nil)
	require.Equal(l, toldOf(p, 1), tells(err), "Join() when a worker has closed its Queue with an item to be done")
	require.NoError(l, unix.Kill(slow.PID(), unix.SIGCONT), "letting the process go on")
	l.Call("Join() of another process, when the lost item was told to the first one: who tells the others that all is done now?", slow.Wait).ReturnsSoon(nil)
	p.Exit()
}

// makerIsAWorker asserts that Join tells of what the maker had taken as well.
func makerIsAWorker(l *lab.Lab) {
	q := queue(l, 5, 20)
	other := another(l, q)
	put(l, q, "1", "2")
	take(l, q, "1")
	take(l, other, "2")
	done(l, other, 1)
	var err error
	join := l.Call("Join() while the maker closes its Queue with an item to be done: the maker may take items, too", func() error { err = other.Join(forever); return nil })
	join.Blocks("the maker has an item to be done")
	require.NoError(l, q.Close(), "Close() of the maker's Queue, with an item to be done")
	join.ReturnsSoon(nil)
	require.Equal(l, told{Error: "lost", PID: os.Getpid(), Items: []uint64{1}}, tells(err), "Join() when the maker has closed its Queue with an item to be done")
	require.NoError(l, other.Join(forever), "Join() when all was told")
}

// isToldOnce asserts that one of two is told, when another process joins between any two calls of
// a Join.
func isToldOnce(l *lab.Lab) {
	q := queue(l, 5, 20)
	calls := l.Calls()
	held := l.Start(heldJoinsAgain, handed(q, calls.HandOver())...)
	calls.Of(held)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		put(l, q, "an item")
		p := worker(l, q, "")
		p.Kill()
		isHeld = calls.Hold(try)
		var err error
		other := l.Call("Join() while another process is in Join(), "+calls.String(), func() error { err = q.Join(forever); return nil })
		other.SleepsOrReturns("the one that is held may have the lock")
		calls.Go()
		other.ReturnsSoon(nil)
		got := []told{reported[told](held), tells(err)}
		if got[0].Error == "" {
			got[0], got[1] = got[1], got[0]
		}
		require.Equal(l, []told{toldOf(p, uint64(try+1)), {}}, got, "two calls of Join() at once, one of them %s: one is told, and to the other all is done. Are the items found and marked as told under one lock?", calls)
	}
	held.Kill()
}

var heldJoinsAgain = lab.NewRole("process that joins again and again and is held", func(c *lab.Child) error {
	q, err := attachedInSight(c)
	if err != nil {
		return err
	}
	for {
		c.Wait()
		c.Report(tells(q.Join(forever)))
	}
})

// isToldThoughTheContextEnds asserts that a Join whose context ends has told of the items, or
// leaves them to be told.
func isToldThoughTheContextEnds(l *lab.Lab) {
	q := queue(l, 5, 20)
	calls := l.Calls()
	held := l.Start(heldJoinerUntilItsContext, handed(q, calls.HandOver())...)
	calls.Of(held)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		put(l, q, "an item")
		p := worker(l, q, "")
		p.Kill()
		isHeld = calls.Hold(try)
		endsContext(l, held)
		calls.Go()
		lost := toldOf(p, uint64(try+1))
		first, then := reported[told](held), told{}
		later := l.Call("Join() after the context of another Join() has ended", func() error { then = tells(q.Join(forever)); return nil })
		later.ReturnsSoon(nil)
		if first.Error == unfinished {
			require.Equal(l, lost, then, "Join(), when a Join() before has returned ErrUnfinished, since its context has ended, %s: nobody was told of the lost item. Was it marked as told?", calls)
			continue
		}
		require.Equal(l, lost, first, "Join() when a worker was killed, and whose context ends, %s", calls)
		require.Equal(l, told{}, then, "Join() when the lost item was told")
	}
	held.Kill()
}

// unfinished stands in a report for ErrUnfinished with the context's cause.
const unfinished = "unfinished"

var heldJoinerUntilItsContext = lab.NewRole("joiner whose context ends and that is held", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	return untilItsContext(c, func(ctx context.Context) any {
		err := q.Join(ctx)
		if both(err, joinable.ErrUnfinished, errBell) == nil {
			return told{Error: unfinished}
		}
		return tells(err)
	})
})
