package joinable_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/lab"
)

// The third stage. In the second one a marker ends one consumer, and there are several.

// Step 5: one producer and several consumers: each item goes to one of them. The markers, one
// for each, are put when the producer has ended.
func TestEachItemGoesToOneConsumer(t *testing.T) {
	l := lab.New(t)
	// Another one takes between any two calls of a consumer. Both have inherited the same
	// descriptors. The queue is full, and a producer was killed that waited for room: so there is
	// something to tell, and nobody who hears it.
	narrow := queue(l, 2, 200)
	calls := l.Calls()
	held := l.Start(heldTaker, handed(narrow, calls.HandOver())...)
	calls.Of(held)
	other := l.Start(takesWhenTold, handed(narrow)...)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		items := []string{fmt.Sprint("first ", try), fmt.Sprint("second ", try)}
		put(l, narrow, items...)
		waiter := l.Start(putsWhenTold, handed(narrow)...)
		waiter.Go()
		waiter.Blocks("the queue is full")
		waiter.Kill()
		isHeld = calls.Hold(try)
		other.Go()
		other.Rests()
		calls.Go()
		both := []string{reported[string](held), reported[string](other)}
		exactlyOnce(l, items, both, "another consumer came while one was "+calls.String()+". Who inherits a descriptor shares it, and also a lock that belongs to it")
	}
	held.Kill()
	other.Kill()

	// There is room for all, and for the markers: a Put that waits while others take is step 7's.
	const items = 300
	q := queue(l, items+3, 200)
	var consumers []*lab.Process
	for range 3 {
		consumers = append(consumers, l.Start(takes, handed(q)...))
	}
	producer := l.Start(puts, handed(q, lab.Tell("name", "one"), lab.Tell("times", fmt.Sprint(items)))...)
	require.NoError(l, producer.Wait(), "the producer")
	for range consumers {
		require.NoError(l, q.Put(forever, []byte(marker)), "Put() of a marker, when the producer has ended")
	}
	var got []string
	for i, p := range consumers {
		part := reported[[]string](p)
		inOrder(l, part, fmt.Sprintf("consumer %d", i+1))
		got = append(got, part...)
		require.NoError(l, p.Wait(), "consumer %d", i+1)
	}
	exactlyOnce(l, all("one", items), got, "three consumers took them")
	require.Zero(l, length(l, q), "Len() after three markers for three consumers")

	// Goroutines of one process are several consumers as well.
	threads := l.Start(takesInTwo, handed(q)...)
	for n := range items {
		require.NoError(l, q.Put(forever, numbered("two", n, 0)), "Put() of item %d", n)
	}
	for range 2 {
		require.NoError(l, q.Put(forever, []byte(marker)), "Put() of a marker")
	}
	exactlyOnce(l, all("two", items), reported[[]string](threads), "two goroutines of one process took them")
	require.NoError(l, threads.Wait(), "the consumer with two goroutines")
}

var takesWhenTold = lab.NewRole("another consumer", func(c *lab.Child) error {
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
	}
	return nil
})

var takesInTwo = lab.NewRole("consumer with two goroutines", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	type part struct {
		items []string
		err   error
	}
	parts := make(chan part)
	for range 2 {
		go func() {
			var p part
			for {
				item, err := q.Get(forever)
				if err != nil || string(item) == marker {
					p.err = err
					parts <- p
					return
				}
				name, n, err := numberOf(item)
				if err != nil {
					p.err = err
				}
				p.items = append(p.items, fmt.Sprintf("%s %d", name, n))
			}
		}()
	}
	first, second := <-parts, <-parts
	if err := first.err; err != nil {
		return fmt.Errorf("Get(): %w", err)
	}
	if err := second.err; err != nil {
		return fmt.Errorf("Get(): %w", err)
	}
	c.Report(append(first.items, second.items...))
	return q.Close()
})
