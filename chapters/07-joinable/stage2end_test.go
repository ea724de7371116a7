package joinable_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// The second stage. In the first one a consumer that has taken all waits for ever.

// Step 3: a Get of an empty queue ends with its context, and an item is not lost with it.
func TestGetEndsWithItsContext(t *testing.T) {
	l := lab.New(t)
	q := queue(l, 5, 200)
	_, err := q.TryGet()
	require.ErrorIs(l, err, joinable.ErrEmpty, "TryGet() of an empty queue")

	get := func(ctx context.Context) error { _, err := q.Get(ctx); return err }
	stays := l.Call("Get() with a context that does not end", func() error { return get(forever) })
	stays.Blocks("the queue is empty")
	ctx, cancel := context.WithCancelCause(context.Background())
	ends := l.Call("Get() whose context ends: what wakes it, and is the error both ErrEmpty and the context's cause (context.Cause)?", func() error { return both(get(ctx), joinable.ErrEmpty, errBell) })
	ends.Blocks("the queue is empty: and is its context looked at again and again?")
	ends.Interrupt(2)
	ends.Blocks("signals have come, and the queue is empty")
	cancel(errBell)
	ends.ReturnsSoon(nil)
	stays.Blocks("the contexts of others have ended, and not its own")
	far, cancelFar := context.WithTimeout(context.Background(), time.Hour)
	cancelled := l.Call("Get() whose context is cancelled long before its deadline: is the deadline all that it waits for?", func() error { return both(get(far), joinable.ErrEmpty, context.Canceled) })
	cancelled.Blocks("the queue is empty")
	cancelFar()
	cancelled.ReturnsSoon(nil)
	before := descriptors(l)
	for range 5 {
		short, stop := context.WithTimeout(context.Background(), soon/10)
		again := l.Call("Get() with a deadline", func() error { return both(get(short), joinable.ErrEmpty, context.DeadlineExceeded) })
		again.Returns(nil)
		stop()
	}
	require.Equal(l, before, descriptors(l), "descriptors of this process, after five calls of Get() have ended with their contexts")

	deadline, stop := context.WithTimeout(context.Background(), soon)
	defer stop()
	late := l.Call("Get() with a deadline", func() error { return both(get(deadline), joinable.ErrEmpty, context.DeadlineExceeded) })
	late.Returns(nil)

	put(l, q, "1")
	stays.ReturnsSoon(nil)
	put(l, q, "2", "3")
	early := l.Call("Get() whose context has ended before, while there are items: it takes nothing", func() error { return both(get(ended(errBell)), joinable.ErrEmpty, errBell) })
	early.ReturnsSoon(nil)
	_, err = q.GetInto(ended(errBell), make([]byte, 9))
	require.NoError(l, both(err, joinable.ErrEmpty, errBell), "GetInto() whose context has ended before")
	require.Equal(l, 2, length(l, q), "Len() of a queue with two items, after Get() with a context that had ended")
	take(l, q, "2", "3")

	endsAfterTheCall(l, "Get()")
	endsWhileItReturns(l)

	// The context ends between any two calls of a process that is about to sleep.
	calls := l.Calls()
	waiter := l.Start(heldUntilItsContext, handed(q, calls.HandOver())...)
	calls.Of(waiter)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		isHeld = calls.Hold(try)
		endsContext(l, waiter)
		calls.Go()
		calls.Reports("ended", "Get() whose context ends while it is about to wait: is there a moment between the look at the context and the sleep in which its end is not seen?")
	}
	waiter.Kill()

	// And while it is about to take an item: it takes it, or the item stays.
	calls = l.Calls()
	taker := l.Start(heldUntilItsContext, handed(q, calls.HandOver())...)
	calls.Of(taker)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		put(l, q, "an item")
		isHeld = calls.Hold(try)
		endsContext(l, taker)
		calls.Go()
		if got := reported[string](taker); got == "ended" {
			require.Equal(l, 1, length(l, q), "Len() of a queue with one item, after Get() whose context has ended, %s: is the item lost?", calls)
			take(l, q, "an item")
		} else {
			require.Equal(l, "an item", got, "Get() whose context ends while it takes an item")
			require.Zero(l, length(l, q), "Len() after Get() has taken the only item")
		}
	}
	taker.Kill()
}

// endsContext ends the context of a call that another process is in.
func endsContext(l *lab.Lab, p *lab.Process) {
	p.Go()
	require.Equal(l, "its context has ended", reported[string](p), "what a process says when it has cancelled the context of its call")
}

// untilItsContext is for a process that is held. Each time it makes a call with a context, ends
// that at the test's word, and reports what the call has returned.
func untilItsContext(c *lab.Child, call func(ctx context.Context) any) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for range mostCalls {
		c.Wait()
		ctx, cancel := context.WithCancelCause(context.Background())
		result := make(chan any, 1)
		go func() { result <- call(ctx) }()
		c.Wait()
		cancel(errBell)
		c.Report("its context has ended")
		switch r := (<-result).(type) {
		case error:
			return r
		default:
			c.Report(r)
		}
	}
	return nil
}

var heldUntilItsContext = lab.NewRole("consumer whose context ends and that is held", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	return untilItsContext(c, func(ctx context.Context) any {
		item, err := q.Get(ctx)
		if err == nil {
			return string(item)
		}
		if err := both(err, joinable.ErrEmpty, errBell); err != nil {
			return fmt.Errorf("Get() whose context ends: %w", err)
		}
		return "ended"
	})
})

// Step 4: an end marker ends one consumer, and to the queue it is an item like any other.
func TestMarkerEndsOneConsumer(t *testing.T) {
	l := lab.New(t)
	q := queue(l, 10, 20)
	first := l.Start(takes, handed(q)...)
	first.Blocks("the queue is empty, and nobody says that no more will come")
	producer := l.Start(puts, handed(q, lab.Tell("name", "one"), lab.Tell("times", "5"))...)
	require.NoError(l, producer.Wait(), "the producer")
	first.Blocks("the producer has ended, and its consumer does not know")
	put(l, q, marker)
	require.Equal(l, all("one", 5), reported[[]string](first), "what the consumer took before the marker")
	require.NoError(l, first.Wait(), "the consumer, after the marker")

	// It is taken once. The bug of this stage: two consumers, and one marker.
	second, third := l.Start(takes, handed(q)...), l.Start(takes, handed(q)...)
	second.Blocks("the queue is empty: did it find the marker that another one has taken?")
	third.Blocks("the queue is empty: did it find the marker that another one has taken?")
	put(l, q, marker)
	second.Rests()
	require.Zero(l, length(l, q), "Len() after one marker was put for two consumers: one of them has taken it")
	put(l, q, marker)
	require.Empty(l, reported[[]string](second), "what the second consumer took")
	require.Empty(l, reported[[]string](third), "what the third consumer took")
	require.NoError(l, second.Wait(), "the second consumer")
	require.NoError(l, third.Wait(), "the third consumer")
	require.Zero(l, length(l, q), "Len() after two markers for two consumers: did one marker end both?")

	// Who takes a marker slowly is no reason for another one to find it, too.
	narrow := queue(l, 7, 20)
	put(l, narrow, marker, "behind it")
	calls := l.Calls()
	slow := l.Start(heldTaker, handed(narrow, calls.HandOver())...)
	calls.Of(slow)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		isHeld = calls.Hold(try)
		var got string
		quick := l.Call("Get() while another process takes a marker slowly", func() error { item, err := narrow.Get(forever); got = string(item); return err })
		quick.Rests()
		calls.Go()
		quick.ReturnsSoon(nil)
		slowly := reported[string](slow)
		exactlyOnce(l, []string{marker, "behind it"}, []string{got, slowly}, "is there a moment between the look at an item and its taking away in which another process takes the same one?")
		put(l, narrow, marker, "behind it")
	}
	slow.Kill()
	take(l, narrow, marker, "behind it")

	// What ends a consumer is up to those who use the queue.
	put(l, q, "", "EOF", "\x00", "\n")
	take(l, q, "", "EOF", "\x00", "\n")
	_, err := q.TryGet()
	require.ErrorIs(l, err, joinable.ErrEmpty, "TryGet() after items that some take for an end")
}
