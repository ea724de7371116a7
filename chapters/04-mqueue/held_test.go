package mqueue_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	mqueue "ipcworkbook/chapters/04-mqueue"
	"ipcworkbook/harness/lab"
)

// What the steps do to a process that is held between two of its calls.

// atEachOpen makes and removes a queue in turn, before each mq_open(2) of a role.
func atEachOpen(l *lab.Lab, role *lab.Role, want, what string) {
	for _, isThere := range []bool{false, true} {
		name := named(l, "held")
		calls := l.Calls()
		held := l.Start(role, lab.Tell("name", name), calls.HandOver())
		calls.Of(held)
		if isThere {
			otherQueue(l, name)
		}
		for n, isHeld := 0, calls.Hold(0); isHeld && n < 2*mostCalls; n, isHeld = n+1, calls.HoldNext() {
			if !strings.HasPrefix(calls.String(), "held before mq_open") {
				continue
			}
			if isThere = !isThere; isThere {
				otherQueue(l, name)
			} else {
				rawUnlink(name)
			}
		}
		calls.Go()
		calls.Reports(want, what)
		held.Kill()
	}
}

// othersAreFaster wakes a call, and takes away what woke it before its next call of the kernel.
// The descriptor blocked when it was handed over, and somebody has made it non-blocking since.
func othersAreFaster(l *lab.Lab, does string) {
	q, name := queue(l, 1, 20)
	shared := handedOver(l, name, 0)
	calls := l.Calls()
	p := l.Start(isSlower, lab.Give("queue", shared), lab.Tell("does", does), calls.HandOver())
	calls.Of(p)
	p.Report(new(bool))
	rawCall(l, shared, "fcntl()", func(fd uintptr) (errno syscall.Errno) {
		_, _, errno = unix.Syscall(unix.SYS_FCNTL, fd, unix.F_SETFL, unix.O_NONBLOCK)
		return errno
	})
	fill := func() { rawSend(l, q, "hello", 0) }
	empty := func() { rawReceive(l, q) }
	wakes, undoes, there := fill, empty, 1
	if does == "Send()" {
		wakes, undoes, there = empty, fill, 0
		fill()
	}
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		p.Go()
		p.Blocks("there is nothing to receive, or no room")
		calls.Arm(try)
		wakes()
		isHeld = calls.Held()
		tooLate := attrOf(l, q).Messages == there
		if tooLate {
			undoes()
		}
		calls.Go()
		if tooLate {
			p.Blocks("somebody else was faster, and took the message or the room after poll(2) had told of it: EAGAIN after poll(2) has to be waited for, too")
			wakes()
		}
		p.Report(new(bool))
		require.Equal(l, 1-there, attrOf(l, q).Messages, "messages in the queue after %s, before which somebody else was faster", does)
	}
	p.Kill()
}

var isSlower = lab.NewRole("Recv() or Send() on a descriptor that somebody has made non-blocking", func(c *lab.Child) error {
	q := mqueue.NewQueue(c.File("queue"))
	runtime.LockOSThread()
	if err := c.ShowAllCalls(); err != nil {
		return err
	}
	c.Report(true)
	for range mostCalls {
		c.Wait()
		var err error
		if c.Text("does") == "Send()" {
			err = q.Send([]byte("hello"))
		} else {
			err = expect(q, "hello")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.Text("does"), err)
		}
		c.Report(true)
	}
	return q.Close()
})

// closedUnderAttr closes a Queue while its Attr is held before each of its calls, and opens
// another queue, which has the number then if that is free.
func closedUnderAttr(l *lab.Lab) {
	_, name := queue(l, 3, 20)
	_, otherName := queue(l, 5, 40)
	calls := l.Calls()
	p := l.Start(asksAndCloses, lab.Tell("name", name), lab.Tell("other", otherName), calls.HandOver())
	calls.Of(p)
	calls.Alone()
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		p.Report(new(bool))
		isHeld = calls.Hold(try)
		p.Go() // Close
		l.Rests()
		p.Go() // another queue
		p.Report(new(bool))
		calls.Go()
		p.Go()
		var got string
		p.Report(&got)
		want := "{3 20 0}"
		if got == "os.ErrClosed" {
			want = got
		}
		require.Equal(l, want, got, "Attr() of a queue of 3 messages of 20 bytes, when Close() comes just before it asks the kernel, and then another queue is opened: is the descriptor's number used outside of Control()?")
	}
	p.Kill()
}

var asksAndCloses = lab.NewRole("process that asks and closes", func(c *lab.Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for range mostCalls {
		q, err := mqueue.Open(c.Text("name"), unix.O_RDWR, 0, nil)
		if err != nil {
			return fmt.Errorf("Open(): %w", err)
		}
		c.Report(true)
		c.Wait()
		asked, closed := make(chan string, 1), make(chan error, 1)
		go func() {
			attr, err := q.Attr()
			asked <- outcome(fmt.Sprint(attr), err)
		}()
		c.Wait()
		go func() { closed <- q.Close() }()
		c.Wait()
		other, err := mqueue.Open(c.Text("other"), unix.O_RDWR, 0, nil)
		if err != nil {
			return fmt.Errorf("Open(): %w", err)
		}
		c.Report(true)
		c.Wait()
		got := <-asked
		if err := errors.Join(<-closed, other.Close()); err != nil {
			return fmt.Errorf("Close(): %w", err)
		}
		c.Report(got)
	}
	return nil
})

// outcome is what a call returned, in words.
func outcome(returned string, err error) string {
	switch {
	case err == nil:
		return returned
	case errors.Is(err, os.ErrClosed):
		return "os.ErrClosed"
	case errors.Is(err, unix.EIDRM):
		return "EIDRM"
	}
	return "the error: " + err.Error()
}

// endedBetweenCalls removes a System V queue, or closes it in another goroutine, while a call
// on it is held before each of its calls of the kernel: it has looked that it has to wait, and
// does not wait yet.
func endedBetweenCalls(l *lab.Lab, does string) {
	for _, end := range []struct{ how, want, reason string }{
		{"removed", "EIDRM", "the call that is about to wait says EINVAL, too"},
		{"closed", "os.ErrClosed", "a signal that comes too early wakes nobody. Is it looked for Close again when the thread can be found?"},
	} {
		key := l.Key()
		calls := l.Calls()
		p := l.Start(isHeldInSystemV, lab.Tell("key", fmt.Sprint(key)), lab.Tell("does", does), lab.Tell("is", end.how), calls.HandOver())
		calls.Of(p)
		for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
			s, err := mqueue.Get(key, sysvNew)
			require.NoError(l, err, "Get() of a new queue")
			l.CloseAtEnd(removed(s.ID()))
			if does == "Send()" {
				fill(l, s)
			}
			p.Go()
			p.Report(new(bool))
			isHeld = calls.Hold(try)
			if end.how == "closed" {
				p.Go()
				l.Rests()
			} else {
				require.NoError(l, rawRemove(s.ID()), "msgctl() of the test's own")
			}
			calls.Go()
			calls.Reports(end.want, does+" on a queue that is "+end.how+" just before it waits: "+end.reason)
			require.NoError(l, rawRemove(s.ID()), "msgctl() of the test's own")
		}
		p.Kill()
	}
}

var isHeldInSystemV = lab.NewRole("System V process that is held", func(c *lab.Child) error {
	runtime.GOMAXPROCS(4) // who is held in a raw system call keeps one
	key := 0
	if _, err := fmt.Sscan(c.Text("key"), &key); err != nil {
		return err
	}
	begin, ended := make(chan *mqueue.SysV), make(chan error)
	go func() { // in a thread that shows all its calls
		runtime.LockOSThread()
		ended <- c.ShowAllCalls()
		for s := range begin {
			if c.Text("does") == "Send()" {
				ended <- s.Send([]byte("one more"))
				continue
			}
			_, err := s.Recv()
			ended <- err
		}
	}()
	if err := <-ended; err != nil {
		return err
	}
	for range mostCalls {
		c.Wait()
		s, err := mqueue.Get(key, 0)
		if err != nil {
			return fmt.Errorf("Get(): %w", err)
		}
		c.Report(true)
		c.Wait()
		begin <- s
		if c.Text("is") == "closed" {
			c.Wait()
			if err := s.Close(); err != nil {
				return fmt.Errorf("Close(): %w", err)
			}
		}
		c.Report(outcome("no error", <-ended))
	}
	return nil
})
