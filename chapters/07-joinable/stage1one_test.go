package joinable_test

import (
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// The first stage: one process puts, another one takes.

// Step 1: items that one process puts arrive in another one, whole and in order.
func TestItemsArriveInOrder(t *testing.T) {
	l := lab.New(t)
	l.RefusesCalls()
	q := queue(l, 5, 300)
	require.NoError(l, l.Start(makesWithFlags).Wait(), "a process that makes a queue, and whose calls fail that would make a descriptor close-on-exec afterwards")
	files := q.Files()
	require.NotEmpty(l, files, "Files(): they are what another process needs")
	l.MustBe("the first one of Files()", files[0], lab.Memfd)
	for i, f := range files {
		require.Equal(l, "close-on-exec", l.OnExec(f), "file %d of Files(): else every program that is started inherits it", i)
	}
	info, err := l.File(files[0]).Stat()
	require.NoError(l, err, "fstat() of the memory")
	require.Equal(l, header(5, 300, info.Size()), headerOf(l, files[0]), "the header of the memory, byte by byte")
	seals, err := unix.FcntlInt(l.File(files[0]).Fd(), unix.F_GET_SEALS, 0)
	require.NoError(l, err, "F_GET_SEALS of the memory: was it made with MFD_ALLOW_SEALING?")
	require.Equal(l, allSeals, seals&allSeals, "the seals of the memory: without them somebody may cut it, and who touches it gets SIGBUS")

	// What is handed out is the caller's.
	put(l, q, "first", "second", "other", "")
	first, err := q.Get(forever)
	require.NoError(l, err, "Get()")
	for i := range first[:cap(first)] {
		first[:cap(first)][i] = 'x'
	}
	second, err := q.Get(forever)
	require.NoError(l, err, "Get()")
	require.Equal(l, "second", string(second), "Get() after the memory of the item before it was written to, as far as its capacity goes")
	other, err := q.Get(forever)
	require.NoError(l, err, "Get()")
	require.Equal(l, "second other", string(second)+" "+string(other), "two items, when both were taken: is the memory used again?")
	empty, err := q.Get(forever)
	require.NoError(l, err, "Get() of an empty item")
	require.NotNil(l, empty, "Get() of an empty item: nil is for an error")
	require.Empty(l, empty, "Get() of an empty item")
	require.Equal(l, "second", string(second), "an item, after the next one was taken: is its memory used again?")
	put(l, q, "third", "")
	room := make([]byte, 1, 6)
	into, err := q.GetInto(forever, room)
	require.NoError(l, err, "GetInto()")
	require.Equal(l, "third", string(into), "GetInto() into a slice with a length of 1 and a capacity of 6")
	require.Same(l, &room[0], &into[0], "GetInto(): the caller's memory, from its first byte on")
	require.Equal(l, 6, cap(into), "the capacity of what GetInto() returns: that of the caller's memory")
	into, err = q.GetInto(forever, room)
	require.NoError(l, err, "GetInto() of an empty item")
	require.NotNil(l, into, "GetInto() of an empty item")
	require.Empty(l, into, "GetInto() of an empty item")
	require.Equal(l, 6, cap(into), "the capacity of what GetInto() returns for an empty item: else the caller has lost its memory")
	put(l, q, "sixth", "")
	unused := make([]byte, 0, 64)
	for _, want := range []string{"sixth", ""} {
		into, err = q.GetInto(forever, unused)
		require.NoError(l, err, "GetInto()")
		require.Equal(l, want, string(into), "GetInto() into a slice with a length of 0 and a capacity of 64")
		require.Equal(l, 64, cap(into), "the capacity of what GetInto() returns, of an item of %d bytes and a slice with a length of 0 and a capacity of 64: it is the caller's memory. Is the slice's length looked at, or its capacity?", len(want))
		require.Same(l, &unused[:1][0], &into[:1][0], "GetInto() into a slice with a length of 0 and a capacity of 64: the caller's memory, from its first byte on")
	}
	put(l, q, "in the place of the second one", "")
	take(l, q, "in the place of the second one")
	nothing, err := q.GetInto(forever, nil)
	require.NoError(l, err, "GetInto() of an empty item, without memory")
	require.NotNil(l, nothing, "GetInto() of an empty item, without memory: nil is for an error")
	put(l, q, "four", "fifth item")
	copy(room[:6], "......")
	into, err = q.GetInto(forever, room)
	require.NoError(l, err, "GetInto()")
	require.Equal(l, "four", string(into), "GetInto()")
	require.Equal(l, "four..", string(room[:6]), "the caller's memory after GetInto() of 4 bytes: what is behind them")
	into, err = q.GetInto(forever, room)
	require.NoError(l, err, "GetInto() of an item that is longer than the caller's memory")
	require.Equal(l, "fifth item", string(into), "GetInto() of an item that is longer than the caller's memory: it is new memory then")
	require.Equal(l, "four..", string(room[:6]), "the caller's memory after GetInto() of an item that does not fit")
	put(l, q, "it fits", "one more")
	exact := make([]byte, 7)
	into, err = q.GetInto(forever, exact)
	require.NoError(l, err, "GetInto() of an item of exactly cap(buf) bytes")
	require.Equal(l, "it fits", string(into), "GetInto() of an item of exactly cap(buf) bytes")
	require.Same(l, &exact[0], &into[0], "GetInto() of an item of exactly cap(buf) bytes: it is put into the caller's memory")
	into, err = q.GetInto(forever, exact)
	require.NoError(l, err, "GetInto() of an item of cap(buf)+1 bytes")
	require.Equal(l, "one more", string(into), "GetInto() of an item of cap(buf)+1 bytes")
	require.Equal(l, "it fits", string(exact), "the caller's memory after GetInto() of an item of cap(buf)+1 bytes")
	put(l, q, "later")
	take(l, q, "later")
	require.Equal(l, "it fits", string(exact), "the caller's memory that GetInto() was given, after a later TryGet(): does the Queue keep it?")
	require.Equal(l, "second", string(second), "an item, after its place in the queue was used again: is it a copy?")

	// From another process, and to another one. One after the other: nobody waits in this step.
	wide := queue(l, some, 300)
	require.NoError(l, l.Start(putsSome, handed(wide)...).Wait(), "the producer, in another process")
	for n := range some {
		item, err := wide.Get(forever)
		require.NoError(l, err, "Get() of item %d, from another process", n)
		l.SameBytes(numbered("some", n, 7*n), item, "Get() of item %d", n)
	}
	buf := make([]byte, 300)
	for n := range some {
		item := append(buf[:0], numbered("some", n, 7*n)...)
		require.NoError(l, wide.Put(forever, item), "Put() of item %d", n)
		for i := range item {
			item[i] = 0xee
		}
	}
	require.NoError(l, l.Start(takesSome, handed(wide)...).Wait(), "the consumer, in another process, when Put()'s memory was written to after it had returned")
	sharer := l.Start(waitsAttached, handed(q)...)
	sharer.Report(new(bool))
	l.MustShare(lab.SharedMapping, sharer)
	sharer.Exit()
}

// makesWithFlags makes a queue whose descriptors have to be close-on-exec from their first moment.
var makesWithFlags = lab.NewRole("maker that cannot set flags", func(c *lab.Child) error {
	if err := c.RefuseCloseOnExec(); err != nil {
		return err
	}
	before, err := inherited()
	if err != nil {
		return err
	}
	q, err := joinable.Create(5, 300)
	if err != nil {
		return fmt.Errorf("Create(): %w", err)
	}
	for i, f := range q.Files() {
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0)
		if err != nil {
			return err
		}
		if flags&unix.FD_CLOEXEC == 0 {
			return fmt.Errorf("file %d of Files() is not close-on-exec from its first moment: a program that another goroutine starts just then inherits it", i)
		}
	}
	if err := asBefore(before, "Create()"); err != nil {
		return err
	}
	return q.Close()
})

// some is how many items putsSome puts, and takesSome takes.
const some = 40

var putsSome = lab.NewRole("producer of some", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	for n := range some {
		if err := q.Put(forever, numbered("some", n, 7*n)); err != nil {
			return fmt.Errorf("Put() of item %d: %w", n, err)
		}
	}
	return nil
})

var takesSome = lab.NewRole("consumer of some", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	for n := range some {
		item, err := q.Get(forever)
		if err != nil {
			return fmt.Errorf("Get() of item %d: %w", n, err)
		}
		if want := numbered("some", n, 7*n); string(item) != string(want) {
			return fmt.Errorf("Get() of item %d is not what was put: %s", n, lab.Difference(want, item))
		}
	}
	return nil
})

// waitsAttached attaches, and waits until the test is over.
var waitsAttached = lab.NewRole("process that is attached", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	c.Report(true)
	c.Wait()
	return q.Close()
})

// Step 2: a process that takes from an empty queue sleeps, one Put wakes one, and no Put is lost between a
// look and the sleep.
func TestGetWaitsAsleep(t *testing.T) {
	l := lab.New(t)
	q := queue(l, 5, 20)
	for _, f := range q.Files() {
		// As File.Fd does, and so exec.Cmd with its ExtraFiles: the flag is everybody's.
		require.NoError(l, unix.SetNonblock(int(l.File(f).Fd()), false), "taking O_NONBLOCK away")
	}
	var got []byte
	call := l.Call("Get() of an empty queue", func() (err error) { got, err = q.Get(forever); return err })
	call.Blocks("the queue is empty: does it look again and again?")
	call.Interrupt(3)
	call.Blocks("signals have come, and the queue is empty")
	require.NoError(l, l.Start(puts, handed(q, lab.Tell("name", "one"), lab.Tell("times", "1"))...).Wait(), "a producer")
	call.Returns(nil)
	require.Equal(l, "one 0 ", string(got), "Get() that has waited")

	var consumers []*lab.Process
	for range 3 {
		p := l.Start(takesOne, handed(q)...)
		p.Blocks("the queue is empty", lab.SleepsUntilWoken(p))
		consumers = append(consumers, p)
	}
	put(l, q, "1")
	consumers[0].Rests()
	require.Zero(l, length(l, q), "Len() after one Put() while three wait: does somebody who waits get it?")
	put(l, q, "2", "3")
	var taken []string
	for _, p := range consumers {
		taken = append(taken, reported[string](p))
		require.NoError(l, p.Wait(), "a consumer that waited")
	}
	exactlyOnce(l, []string{"1", "2", "3"}, taken, "three consumers waited, and each gets one")

	// A Put comes between any two calls of a process that is about to sleep.
	calls := l.Calls()
	waiter := l.Start(heldTaker, handed(q, calls.HandOver())...)
	calls.Of(waiter)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		isHeld = calls.Hold(try)
		item := strconv.Itoa(try)
		during := l.Call("Put() while another process is about to wait", func() error { return q.Put(forever, []byte(item)) })
		during.SleepsOrReturns("the one that is held may have the lock")
		calls.Go()
		during.ReturnsSoon(nil)
		calls.Reports(item, "Get() while another process puts: is there a moment between the look at the queue and the sleep in which a Put is not seen?")
	}
	waiter.Kill()
}

var takesOne = lab.NewRole("consumer of one item", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	item, err := q.Get(forever)
	if err != nil {
		return fmt.Errorf("Get(): %w", err)
	}
	c.Report(string(item))
	return errors.Join(q.TaskDone(), q.Close())
})

var heldTaker = lab.NewRole("consumer that is held", func(c *lab.Child) error {
	q, err := attachedInSight(c)
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
