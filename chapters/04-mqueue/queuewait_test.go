package mqueue_test

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	mqueue "ipcworkbook/chapters/04-mqueue"
	"ipcworkbook/harness/lab"
)

const (
	// soon is less than the pause between the two looks at a step that may hang: something
	// always moves in it.
	soon = 60 * time.Millisecond
	far  = time.Hour
	// between is more than the pause between two signals, which come when nothing moves any
	// more: a wait that begins anew after each of them is not over when it should be.
	between = 200 * time.Millisecond
	// early is what the clocks of the kernel may differ by.
	early = 10 * time.Millisecond
)

// notBefore is the error of a call that ended with its deadline, or what is wrong.
func notBefore(deadline time.Time, err error) error {
	if left := time.Until(deadline); errors.Is(err, os.ErrDeadlineExceeded) && left > early {
		return fmt.Errorf("it returned %v before its deadline", left)
	}
	return err
}

// throughSignals asserts that a call keeps its deadline while signals interrupt it again
// and again, and others are made on the same queue. After the last signal nothing moves, and
// the deadline has passed.
func throughSignals(l *lab.Lab, what string, wait func(deadline time.Time) error, others ...func()) {
	deadline := time.Now().Add(between)
	var returned atomic.Bool
	call := l.Call(what+", interrupted again and again", func() error {
		defer returned.Store(true)
		return notBefore(deadline, wait(deadline))
	})
	for time.Now().Before(deadline) {
		for _, other := range others {
			other()
		}
		call.Interrupt(1)
	}
	call.Interrupt(1)
	require.True(l, returned.Load(), "%s has returned, when its deadline has passed and signals have interrupted it: does the wait begin anew each time? Or does another call on the same queue change its deadline?", what)
	call.Returns(os.ErrDeadlineExceeded)
}

// until is a call that has a deadline.
type until struct {
	what string
	f    func(deadline time.Time) error
}

func waitsUntil(full, empty *mqueue.Queue) []until {
	return []until{
		{"SendPriority() to a full queue", func(d time.Time) error { return full.SendPriority([]byte("x"), 0, d) }},
		{"RecvPriority() on an empty queue", func(d time.Time) error { _, _, err := empty.RecvPriority(nil, d); return err }},
	}
}

// Step 8: a deadline ends the wait: it is a point in time, and stays where it is when a
// signal interrupts the call.
func TestDeadlineEndsTheWait(t *testing.T) {
	l := lab.New(t)
	for _, mode := range []string{"opened", "blocking"} {
		full, fullName := queue(l, 1, 20)
		empty, emptyName := queue(l, 1, 20)
		if mode == "blocking" {
			full, empty = handedOver(l, fullName, 0), handedOver(l, emptyName, 0)
		}
		long := time.Now().Add(-far)
		require.NoError(l, full.SendPriority([]byte("full"), 3, long), "SendPriority() that need not wait, with a deadline that has passed: there is room, so it succeeds")
		for _, call := range waitsUntil(full, empty) {
			past := l.Call(call.what+", with a deadline that has passed", func() error { return call.f(long) })
			past.ReturnsSoon(os.ErrDeadlineExceeded)

			deadline := time.Now().Add(soon)
			ends := l.Call(call.what+": is the deadline a point in time for the kernel, and not a duration? In seconds and nanoseconds?", func() error { return notBefore(deadline, call.f(deadline)) })
			ends.Returns(os.ErrDeadlineExceeded)
			throughSignals(l, call.what, call.f, func() {
				// One goroutine may send on a queue while another one receives.
				if call.what[0] == 'R' {
					require.ErrorIs(l, empty.Send(pattern(21)), unix.EMSGSIZE, "Send() of a message that is too large, while RecvPriority() waits")
				}
			})
		}
		require.Equal(l, mqueue.Attr{MaxMessages: 1, MaxSize: 20, Messages: 1}, attrOf(l, full), "the full queue, after calls whose deadline has passed: was something sent all the same?")

		// One that is far away ends nothing, and neither does an old one.
		send := l.Call("Send() after a deadline has passed: does that still hold?", func() error { return full.Send([]byte("x")) })
		send.Blocks("the queue is full, and Send has no deadline")
		got, priority, err := full.RecvPriority(nil, long)
		require.NoError(l, err, "RecvPriority() that need not wait, with a deadline that has passed")
		require.Equal(l, "full", string(got), "RecvPriority() with a deadline that has passed")
		require.Equal(l, 3, priority, "RecvPriority() with a deadline that has passed")
		send.Returns(nil)

		recv := l.Call("Recv() after a deadline has passed: does that still hold?", func() error { return expect(empty, "hello") })
		recv.Blocks("the queue is empty, and Recv has no deadline")
		rawSend(l, empty, "hello", 0)
		recv.Returns(nil)

		// Neither does one of a call that need not wait for it any more.
		deadline := inTime(l, "RecvPriority()", func(d time.Time) error { _, _, err := empty.RecvPriority(nil, d); return err },
			func() { rawSend(l, empty, "in time", 0) })
		recv = l.Call("Recv() after one that had its message before its deadline: does that still hold?", func() error { return expect(empty, "hello") })
		stillBlocks(recv, deadline)
		rawSend(l, empty, "hello", 0)
		recv.Returns(nil)

		later := l.Call("RecvPriority() with a deadline in the year 2300: so many nanoseconds have no room in 64 bits", func() error { _, _, err := empty.RecvPriority(nil, ever); return err })
		later.Blocks("the deadline is in the year 2300")
		later.Interrupt(1)
		later.Blocks("a signal has come, and the deadline is in the year 2300")
		rawSend(l, empty, "hello", 0)
		later.Returns(nil)
	}
}

// handedOver opens a queue as another program may. Where mode is 0 it blocks, so that
// calls wait in the kernel.
func handedOver(l *lab.Lab, name string, mode int) *mqueue.Queue {
	f, err := rawOpen(name, unix.O_RDWR|mode, 0, 0, 0)
	require.NoError(l, err, "mq_open() of the test's own")
	q := mqueue.NewQueue(f)
	l.CloseAtEnd(q)
	return q
}

// ever is a deadline of which the nanoseconds since 1970 have no room in 64 bits.
var ever = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)

// inTime makes a call that waits, and that succeeds before its deadline since the test
// does what it waits for. Where the machine is too slow for that it has more time.
func inTime(l *lab.Lab, what string, wait func(deadline time.Time) error, does func()) (deadline time.Time) {
	for span := between; ; span *= 2 {
		deadline = time.Now().Add(span)
		late := false
		call := l.Call(what+" with a deadline, before which it succeeds", func() error {
			err := wait(deadline)
			late = errors.Is(err, os.ErrDeadlineExceeded)
			if late {
				err = notBefore(deadline, wait(time.Time{})) // what comes now
			}
			return err
		})
		call.Rests()
		does()
		call.Returns(nil)
		if !late {
			return deadline
		}
	}
}

// stillBlocks asserts that a call without a deadline waits when one of another call has
// passed.
func stillBlocks(call *lab.Call, deadline time.Time) {
	call.Blocks("it has no deadline")
	for time.Now().Before(deadline) {
		call.Blocks("it has no deadline, and that of another call has passed")
	}
	call.Blocks("it has no deadline, and that of another call has passed")
}

// Step 9: Ready waits for a message without polling, and takes none.
func TestReadyWaitsWithoutPolling(t *testing.T) {
	l := lab.New(t)
	for _, mode := range []string{"opened", "blocking"} {
		q, name := queue(l, 2, 20)
		mine := q
		if mode == "blocking" {
			mine = handedOver(l, name, 0)
		}
		ready := l.Call("Ready() on an empty queue", func() error { return mine.Ready(never) })
		ready.Blocks("the queue is empty: does it look again and again?")
		ready.Interrupt(1)
		ready.Blocks("a signal has come, and the queue is empty")
		rawSend(l, q, "hello", 0)
		ready.Returns(nil)
		require.Equal(l, 1, attrOf(l, q).Messages, "messages in the queue after Ready(): it takes none")
		rawReceive(l, q)

		ready = l.Call("Ready() on a queue that is empty again", func() error { return mine.Ready(never) })
		ready.Blocks("the message is gone, and no other one has come")
		first, second := l.Start(waitsForAMessage, lab.Tell("name", name)), l.Start(waitsForAMessage, lab.Tell("name", name))
		first.Blocks("the queue is empty")
		second.Blocks("the queue is empty: mq_notify(2) takes one process only")

		rawSend(l, q, "hello", 0)
		ready.Returns(nil)
		for _, p := range []*lab.Process{first, second} {
			var said string
			p.Report(&said)
			require.Equal(l, "a message is there", said, "Ready() in another process: all who wait are told")
		}
		require.Equal(l, 1, attrOf(l, q).Messages, "messages in the queue after three Ready()")
		there := l.Call("Ready() while a message is there", func() error { return mine.Ready(never) })
		there.ReturnsSoon(nil)
		there = l.Call("Ready() while a message is there, with a deadline that has passed", func() error { return mine.Ready(time.Now().Add(-far)) })
		there.ReturnsSoon(nil)
		require.NoError(l, expect(mine, "hello"), "Recv() after Ready()")

		again := l.Call("Ready() the second time", func() error { return mine.Ready(never) })
		again.Blocks("the message is gone, and no other one has come")
		send := l.Call("Send() while Ready() waits", func() error { return mine.Send([]byte("hello")) })
		send.ReturnsSoon(nil)
		again.Returns(nil)
		rawReceive(l, q)

		past := l.Call("Ready() on an empty queue, with a deadline that has passed", func() error { return mine.Ready(time.Now().Add(-far)) })
		past.ReturnsSoon(os.ErrDeadlineExceeded)
		throughSignals(l, "Ready()", mine.Ready)
		later := l.Call("Ready() after a deadline has passed: does that still hold?", func() error { return mine.Ready(never) })
		later.Blocks("the queue is empty, and there is no deadline")
		rawSend(l, q, "hello", 0)
		later.Returns(nil)
	}
}

var waitsForAMessage = lab.NewRole("worker", func(c *lab.Child) error {
	q, err := mqueue.Open(c.Text("name"), unix.O_RDONLY, 0, nil)
	if err != nil {
		return fmt.Errorf("Open(): %w", err)
	}
	if err := q.Ready(never); err != nil {
		return fmt.Errorf("Ready(): %w", err)
	}
	c.Report("a message is there")
	return q.Close()
})

// Step 10: Close wakes whoever waits, and leaves the queue where it is.
func TestCloseWakesWhoWaits(t *testing.T) {
	l := lab.New(t)
	for _, wait := range []struct {
		what string
		f    func(q *mqueue.Queue) error
	}{
		{"Recv()", func(q *mqueue.Queue) error { _, err := q.Recv(); return err }},
		{"RecvPriority() with a deadline", func(q *mqueue.Queue) error { _, _, err := q.RecvPriority(nil, time.Now().Add(far)); return err }},
		{"Ready()", func(q *mqueue.Queue) error { return q.Ready(never) }},
		{"Send()", func(q *mqueue.Queue) error { return q.Send([]byte("one more")) }},
		{"SendPriority() with a deadline", func(q *mqueue.Queue) error { return q.SendPriority([]byte("one more"), 1, time.Now().Add(far)) }},
	} {
		q, name := queue(l, 1, 20)
		if wait.what[0] == 'S' {
			require.NoError(l, q.Send([]byte("full")), "Send()")
		}
		waits := l.Call(wait.what+" on a queue that is closed meanwhile: Close wakes whom the poller lets wait, and nobody else. And the error is os.ErrClosed.", func() error { return wait.f(q) })
		waits.Blocks("nothing comes, or goes")
		number, waiting := numberOf(l, q), attrOf(l, q).Messages
		closes := l.Call("Close() while "+wait.what+" waits: does it wait for that call?", q.Close)
		closes.ReturnsSoon(nil)
		waits.ReturnsSoon(os.ErrClosed)

		// Afterwards the number may be another queue's.
		other, otherName := queue(l, 2, 20)
		if numberOf(l, other) != number {
			takeNumber(l, number, other)
		}
		require.NoError(l, other.Send([]byte("not yours")), "Send()")
		for _, call := range afterClose(q) {
			late := l.Call(call.what+" after Close(): is the descriptor's number still used?", call.f)
			late.ReturnsSoon(os.ErrClosed)
		}
		require.Error(l, q.Close(), "Close() the second time")
		require.Equal(l, 1, attrOf(l, again(l, otherName, unix.O_RDWR)).Messages, "messages of another queue, which has the number now")
		require.Equal(l, waiting, attrOf(l, again(l, name, unix.O_RDWR)).Messages, "messages in the queue after Close(): Close leaves the queue, and what is in it")
	}
	closedUnderAttr(l)
}

type namedCall struct {
	what string
	f    func() error
}

func afterClose(q *mqueue.Queue) []namedCall {
	return []namedCall{
		{"Send()", func() error { return q.Send([]byte("x")) }},
		{"SendPriority()", func() error { return q.SendPriority([]byte("x"), 1, never) }},
		{"TrySend()", func() error { return q.TrySend([]byte("x"), 1) }},
		{"Recv()", func() error { _, err := q.Recv(); return err }},
		{"RecvInto()", func() error { _, err := q.RecvInto(make([]byte, 20)); return err }},
		{"RecvPriority()", func() error { _, _, err := q.RecvPriority(nil, never); return err }},
		{"TryRecv()", func() error { _, _, err := q.TryRecv(nil); return err }},
		{"Ready()", func() error { return q.Ready(never) }},
		{"Attr()", func() error { _, err := q.Attr(); return err }},
	}
}
