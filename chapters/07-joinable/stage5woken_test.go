package joinable_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// What steps 15 to 17 ask beside their own: who is killed when it was woken, and before it has
// done anything; and who is killed in Attach, Join and Close.

// woken lets two processes wait for the same thing, which comes then, and holds the first one at
// any call that it makes when it was woken. There it is killed: what came is for the other one.
// After each time are is asked what there is in the queue.
func woken(l *lab.Lab, role *lab.Role, what string, full bool, are func(q *joinable.Queue, first, second *lab.Process, where string)) {
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		q := queue(l, 1, 9000)
		if full {
			put(l, q, "was there")
		}
		ofFirst, ofSecond := l.Calls(), l.Calls()
		first := l.Start(role, handed(q, ofFirst.HandOver())...)
		ofFirst.Of(first)
		second := l.Start(role, handed(q, ofSecond.HandOver())...)
		ofSecond.Of(second)
		for _, p := range []*lab.Process{first, second} {
			p.Go()
			p.Blocks(what)
		}
		ofFirst.Arm(try)
		ofSecond.Arm(0)
		if full {
			take(l, q, "was there")
		} else {
			put(l, q, "the item")
		}
		isHeld = ofFirst.Held()
		victim, where := first, "the one that had waited longer was "+ofFirst.String()
		secondIsHeld := ofSecond.Held()
		if !isHeld && secondIsHeld { // the first one was not woken, or has got it
			victim, where = second, "the other one was "+ofSecond.String()
		}
		if victim == first {
			ofSecond.Go()
			second.Rests()
		}
		victim.Kill()
		l.Rests()
		are(q, first, second, fmt.Sprintf("when two processes waited, and %s, and was killed there", where))
		first.Kill()
		second.Kill()
		require.NoError(l, q.Close(), "Close()")
	}
}

// wokenConsumers asserts that an item is not lost with the consumer that it has woken.
func wokenConsumers(l *lab.Lab) {
	woken(l, takesAndDies, "the queue is empty", false, func(q *joinable.Queue, first, second *lab.Process, where string) {
		require.Zero(l, length(l, q), "Len(), %s: an item waits, and so does a consumer. Who was woken may be killed before it has taken anything: is the other one told, too?", where)
		first.Kill()
		second.Kill()
		lost := told{}
		join := l.Call("Join(), "+where, func() error { lost = tells(q.Join(forever)); return nil })
		join.ReturnsSoon(nil)
		require.Contains(l, []told{toldOf(first, 1), toldOf(second, 1)}, lost, "Join(), %s: one of the two had the item", where)
	})
}

// wokenProducers asserts that room is not lost with the producer that it has woken.
func wokenProducers(l *lab.Lab) {
	woken(l, putsAndDies, "the queue is full", true, func(q *joinable.Queue, first, second *lab.Process, where string) {
		require.Equal(l, 1, length(l, q), "Len(), %s: there is room for one item, and a producer waits. Who was woken may be killed before it has put anything: is the other one told, too?", where)
		take(l, q, victimsItem)
		done(l, q, 2) // only now: who is held may have the lock
	})
}

// placeOfWhoHadNothing asserts that the place of a consumer is free at once that was killed in Get, before it
// had taken anything. All other places are taken, and nobody but who attaches has had the lock since.
func placeOfWhoHadNothing(l *lab.Lab) {
	q := queue(l, 1, 20)
	for range joinable.MaxProcesses - 2 {
		another(l, q)
	}
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		put(l, q, "the victim's")
		ctx, cancel := context.WithCancel(context.Background())
		full := l.Call("Put() into a full queue whose context ends", func() error {
			return both(q.Put(ctx, []byte("none")), joinable.ErrFull, context.Canceled)
		})
		full.Blocks("the queue is full") // so that Get has to tell of the room
		cancel()
		full.ReturnsSoon(nil)
		calls := l.Calls()
		victim := l.Start(takesAndDies, handed(q, calls.HandOver())...)
		calls.Of(victim)
		isHeld = calls.Hold(try)
		where := "a consumer was killed in Get(), " + calls.String()
		victim.Kill()
		next, refused := joinable.Attach(copies(l, q), 0, 0)
		if refused == nil {
			require.NoError(l, next.Close(), "Close() of who has attached, when %s", where)
		}
		item, err := q.TryGet()
		if errors.Is(err, joinable.ErrEmpty) {
			require.ErrorIs(l, refused, unix.EUSERS, "Attach() with all other places taken, when %s: it had an item to be done, of which no Join() has told", where)
			isLost(l, q, victim, []uint64{uint64(try + 1)}, where)
			continue
		}
		require.NoError(l, err, "TryGet(), when %s", where)
		require.Equal(l, "the victim's", string(item), "TryGet(), when %s", where)
		done(l, q, 1)
		require.NoError(l, refused, "Attach() with all other places taken, when %s, and had taken nothing: its place is free at once. Who attaches has the lock, and has to undo what was half done by who was killed with it", where)
	}
}

// killedIn kills a process at any of its calls in something else than Put and Get, while another
// one waits in Join. It may have an item to be done.
func killedIn(l *lab.Lab, what string, role *lab.Role, hasItem bool) {
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		q := queue(l, 5, 20)
		joiner := l.Start(joinsOnce, handed(q)...)
		put(l, q, "an item")
		take(l, q, "an item")
		if hasItem {
			put(l, q, "the victim's")
		}
		calls := l.Calls()
		victim := l.Start(role, handed(q, calls.HandOver())...)
		calls.Of(victim)
		joiner.Go()
		joiner.Blocks("an item is not done")
		isHeld = calls.Hold(try)
		where := "a process was killed in " + what + ", " + calls.String()
		victim.Kill()
		if hasItem {
			lost := toldOf(victim, 2)
			require.Equal(l, lost, joinTold(l, joiner, lost, "when "+where+", with an item to be done"), "Join(), when %s, with an item to be done", where)
			joiner = l.Start(joinsOnce, handed(q)...)
			joiner.Go()
		}
		joiner.Blocks("an item is not done, and " + where)
		require.NoError(l, q.TaskDone(), "TaskDone(), when %s", where)
		require.Equal(l, told{}, joinTold(l, joiner, told{}, "when all is done, and "+where), "Join(), when all is done, and %s", where)
		next, err := joinable.Attach(copies(l, q), 0, 0)
		require.NoError(l, err, "Attach(), when %s", where)
		require.NoError(l, next.Close(), "Close() of a Queue, when %s", where)
		require.NoError(l, q.Close(), "Close() of the maker's Queue, when %s", where)
	}
}

var attachesAndDies = lab.NewRole("process that is killed in Attach", func(c *lab.Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	c.Wait()
	if _, err := attached(c); err != nil {
		return err
	}
	c.Report("attached")
	c.Wait()
	return nil
})

var joinsAndDies = lab.NewRole("process that is killed in Join", func(c *lab.Child) error {
	q, err := attachedInSight(c)
	if err != nil {
		return err
	}
	c.Wait()
	c.Report(tells(q.Join(forever)))
	c.Wait()
	return nil
})

var closesAndDies = lab.NewRole("process that is killed in Close", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	if _, err := q.Get(forever); err != nil {
		return fmt.Errorf("Get(): %w", err)
	}
	if err := c.ShowCalls(); err != nil {
		return err
	}
	c.Wait()
	if err := q.Close(); err != nil {
		return fmt.Errorf("Close(): %w", err)
	}
	c.Report("closed")
	c.Wait()
	return nil
})
