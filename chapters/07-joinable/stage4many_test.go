package joinable_test

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// The fourth stage. In the third one there is one producer. With several of them the first that
// puts markers ends consumers that others still need.

// Step 6: many producers and many consumers: each item is taken once, and those of one producer
// in its order.
func TestManyProducersManyConsumers(t *testing.T) {
	l := lab.New(t)
	q := queue(l, 10, 200)
	// Another one puts between any two calls of a producer. Both have inherited the same
	// descriptors. A consumer waits: so there is something to tell.
	calls := l.Calls()
	held := l.Start(heldPutter, handed(q, calls.HandOver())...)
	calls.Of(held)
	other, waiter := l.Start(putsWhenTold, handed(q)...), l.Start(takesAll, handed(q)...)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		waiter.Blocks("the queue is empty")
		isHeld = calls.Hold(try)
		other.Go()
		other.Rests()
		calls.Go()
		want := []string{reported[string](held), reported[string](other)}
		waiter.Rests()
		require.Zero(l, length(l, q), "Len() while a consumer sleeps")
		put(l, q, "behind them")
		got := []string{reported[string](waiter), reported[string](waiter)}
		exactlyOnce(l, want, got, "another producer came while one was "+calls.String()+". Is a place in the queue looked for, and taken later?")
		require.Equal(l, "behind them", reported[string](waiter), "the item that was put behind them")
	}
	held.Kill()
	other.Kill()
	waiter.Kill()

	const items = 150
	names := []string{"Ada", "Bob", "Eve"}
	q = queue(l, len(names)*(items+1), 200) // a Put that waits while others take is the next step's
	var consumers, producers []*lab.Process
	for range 3 {
		consumers = append(consumers, l.Start(takes, handed(q)...))
	}
	var want []string
	for _, name := range names {
		producers = append(producers, l.Start(puts, handed(q, lab.Tell("name", name), lab.Tell("times", fmt.Sprint(items)))...))
		want = append(want, all(name, items)...)
	}
	for _, p := range producers {
		require.NoError(l, p.Wait(), "a producer of three")
	}
	for range consumers {
		require.NoError(l, q.Put(forever, []byte(marker)), "Put() of a marker, when all producers have ended")
	}
	var got []string
	for i, p := range consumers {
		part := reported[[]string](p)
		inOrder(l, part, fmt.Sprintf("consumer %d", i+1))
		got = append(got, part...)
		require.NoError(l, p.Wait(), "consumer %d", i+1)
	}
	exactlyOnce(l, want, got, "three producers put them")
	require.Zero(l, length(l, q), "Len() when all is taken")
}

var heldPutter = lab.NewRole("producer that is held", func(c *lab.Child) error {
	q, err := attachedInSight(c)
	if err != nil {
		return err
	}
	for n := range mostCalls {
		c.Wait()
		item := fmt.Sprint("held ", n)
		if err := q.Put(forever, []byte(item)); err != nil {
			return fmt.Errorf("Put(): %w", err)
		}
		c.Report(item)
	}
	return nil
})

var putsWhenTold = lab.NewRole("another producer", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	for n := range mostCalls {
		c.Wait()
		item := fmt.Sprint("other ", n)
		if err := q.Put(forever, []byte(item)); err != nil {
			return fmt.Errorf("Put(): %w", err)
		}
		c.Report(item)
	}
	return nil
})

// Step 7: the bound holds: a Put into a full queue sleeps until there is room, or until its
// context ends.
func TestPutWaitsWhileFull(t *testing.T) {
	l := lab.New(t)
	q := queue(l, 3, 20)
	for n := range 3 {
		require.Equal(l, n, length(l, q), "Len() after %d items were put", n)
		put(l, q, fmt.Sprint(n))
	}
	require.ErrorIs(l, q.TryPut([]byte("4")), joinable.ErrFull, "TryPut() of item 4, with a bound of 3")
	require.Equal(l, 3, length(l, q), "Len() of a full queue, after TryPut()")
	puts := func(ctx context.Context) error { return q.Put(ctx, []byte("waited")) }
	call := l.Call("Put() into a full queue", func() error { return puts(forever) })
	call.Blocks("the queue is full: does it look again and again?")
	call.Interrupt(3)
	call.Blocks("signals have come, and the queue is full")
	ctx, cancel := context.WithCancelCause(context.Background())
	ends := l.Call("Put() whose context ends: what wakes it, and is the error both ErrFull and the context's cause (context.Cause)?", func() error { return both(puts(ctx), joinable.ErrFull, errBell) })
	ends.Blocks("the queue is full")
	cancel(errBell)
	ends.ReturnsSoon(nil)
	deadline, stop := context.WithTimeout(context.Background(), soon)
	defer stop()
	late := l.Call("Put() with a deadline", func() error { return both(puts(deadline), joinable.ErrFull, context.DeadlineExceeded) })
	late.Returns(nil)
	far, cancelFar := context.WithTimeout(context.Background(), time.Hour)
	cancelled := l.Call("Put() whose context is cancelled long before its deadline: is the deadline all that it waits for?", func() error { return both(puts(far), joinable.ErrFull, context.Canceled) })
	cancelled.Blocks("the queue is full")
	cancelFar()
	cancelled.ReturnsSoon(nil)
	call.Blocks("the contexts of others have ended, and not its own")
	require.NoError(l, l.Start(takesOne, handed(q)...).Wait(), "a process that takes one of a full queue")
	call.ReturnsSoon(nil)
	take(l, q, "1", "2", "waited")
	endsAfterTheCall(l, "Put()")
	require.Zero(l, length(l, q), "Len() of a queue that is empty")
	before := l.Call("Put() whose context has ended before, while there is room: it puts nothing", func() error { return both(puts(ended(errBell)), joinable.ErrFull, errBell) })
	before.ReturnsSoon(nil)
	require.Zero(l, length(l, q), "Len() after Put() with a context that had ended")

	// A Get comes between any two calls of who is about to sleep.
	narrow := queue(l, 1, 20)
	put(l, narrow, "0")
	calls := l.Calls()
	waiter := l.Start(heldPutter, handed(narrow, calls.HandOver())...)
	calls.Of(waiter)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		isHeld = calls.Hold(try)
		during := l.Call("Get() while another process is about to wait", func() error { _, err := narrow.Get(forever); return err })
		during.Rests()
		calls.Go()
		during.ReturnsSoon(nil)
		calls.Reports(fmt.Sprint("held ", try), "Put() while another process takes: is there a moment between the look at the queue and the sleep in which a Get is not seen?")
	}
	waiter.Kill()

	// The context ends between any two calls of who puts: it has put the item, or returns an error
	// and has not. And so it does of who is about to sleep.
	for _, room := range []int{1, 0} {
		q := queue(l, 2, 20)
		put(l, q, []string{"first", "second"}[room:]...)
		before := length(l, q)
		calls := l.Calls()
		putter := l.Start(heldPutterUntilItsContext, handed(q, calls.HandOver())...)
		calls.Of(putter)
		for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
			isHeld = calls.Hold(try)
			endsContext(l, putter)
			calls.Go()
			if room == 0 {
				calls.Reports("ended", "Put() whose context ends while it is about to wait: is there a moment between the look at the context and the sleep in which its end is not seen?")
				continue
			}
			if got := reported[string](putter); got == "ended" {
				require.Equal(l, before, length(l, q), "Len() after Put() has returned ErrFull, since its context has ended, %s: has it put the item all the same?", calls)
				continue
			}
			take(l, q, "second", "an item")
			put(l, q, "second")
		}
		putter.Kill()
	}

	// With a bound of 1 all of it is full or empty, each time.
	one := queue(l, 1, 300)
	producer := l.Start(putsSome, handed(one)...)
	consumer := l.Start(takesSome, handed(one)...)
	require.NoError(l, producer.Wait(), "the producer, with a bound of 1")
	require.NoError(l, consumer.Wait(), "the consumer, with a bound of 1")

	// Several wait, and each gets on.
	put(l, one, "0")
	var waiters []*lab.Call
	for n := range 3 {
		waiters = append(waiters, l.Call("Put() into a full queue, of several that wait", func() error { return one.Put(forever, []byte(fmt.Sprint(n))) }))
	}
	waiters[0].Blocks("the queue is full")
	var got []string
	for range 4 {
		item, err := one.Get(forever)
		require.NoError(l, err, "Get()")
		got = append(got, string(item))
	}
	for _, w := range waiters {
		w.ReturnsSoon(nil)
	}
	exactlyOnce(l, []string{"0", "1", "2"}, got[1:], "three waited for room")
}

var heldPutterUntilItsContext = lab.NewRole("producer whose context ends and that is held", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	return untilItsContext(c, func(ctx context.Context) any {
		err := q.Put(ctx, []byte("an item"))
		if err == nil {
			return "put"
		}
		if err := both(err, joinable.ErrFull, errBell); err != nil {
			return fmt.Errorf("Put() whose context ends: %w", err)
		}
		return "ended"
	})
})

// Step 8: what cannot be put is refused, and the queue lives.
func TestRefusesWhatCannotBePut(t *testing.T) {
	l := lab.New(t)
	for _, bad := range []struct{ bound, maxItem int }{
		{0, 10}, {-1, 10}, {math.MinInt, 10}, {joinable.MaxBound + 1, 10}, {math.MaxInt, 10}, {1<<32 + 1, 10},
		{10, 0}, {10, -1}, {10, math.MinInt}, {10, joinable.MaxItem + 1}, {10, math.MaxInt}, {10, 1<<32 + 1},
		{joinable.MaxMemory/joinable.MaxItem + 1, joinable.MaxItem}, {math.MaxInt, math.MaxInt}, {joinable.MaxBound, joinable.MaxMemory/joinable.MaxBound + 1},
	} {
		q, err := joinable.Create(bad.bound, bad.maxItem)
		require.Nil(l, q, "the Queue of Create(%d, %d), which cannot be", bad.bound, bad.maxItem)
		require.ErrorIs(l, err, unix.EINVAL, "Create(%d, %d)", bad.bound, bad.maxItem)
	}
	_, err := joinable.Create(joinable.MaxBound, joinable.MaxMemory/joinable.MaxBound+1)
	require.ErrorContains(l, err, fmt.Sprint(joinable.MaxMemory), "Create() of a queue whose items need more than MaxMemory together, and neither number is above its own limit: the limit that does not hold, in the text")
	large := queue(l, joinable.MaxBound, joinable.MaxMemory/joinable.MaxBound)
	var stat unix.Stat_t
	require.NoError(l, unix.Fstat(int(l.File(large.Files()[0]).Fd()), &stat), "fstat() of the memory")
	require.Less(l, 512*stat.Blocks, stat.Size/4, "how many bytes of the memory are taken from the machine, of a queue into which nothing was put: is all of it written to, or asked for by fallocate()?")
	require.NoError(l, large.Close(), "Close() of a queue of MaxBound items")
	require.NoError(l, queue(l, joinable.MaxMemory/joinable.MaxItem, joinable.MaxItem).Close(), "Close() of a queue with the largest items")

	for _, largest := range []int{1, 7, 8, 9, 4095, 4096, 65536, 100_001} {
		q := queue(l, 2, largest)
		first, second := pattern(largest), pattern(largest + 1)[1:]
		require.NoError(l, q.TryPut(first), "TryPut() of %d bytes, the largest size", largest)
		for _, put := range []struct {
			what string
			does func(p []byte) error
		}{{"TryPut", q.TryPut}, {"Put", func(p []byte) error { return q.Put(forever, p) }}} {
			err := put.does(make([]byte, largest+1))
			require.ErrorIs(l, err, unix.EMSGSIZE, "%s() of one byte more than the largest item, which has %d", put.what, largest)
			require.Subset(l, lab.Numbers(err), []int{largest, largest + 1}, "the numbers in the text of %s() of an item that is too large: the limit, and its size", put.what)
			require.ErrorIs(l, put.does(nil), unix.EINVAL, "%s() of nil: it is refused, since a nil slice is the mark of a mistake; an empty item is another thing", put.what)
			require.Equal(l, 1, length(l, q), "Len() after %s() was refused", put.what)
		}
		require.ErrorIs(l, q.Put(ended(errBell), nil), unix.EINVAL, "Put() of nil with a context that has ended: what can never be comes first")
		require.NoError(l, q.TryPut(second), "TryPut() after one was refused")
		require.ErrorIs(l, q.TryPut(make([]byte, largest+1)), unix.EMSGSIZE, "TryPut() of too large an item into a full queue: to wait would not help")
		for _, want := range [][]byte{first, second} {
			got, err := q.TryGet()
			require.NoError(l, err, "TryGet()")
			l.SameBytes(want, got, "TryGet() of one of two items of %d bytes, the largest size: is there a whole place for each?", largest)
		}
		require.NoError(l, q.Close(), "Close()")
	}
}

// Step 9: items of every size arrive whole, and no size makes anybody wait: a producer
// puts them and ends, though nobody has taken one yet.
func TestNoSizeMakesAnybodyWait(t *testing.T) {
	l := lab.New(t)
	q := queue(l, 8, 1<<20)
	sizes := []int{1 << 20, 0, 1<<16 - 1, 1 << 16, 1<<16 + 1, 300_001, 1, 1<<20 - 1}
	producer := l.Start(putsSizes, handed(q, lab.Tell("sizes", fmt.Sprint(sizes)))...)
	ends := l.Call("a producer that puts up to the bound and ends: from 64 KiB on a pipe would be full", producer.Wait)
	ends.ReturnsSoon(nil)
	require.Equal(l, len(sizes), length(l, q), "Len() when the producer has ended, and nobody has taken anything")
	for _, size := range sizes {
		item, err := q.TryGet()
		require.NoError(l, err, "TryGet() of an item of %d bytes, whose producer has ended", size)
		l.SameBytes(pattern(size), item, "TryGet() of an item of %d bytes", size)
	}

	// Sizes mixed, through a queue that is nearly always full.
	random := l.Rand("sizes")
	mixed := []int{}
	for range 40 {
		mixed = append(mixed, random.IntN(1<<(4+random.IntN(15))))
	}
	again := l.Start(putsSizes, handed(q, lab.Tell("sizes", fmt.Sprint(mixed)))...)
	buf := make([]byte, 0, 5000)
	for n, size := range mixed {
		item, err := q.GetInto(forever, buf)
		require.NoError(l, err, "GetInto() of item %d", n)
		l.SameBytes(pattern(size), item, "GetInto() of item %d, of %d bytes", n, size)
	}
	require.NoError(l, again.Wait(), "the producer of items of every size")
}

var putsSizes = lab.NewRole("producer of every size", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	for n, word := range strings.Fields(strings.Trim(c.Text("sizes"), "[]")) {
		size, err := strconv.Atoi(word)
		if err != nil {
			return err
		}
		if err := q.Put(forever, pattern(size)); err != nil {
			return fmt.Errorf("Put() of item %d, of %d bytes: %w", n, size, err)
		}
	}
	return nil
})
