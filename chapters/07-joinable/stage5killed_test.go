package joinable_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// Step 15: a producer that is killed at any call of Put has put the whole item, or nothing, and
// stops nobody.
func TestProducerIsKilledAtAnyCall(t *testing.T) {
	l := lab.New(t)
	q := queue(l, 3, 9000)
	// Who waits is no relative of the victim: the death of a child is a signal, which wakes as well.
	waiter := l.Start(takesAll, handed(q)...)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		waiter.Blocks("the queue is empty")
		calls := l.Calls()
		victim := l.Start(putsAndDies, handed(q, calls.HandOver())...)
		calls.Of(victim)
		isHeld = calls.Hold(try)
		where := calls.String()
		victim.Kill()
		waiter.Rests()
		require.Zero(l, length(l, q), "Len() while a consumer sleeps, when a producer was killed in Put(), %s: an item is there, and nobody was told. Is the consumer told before the item counts?", where)
		require.NoError(l, q.Put(forever, []byte("next")), "Put() after a producer was killed, %s", where)
		got := reported[string](waiter)
		if got == victimsItem {
			got = reported[string](waiter)
		} else {
			require.True(l, isHeld, "the consumer got what the producer had put before it was killed: Put() had returned")
		}
		require.Equal(l, "next", got, "what the consumer took after a producer was killed in Put(), %s: the whole item or nothing of it, and then the next one", where)
		l.Call("Join(), after a producer was killed in Put(), "+where, func() error { return q.Join(forever) }).ReturnsSoon(nil)
	}
	waiter.Kill()
	wokenProducers(l)
}

// victimsItem is larger than a page, and than what a pipe takes at once (PIPE_BUF).
var victimsItem = strings.Repeat("the victim's ", 600)

var putsAndDies = lab.NewRole("producer that is killed", func(c *lab.Child) error {
	q, err := attachedInSight(c)
	if err != nil {
		return err
	}
	c.Wait()
	if err := q.Put(forever, []byte(victimsItem)); err != nil {
		return fmt.Errorf("Put(): %w", err)
	}
	c.Report("put")
	c.Wait()
	return nil
})

// takesAll takes items, and reports each after it is done.
var takesAll = lab.NewRole("consumer of all", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	for {
		item, err := q.Get(forever)
		if err != nil {
			return fmt.Errorf("Get(): %w", err)
		}
		if err := q.TaskDone(); err != nil {
			return fmt.Errorf("TaskDone(): %w", err)
		}
		c.Report(string(item))
	}
})

// Step 16: a consumer that is killed at any call of Get has taken the item, or has not; and one
// that is killed at any call of TaskDone has done it, or not. Nobody is stopped, and an item that
// is lost is told.
func TestConsumerIsKilledAtAnyCall(t *testing.T) {
	l := lab.New(t)
	q := queue(l, 1, 100)
	producer := l.Start(putsWhenTold, handed(q)...)
	number := uint64(0) // of the last item that was put
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		put(l, q, "the victim's")
		number++
		producer.Go()
		producer.Blocks("the queue is full")
		calls := l.Calls()
		victim := l.Start(takesAndDies, handed(q, calls.HandOver())...)
		calls.Of(victim)
		isHeld = calls.Hold(try)
		where := "a consumer was killed in Get(), " + calls.String()
		victim.Kill()
		producer.Rests()
		item, err := q.TryGet()
		reason := ""
		if errors.Is(err, joinable.ErrEmpty) {
			reason = ": the item is gone, and nobody was told that there is room. Who takes an item tells of the room first, and counts the item as taken afterwards"
		}
		require.NoError(l, err, "TryGet(), when %s, while a producer waited for room%s", where, reason)
		done(l, q, 1)
		if string(item) == "the victim's" {
			require.True(l, isHeld, "TryGet() finds an item again that a consumer has taken: Get() had returned")
			item, err = q.Get(forever)
			require.NoError(l, err, "Get(), when %s", where)
			done(l, q, 1)
			require.NoError(l, q.Join(forever), "Join(), when %s before it had taken anything", where)
		} else {
			isLost(l, q, victim, []uint64{number}, where)
		}
		require.Equal(l, reported[string](producer), string(item), "what the producer that waited has put, when %s", where)
		number++
	}

	// The same in TaskDone, while another process waits in Join.
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		put(l, q, "the victim's")
		number++
		calls := l.Calls()
		victim := l.Start(doneAndDies, handed(q, calls.HandOver())...)
		calls.Of(victim)
		victim.Report(new(string))
		joiner := l.Start(joinsOnce, handed(q)...)
		joiner.Go()
		joiner.Blocks("an item is not done")
		isHeld = calls.Hold(try)
		where := "a consumer was killed in TaskDone(), " + calls.String()
		victim.Kill()
		lost := toldOf(victim, number)
		got := joinTold(l, joiner, lost, "when "+where)
		switch {
		case got.Error == "":
		case !isHeld:
			require.Empty(l, got.Error, "Join(), when %s: TaskDone() had returned", where)
		default:
			require.Equal(l, lost, got, "Join(), when %s", where)
		}
		require.NoError(l, q.Join(forever), "Join() once more, when %s", where)
	}
	producer.Kill()

	wokenConsumers(l)
	killedIn(l, "Attach()", attachesAndDies, false)
	killedIn(l, "Join()", joinsAndDies, false)
}

// told is what a process reports of Join.
type told struct {
	Error string
	PID   int
	Items []uint64
}

func tells(err error) (t told) {
	if err == nil {
		return t
	}
	t.Error = err.Error()
	if lost := (*joinable.LostError)(nil); errors.As(err, &lost) {
		return told{Error: "lost", PID: lost.PID, Items: lost.Items}
	}
	return t
}

func toldOf(p *lab.Process, items ...uint64) told {
	return told{Error: "lost", PID: p.PID(), Items: items}
}

// isLost asserts that Join tells of these items, once.
func isLost(l *lab.Lab, q *joinable.Queue, p *lab.Process, items []uint64, what string) {
	err := error(nil)
	join := l.Call("Join(), when "+what+": how does it learn that this process has ended?", func() error { err = q.Join(forever); return nil })
	join.ReturnsSoon(nil)
	require.Equal(l, toldOf(p, items...), tells(err), "Join(), when %s: a *LostError with its pid and the items' numbers", what)
	again := l.Call("Join() once more, when "+what+": these items were told", func() error { return q.Join(forever) })
	again.ReturnsSoon(nil)
}

var takesAndDies = lab.NewRole("consumer that is killed", func(c *lab.Child) error {
	q, err := attachedInSight(c)
	if err != nil {
		return err
	}
	c.Wait()
	if _, err := q.Get(forever); err != nil {
		return fmt.Errorf("Get(): %w", err)
	}
	c.Report("taken")
	c.Wait()
	return nil
})

var doneAndDies = lab.NewRole("consumer that is killed in TaskDone", func(c *lab.Child) error {
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
	c.Report("taken")
	c.Wait()
	if err := q.TaskDone(); err != nil {
		return fmt.Errorf("TaskDone(): %w", err)
	}
	c.Report("done")
	c.Wait()
	return nil
})

// joinTold waits for the end of a process that joins once, and returns what Join has told it. It has a reason to
// return: what is lost, or that all is done.
func joinTold(l *lab.Lab, joiner *lab.Process, lost told, when string) told {
	expected := "it returns, since all is done"
	if lost.Error != "" {
		expected = fmt.Sprintf("a *LostError for items number %v of process %d", lost.Items, lost.PID)
	}
	ends := l.Call("Join() of another process, "+when+": does nobody wake it? Or are the items neither to be taken, nor to be done, nor told, since somebody has repaired too much?", joiner.Wait)
	ends.Happens(expected, "none of it has come, and Join() still waits")
	return reported[told](joiner)
}

// joinsOnce joins at the test's word, reports what it was told, and ends.
var joinsOnce = lab.NewRole("process that joins once", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	c.Wait()
	c.Report(tells(q.Join(forever)))
	return nil
})
