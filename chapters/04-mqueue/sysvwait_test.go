package mqueue_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	mqueue "ipcworkbook/chapters/04-mqueue"
	"ipcworkbook/harness/lab"
)

// fill fills a System V queue until not a byte more fits.
func fill(l *lab.Lab, s *mqueue.SysV) (messages int) {
	for size := systemSetting(l, "kernel/msgmax"); ; {
		err := rawMsgsnd(s.ID(), 1, string(pattern(size)))
		switch {
		case err == nil:
			messages++
		case size == 1:
			return messages
		default:
			require.ErrorIs(l, err, unix.EAGAIN, "msgsnd() of the test's own")
			size /= 2
		}
	}
}

// Step 17: System V: a full queue and an empty one make the caller wait, through every
// signal, until a deadline.
func TestSystemVWaitsThroughSignals(t *testing.T) {
	l := lab.New(t)
	full, _ := system(l)
	empty, key := system(l)

	_, _, err := empty.TryRecv(nil, 0)
	require.ErrorIs(l, err, mqueue.ErrEmpty, "TryRecv() on an empty queue")
	recv := l.Call("Recv() on an empty queue", func() error { return expect(empty, "hello") })
	recv.Blocks("the queue is empty: does it ask again and again?")
	recv.Interrupt(3)
	recv.Blocks("signals have come, and the queue is empty: EINTR is no end")
	elsewhere := l.Call("Send() and Recv() on another queue while this Recv() waits: do queues share a lock?", func() error {
		return errors.Join(full.Send([]byte("other")), expect(full, "other"))
	})
	elsewhere.ReturnsSoon(nil)
	stat := l.Call("Stat() of the queue whose Recv() waits: is there a lock that Recv holds?", func() error { _, err := empty.Stat(); return err })
	stat.ReturnsSoon(nil)
	send := l.Call("Send() on the queue whose Recv() waits: do the two directions share a lock?", func() error { return empty.Send([]byte("hello")) })
	send.ReturnsSoon(nil)
	recv.Returns(nil)

	fill(l, full)
	require.ErrorIs(l, full.TrySend([]byte("x"), 1), mqueue.ErrFull, "TrySend() to a full queue")
	send = l.Call("Send() to a full queue", func() error { return full.Send([]byte("last")) })
	send.Blocks("the queue is full: does it ask again and again?")
	send.Interrupt(3)
	send.Blocks("signals have come, and the queue is full: EINTR is no end")
	_, _, err = rawMsgrcv(full.ID())
	require.NoError(l, err, "msgrcv() of the test's own")
	send.Returns(nil)
	fill(l, full)

	// No message is taken by a call that has ended.
	ended := l.Call("RecvType() on an empty queue: what wakes a thread that waits in the kernel?", func() error { _, _, err := empty.RecvType(nil, 0, time.Now().Add(soon)); return err })
	ended.Returns(os.ErrDeadlineExceeded)
	require.NoError(l, rawMsgsnd(empty.ID(), 1, "for the next"), "msgsnd() of the test's own")
	next := l.Call("Recv() after a deadline has passed: does a goroutine of the last call still wait, and take the message?", func() error { return expect(empty, "for the next") })
	next.ReturnsSoon(nil)

	long := time.Now().Add(-far)
	for _, wait := range []until{
		{"SendType() to a full queue", func(d time.Time) error { return full.SendType([]byte("x"), 1, d) }},
		{"RecvType() on an empty queue", func(d time.Time) error { _, _, err := empty.RecvType(nil, 0, d); return err }},
	} {
		past := l.Call(wait.what+", with a deadline that has passed", func() error { return wait.f(long) })
		past.ReturnsSoon(os.ErrDeadlineExceeded)
		deadline := time.Now().Add(soon)
		ends := l.Call(wait.what+": what wakes a thread that waits in the kernel?", func() error { return notBefore(deadline, wait.f(deadline)) })
		ends.Returns(os.ErrDeadlineExceeded)
		throughSignals(l, wait.what, wait.f)
		later := l.Call(wait.what+", with a deadline in an hour, after others have passed", func() error { return wait.f(time.Now().Add(far)) })
		later.Blocks("the deadline is in an hour")
		later.Interrupt(1)
		later.Blocks("a signal has come, and the deadline is in an hour")
		if wait.what[0] == 'S' {
			_, _, err = rawMsgrcv(full.ID())
		} else {
			err = rawMsgsnd(empty.ID(), 1, "hello")
		}
		require.NoError(l, err, "a call of the test's own")
		later.Returns(nil)
	}
	later := l.Call("RecvType() with a deadline in the year 2300: so many nanoseconds have no room in 64 bits", func() error { _, _, err := empty.RecvType(nil, 0, ever); return err })
	later.Blocks("the deadline is in the year 2300")
	require.NoError(l, rawMsgsnd(empty.ID(), 1, "hello"), "msgsnd() of the test's own")
	later.Returns(nil)

	// One goroutine sends, and another one receives.
	const messages, size = 3000, 4000
	sends := l.Call("Send() while another goroutine receives", func() (err error) {
		for i := 0; i < messages && err == nil; i++ {
			err = empty.Send(bytes.Repeat([]byte{byte(i)}, size))
		}
		return err
	})
	receives := l.Call("Recv() while another goroutine sends: do the two directions share memory?", func() (err error) {
		for i := 0; i < messages && err == nil; i++ {
			err = expect(empty, string(bytes.Repeat([]byte{byte(i)}, size)))
		}
		return err
	})
	receives.Returns(nil)
	sends.Returns(nil)

	require.NoError(l, empty.SendType([]byte("there"), 1, long), "SendType() that need not wait, with a deadline that has passed")
	p, _, err := empty.RecvType(nil, 0, long)
	require.NoError(l, err, "RecvType() that need not wait, with a deadline that has passed")
	require.Equal(l, "there", string(p), "RecvType() with a deadline that has passed")

	// A worker in another process, which signals interrupt.
	worker := l.Start(worksOnSystemV, lab.Tell("key", strconv.Itoa(key)))
	for i := range 3 {
		worker.Blocks("the queue is empty")
		worker.Interrupt(1)
		require.NoError(l, empty.SendType(fmt.Append(nil, i), 2, never), "SendType()")
		var got string
		worker.Report(&got)
		require.Equal(l, strconv.Itoa(i), got, "RecvType() in another process")
	}
}

var worksOnSystemV = lab.NewRole("System V worker", func(c *lab.Child) error {
	key, err := strconv.Atoi(c.Text("key"))
	if err != nil {
		return err
	}
	s, err := mqueue.Get(key, 0)
	if err != nil {
		return fmt.Errorf("Get(): %w", err)
	}
	for range 3 {
		p, _, err := s.RecvType(nil, 2, never)
		if err != nil {
			return fmt.Errorf("RecvType(): %w", err)
		}
		c.Report(string(p))
	}
	return s.Close()
})

// Step 18: System V: a queue that is removed under who waits gives EIDRM, and Close wakes
// who waits in this process.
func TestSystemVEndsUnderAWaiter(t *testing.T) {
	l := lab.New(t)
	waits := []struct {
		what string
		f    func(s *mqueue.SysV) error
	}{
		{"Recv()", func(s *mqueue.SysV) error { _, err := s.Recv(); return err }},
		{"RecvType() with deadline", func(s *mqueue.SysV) error { _, _, err := s.RecvType(nil, 2, time.Now().Add(far)); return err }},
		{"Send()", func(s *mqueue.SysV) error { return s.Send([]byte("one more")) }},
		{"SendType() with deadline", func(s *mqueue.SysV) error { return s.SendType([]byte("one more"), 2, time.Now().Add(far)) }},
	}
	for _, wait := range waits {
		s, key := system(l)
		if wait.what[0] == 'S' {
			fill(l, s)
		}
		call := l.Call(wait.what+" on a queue that is removed meanwhile", func() error { return wait.f(s) })
		call.Blocks("nothing comes, or goes")
		elsewhere := l.Start(waitsForAnything, lab.Tell("id", strconv.Itoa(s.ID())))
		elsewhere.Blocks("there is no message of type 9")
		other, err := mqueue.Get(key, 0)
		require.NoError(l, err, "Get()")
		require.NoError(l, other.Remove(), "Remove() while "+wait.what+" waits")
		call.ReturnsSoon(unix.EIDRM)
		require.NoError(l, elsewhere.Wait(), "Recv() in another process, when the queue is removed")
		for _, late := range lateCalls(s) {
			require.ErrorIs(l, late.f(), unix.EIDRM, "%s after the queue was removed: the kernel's own error is EINVAL", late.what)
		}
	}

	for _, wait := range waits {
		s, _ := system(l)
		if wait.what[0] == 'S' {
			fill(l, s)
		}
		call := l.Call(wait.what+" on a SysV that is closed meanwhile: only a signal wakes a thread that waits in the kernel. And the error is os.ErrClosed.", func() error { return wait.f(s) })
		call.Blocks("nothing comes, or goes")
		before, err := mqueue.NewSysV(s.ID()).Stat()
		require.NoError(l, err, "Stat()")
		closes := l.Call("Close() while "+wait.what+" waits", s.Close)
		closes.ReturnsSoon(nil)
		call.ReturnsSoon(os.ErrClosed)
		for _, late := range lateCalls(s) {
			require.ErrorIs(l, late.f(), os.ErrClosed, "%s after Close()", late.what)
		}
		require.ErrorIs(l, s.Close(), os.ErrClosed, "Close() the second time")
		after, err := mqueue.NewSysV(s.ID()).Stat()
		require.NoError(l, err, "Stat() of the queue, after another SysV of it was closed: the queue stays")
		require.Equal(l, before.Messages, after.Messages, "messages in the queue after Close()")
	}

	// Both directions wait at once.
	both, _ := system(l)
	fill(l, both)
	receives := l.Call("RecvType() while Send() waits, and Close() comes: does Close know of one waiter only?", func() error { _, _, err := both.RecvType(nil, 9, never); return err })
	receives.Blocks("there is no message of type 9")
	sends := l.Call("Send() while RecvType() waits, and Close() comes: does Close know of one waiter only?", func() error { return both.Send([]byte("one more")) })
	sends.Blocks("the queue is full")
	closes := l.Call("Close() while RecvType() and Send() wait", both.Close)
	closes.ReturnsSoon(nil)
	receives.ReturnsSoon(os.ErrClosed)
	sends.ReturnsSoon(os.ErrClosed)

	// A goroutine that a signal interrupts goes on in another thread, if it may.
	crowd := make([]*mqueue.SysV, 8)
	waiters := make([]*lab.Call, len(crowd))
	for i := range crowd {
		crowd[i], _ = system(l)
		waiters[i] = l.Call("Recv(), interrupted while other goroutines have all processors, and closed: does Close know the thread that it waits in (runtime.LockOSThread)?", func() error { _, err := crowd[i].Recv(); return err })
	}
	waiters[0].Blocks("the queue is empty")
	interruptsInACrowd(l)
	waiters[0].Blocks("signals have come, and the queue is empty")
	for i, waiter := range waiters {
		closes := l.Call("Close() while Recv() waits, which was interrupted while other goroutines had all processors: does Close know the thread that it waits in (runtime.LockOSThread)?", crowd[i].Close)
		closes.ReturnsSoon(nil)
		waiter.ReturnsSoon(os.ErrClosed)
	}

	// Two of one queue: one is closed, and the other goes on.
	s, _ := system(l)
	other := mqueue.NewSysV(s.ID())
	recv := l.Call("Recv() of another SysV of the same queue", func() error { return expect(other, "hello") })
	recv.Blocks("the queue is empty")
	require.NoError(l, s.Close(), "Close()")
	recv.Blocks("another SysV was closed, not this one")
	require.NoError(l, rawMsgsnd(s.ID(), 1, "hello"), "msgsnd() of the test's own")
	recv.Returns(nil)

	// Either end comes just before the call waits.
	endedBetweenCalls(l, "Recv()")
	endedBetweenCalls(l, "Send()")
}

// interruptsInACrowd interrupts all threads of this process while goroutines have all processors.
func interruptsInACrowd(l *lab.Lab) {
	threads, err := os.ReadDir("/proc/self/task")
	require.NoError(l, err, "reading /proc/self/task")
	var crowd sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		crowd.Go(func() {
			for range 300 {
				for _, thread := range threads {
					tid, _ := strconv.Atoi(thread.Name())
					_ = unix.Tgkill(os.Getpid(), tid, unix.SIGURG) // it may have ended
				}
			}
		})
	}
	crowd.Wait()
}

func lateCalls(s *mqueue.SysV) []namedCall {
	return []namedCall{
		{"Send()", func() error { return s.Send([]byte("x")) }},
		{"SendType()", func() error { return s.SendType([]byte("x"), 1, never) }},
		{"TrySend()", func() error { return s.TrySend([]byte("x"), 1) }},
		{"Recv()", func() error { _, err := s.Recv(); return err }},
		{"RecvInto()", func() error { _, err := s.RecvInto(make([]byte, 20)); return err }},
		{"RecvType()", func() error { _, _, err := s.RecvType(nil, 0, never); return err }},
		{"TryRecv()", func() error { _, _, err := s.TryRecv(nil, 0); return err }},
		{"Stat()", func() error { _, err := s.Stat(); return err }},
		{"Remove()", func() error { return s.Remove() }},
	}
}

var waitsForAnything = lab.NewRole("System V receiver that waits", func(c *lab.Child) error {
	id, err := strconv.Atoi(c.Text("id"))
	if err != nil {
		return err
	}
	if _, _, err := mqueue.NewSysV(id).RecvType(nil, 9, never); !errors.Is(err, unix.EIDRM) {
		return fmt.Errorf("RecvType(): expected EIDRM, and got: %v", err)
	}
	return nil
})
