package mqueue_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	mqueue "ipcworkbook/chapters/04-mqueue"
	"ipcworkbook/harness/lab"
)

// never is no deadline.
var never time.Time

// Step 6: higher priority first; of equal priority in the order in which they were sent.
func TestHigherPriorityFirst(t *testing.T) {
	l := lab.New(t)
	q, _ := queue(l, 8, 20)

	sent := []struct {
		text     string
		priority int
	}{{"low", 0}, {"first of 5", 5}, {"second of 5", 5}, {"highest", mqueue.MaxPriority}, {"one", 1}, {"third of 5", 5}}
	for i, m := range sent {
		var err error
		if i%2 == 0 {
			err = q.SendPriority([]byte(m.text), m.priority, never)
		} else {
			err = q.TrySend([]byte(m.text), m.priority)
		}
		require.NoError(l, err, "SendPriority() or TrySend() with priority %d", m.priority)
	}
	for i, want := range []int{3, 1, 2, 5, 4, 0} {
		var got []byte
		var priority int
		var err error
		if i%2 == 0 {
			got, priority, err = q.RecvPriority(nil, never)
		} else {
			got, priority, err = q.TryRecv(nil)
		}
		require.NoError(l, err, "RecvPriority() or TryRecv()")
		require.Equal(l, sent[want].text, string(got), "message %d: the highest priority first, and of equal ones the oldest", i+1)
		require.Equal(l, sent[want].priority, priority, "the priority of %q", sent[want].text)
	}

	require.NoError(l, q.SendPriority([]byte("low"), 1, never), "SendPriority()")
	require.NoError(l, q.SendPriority([]byte("high"), 2, never), "SendPriority()")
	require.NoError(l, expect(q, "high"), "Recv(): it takes the highest priority, too")
	require.NoError(l, expect(q, "low"), "Recv()")
	require.NoError(l, q.SendPriority(nil, 7, never), "SendPriority() of an empty message")
	got, priority, err := q.RecvPriority(make([]byte, 0, 20), never)
	require.NoError(l, err, "RecvPriority() of an empty message")
	require.Empty(l, got, "RecvPriority() of an empty message")
	require.Equal(l, 7, priority, "the priority of an empty message")

	for _, bad := range []int{-1, mqueue.MaxPriority + 1, math.MinInt32, 1 << 32, 1<<32 + 5, math.MaxInt} {
		require.ErrorIs(l, q.SendPriority([]byte("x"), bad, never), unix.EINVAL, "SendPriority() with priority %d: an int has numbers that become others in 32 bits", bad)
		require.ErrorIs(l, q.TrySend([]byte("x"), bad), unix.EINVAL, "TrySend() with priority %d", bad)
		require.Zero(l, attrOf(l, q).Messages, "messages in the queue after priority %d was refused", bad)
	}
	require.ErrorIs(l, q.SendPriority(pattern(21), 1, never), unix.EMSGSIZE, "SendPriority() of a message that is too large")
	require.ErrorIs(l, q.TrySend(pattern(21), 1), unix.EMSGSIZE, "TrySend() of a message that is too large")
}

// Step 7: a full queue: TrySend says so, and Send waits. An empty one: TryRecv and Recv.
func TestFullQueueMakesTheSenderWait(t *testing.T) {
	l := lab.New(t)
	q, name := queue(l, 3, 20)
	other, _ := queue(l, 1, 20)

	_, _, err := q.TryRecv(nil)
	require.ErrorIs(l, err, mqueue.ErrEmpty, "TryRecv() on an empty queue")
	recv := l.Call("Recv() on an empty queue", func() error { return expect(q, "hello") })
	recv.Blocks("the queue is empty: does it ask again and again?")
	elsewhere := l.Call("Send() and Recv() on another queue while this Recv() waits: do queues share a lock?", func() error {
		return errors.Join(other.Send([]byte("other")), expect(other, "other"))
	})
	elsewhere.ReturnsSoon(nil)
	attr := l.Call("Attr() of the queue whose Recv() waits: is there a lock that Recv holds?", func() error { _, err := q.Attr(); return err })
	attr.ReturnsSoon(nil)
	send := l.Call("Send() on the queue whose Recv() waits: do the two directions share a lock?", func() error { return q.Send([]byte("hello")) })
	send.ReturnsSoon(nil)
	recv.Returns(nil)

	for i := range 3 {
		require.NoError(l, q.TrySend(fmt.Append(nil, i), 0), "TrySend() while there is room")
	}
	require.ErrorIs(l, q.TrySend([]byte("x"), 0), mqueue.ErrFull, "TrySend() to a full queue")
	require.ErrorIs(l, q.TrySend([]byte("x"), 9), mqueue.ErrFull, "TrySend() to a full queue, with a higher priority: that makes no room")
	send = l.Call("Send() to a full queue", func() error { return q.Send([]byte("3")) })
	send.Blocks("the queue is full: does it ask again and again?")
	require.Equal(l, 3, attrOf(l, q).Messages, "messages in the full queue")
	back := l.Call("Recv() on the queue whose Send() waits: do the two directions share a lock?", func() error { return expect(q, "0") })
	back.ReturnsSoon(nil)
	send.Returns(nil)
	for _, want := range []string{"1", "2", "3"} {
		require.NoError(l, expect(q, want), "Recv() of what waited")
	}

	// A producer is slowed down to the speed of its consumer.
	sizes := slices.Repeat([]int{10, 20, 0, 7}, 10)
	p := l.Start(sendsPatterns, lab.Tell("name", name), lab.Tell("sizes", join(sizes)))
	for i, size := range sizes {
		if i == 0 || i == 20 {
			p.Blocks("the queue is full, and nobody receives")
		}
		require.NoError(l, expect(q, string(pattern(size))), "Recv() of message %d of a producer that has to wait", i+1)
	}

	// The flags of a descriptor that was handed over decide nothing here.
	for _, mode := range []int{0, unix.O_NONBLOCK} {
		q := handedOver(l, name, mode)
		waits := l.Waits(q)
		try := l.Call("TryRecv() on a "+waits+" descriptor", func() error { _, _, err := q.TryRecv(nil); return err })
		try.ReturnsSoon(mqueue.ErrEmpty)
		recv := l.Call("Recv() on a "+waits+" descriptor", func() error { return expect(q, "hello") })
		recv.Blocks("the queue is empty: has EAGAIN to be waited for?")
		require.Equal(l, waits, l.Waits(q), "a descriptor while Recv() waits: the flag belongs to all who share it")
		recv.Interrupt(1)
		recv.Blocks("a signal has come, and the queue is empty")
		rawSend(l, other, "", 0) // wakes nobody who waits for this queue
		rawSend(l, q, "hello", 0)
		recv.Returns(nil)
		for range 3 {
			rawSend(l, q, "full", 0)
		}
		try = l.Call("TrySend() on a "+waits+" descriptor", func() error { return q.TrySend(nil, 0) })
		try.ReturnsSoon(mqueue.ErrFull)
		send := l.Call("Send() on a "+waits+" descriptor", func() error { return q.Send([]byte("last")) })
		send.Blocks("the queue is full: has EAGAIN to be waited for?")
		send.Interrupt(1)
		send.Blocks("a signal has come, and the queue is full")
		rawReceive(l, q)
		send.Returns(nil)
		for range 3 {
			rawReceive(l, q)
		}
		rawReceive(l, other)
	}

	// Whoever shares a descriptor may change its flag, and nobody else here does.
	for _, shared := range []struct {
		what string
		q    *mqueue.Queue
		flag int
	}{
		{"which blocked when it was handed over, and does not any more", handedOver(l, name, 0), unix.O_NONBLOCK},
		{"which did not block when it was handed over, and does now", handedOver(l, name, unix.O_NONBLOCK), 0},
		{"which Open() has made, and which somebody has made non-blocking", again(l, name, unix.O_RDWR), unix.O_NONBLOCK},
		{"which Open() has made, and which somebody has made blocking", again(l, name, unix.O_RDWR), 0},
	} {
		rawCall(l, shared.q, "fcntl()", func(fd uintptr) (errno syscall.Errno) {
			_, _, errno = unix.Syscall(unix.SYS_FCNTL, fd, unix.F_SETFL, uintptr(shared.flag))
			return errno
		})
		recv := l.Call("Recv() on a descriptor "+shared.what, func() error { return expect(shared.q, "hello") })
		recv.Blocks("the queue is empty: does Recv rely on a flag that somebody else may change?")
		rawSend(l, q, "hello", 0)
		recv.Returns(nil)
		for range 3 {
			rawSend(l, q, "full", 0)
		}
		send := l.Call("Send() on a descriptor "+shared.what, func() error { return shared.q.Send([]byte("last")) })
		send.Blocks("the queue is full: does Send rely on a flag that somebody else may change?")
		rawReceive(l, q)
		send.Returns(nil)
		for range 3 {
			rawReceive(l, q)
		}
	}
	othersAreFaster(l, "Recv()")
	othersAreFaster(l, "Send()")
	l.RefusesCalls()
	for _, mode := range []int{0, unix.O_NONBLOCK} {
		handed := handedOver(l, name, mode)
		waits := l.Waits(handed)
		require.NoError(l, l.Start(mayNotBlock, lab.Give("queue", handed)).Wait(), "a process with a %s descriptor, which may make none blocking", waits)
		require.Equal(l, waits, l.Waits(handed), "a descriptor that another process has used, which may make none blocking (F_SETFL): is the flag changed for a moment? All who share it see that.")
	}
}

var mayNotBlock = lab.NewRole("process that may make no descriptor blocking", func(c *lab.Child) error {
	if err := c.RefuseBlocking(); err != nil {
		return err
	}
	q := mqueue.NewQueue(c.File("queue"))
	if _, _, err := q.TryRecv(nil); !errors.Is(err, mqueue.ErrEmpty) {
		return fmt.Errorf("TryRecv() on an empty queue: %w", err)
	}
	if err := q.TrySend([]byte("hello"), 0); err != nil {
		return fmt.Errorf("TrySend(): %w", err)
	}
	if _, _, err := q.TryRecv(nil); err != nil {
		return fmt.Errorf("TryRecv(): %w", err)
	}
	return q.Close()
})
