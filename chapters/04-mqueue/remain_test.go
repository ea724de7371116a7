package mqueue_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	mqueue "ipcworkbook/chapters/04-mqueue"
	"ipcworkbook/harness/lab"
)

// Step 11: a queue outlives its processes; Unlink takes the name away, and who has the
// queue open goes on.
func TestQueueOutlivesItsProcesses(t *testing.T) {
	l := lab.New(t)
	name := named(l, "jobs")
	maker := l.Start(makesAndDies, lab.Tell("name", name))
	require.Error(l, maker.Wait(), "the maker of the queue, which kills itself")
	q := again(l, name, unix.O_RDWR)
	require.NoError(l, expect(q, "urgent"), "Recv() of what a killed process had sent")
	require.NoError(l, expect(q, "left behind"), "Recv() of what a killed process had sent")

	other := again(l, name, unix.O_RDWR)
	require.NoError(l, other.Send([]byte("before it")), "Send()")
	require.NoError(l, mqueue.Unlink(name), "Unlink()")
	require.NoError(l, expect(q, "before it"), "Recv() after Unlink(): who has the queue open has its messages, too")
	recv := l.Call("Recv()", func() error { return expect(q, "after it") })
	recv.Blocks("the name is gone, and the queue is there")
	require.False(l, exists(l, name), "a queue of that name, after Unlink()")
	_, err := mqueue.Open(name, unix.O_RDWR, 0, nil)
	require.ErrorIs(l, err, unix.ENOENT, "Open() after Unlink()")
	require.ErrorIs(l, mqueue.Unlink(name), unix.ENOENT, "Unlink() the second time")
	require.NoError(l, other.Send([]byte("after it")), "Send() after Unlink(): the descriptor is open")
	recv.Returns(nil)

	fresh, err := mqueue.Open(name, create, 0o600, &mqueue.Attr{MaxMessages: 2, MaxSize: 30})
	require.NoError(l, err, "Open() with O_EXCL after Unlink(): the name is free")
	l.CloseAtEnd(fresh)
	require.NoError(l, q.Send([]byte("old")), "Send() to the queue without a name")
	require.NoError(l, fresh.Send([]byte("new")), "Send() to the new queue")
	require.NoError(l, expect(fresh, "new"), "Recv() from the new queue")
	require.NoError(l, expect(q, "old"), "Recv() from the queue without a name")
	require.NoError(l, fresh.Send([]byte("stays")), "Send()")
	require.NoError(l, fresh.Close(), "Close() of the last descriptor")
	require.True(l, exists(l, name), "a queue of that name, after its last descriptor was closed: it stays until Unlink()")
	require.NoError(l, expect(again(l, name, unix.O_RDONLY), "stays"), "Recv() after all had closed")
}

var makesAndDies = lab.NewRole("maker that is killed", func(c *lab.Child) error {
	q, err := mqueue.Open(c.Text("name"), create, 0o600, &mqueue.Attr{MaxMessages: 4, MaxSize: 100})
	if err != nil {
		return fmt.Errorf("Open(): %w", err)
	}
	if err := errors.Join(q.Send([]byte("left behind")), q.SendPriority([]byte("urgent"), 5, never)); err != nil {
		return err
	}
	c.Die()
	return nil
})

// Step 12: what a crashed run left: Renew takes the name anew, with other attributes, and
// no message of the old run comes out of it.
func TestRenewStartsAnew(t *testing.T) {
	l := lab.New(t)
	name := named(l, "jobs")
	wanted := mqueue.Attr{MaxMessages: 2, MaxSize: 50}
	for _, left := range []string{"nothing", "a queue of a crashed run", "a queue that somebody has open"} {
		var old *mqueue.Queue
		if left != "nothing" {
			rawUnlink(name)
			maker := l.Start(makesAndDies, lab.Tell("name", name))
			require.Error(l, maker.Wait(), "the maker of the queue, which kills itself")
		}
		if left == "a queue that somebody has open" {
			old = again(l, name, unix.O_RDWR)
		}
		q, err := mqueue.Renew(name, 0o600, wanted)
		require.NoError(l, err, "Renew() where there is %s", left)
		l.CloseAtEnd(q)
		l.MustBe("Renew()", q, lab.MessageQueue)
		require.Equal(l, wanted, attrOf(l, q), "what Renew() made where there is %s: is it new, with these attributes, and empty?", left)
		require.Equal(l, "reading and writing", l.Access(q), "Renew()")
		require.Equal(l, "close-on-exec", l.OnExec(q), "Renew()")
		require.True(l, exists(l, name), "the name, after Renew()")
		require.NoError(l, q.Send([]byte("new")), "Send() to the new queue")
		if old != nil {
			require.Equal(l, mqueue.Attr{MaxMessages: 4, MaxSize: 100, Messages: 2}, attrOf(l, old), "the old queue, which somebody has open: it goes on, with its messages")
		}
		require.NoError(l, expect(again(l, name, unix.O_RDWR), "new"), "Recv() by who opens the name now")
	}
	renewed, err := mqueue.Renew(named(l, "closed"), 0o600, mqueue.Attr{MaxMessages: 1, MaxSize: 20})
	require.NoError(l, err, "Renew()")
	l.CloseAtEnd(renewed)
	recv := l.Call("Recv()", func() error { _, err := renewed.Recv(); return err })
	recv.Blocks("the queue is empty")
	require.NoError(l, renewed.Close(), "Close() of what Renew() returned")
	recv.ReturnsSoon(os.ErrClosed)

	for _, umask := range []string{"0", "027"} {
		var mode string
		l.Start(renewsWithPermissions, lab.Tell("name", named(l, "mode")), lab.Tell("umask", umask)).Report(&mode)
		want := "-rw-rw-r--"
		if umask != "0" {
			want = "-rw-r-----"
		}
		require.Equal(l, want, mode, "permissions of what Renew(…, 0664, …) made where the umask is %s: are they passed on as they are, as Open does?", umask)
	}

	for _, bad := range []mqueue.Attr{{}, {MaxMessages: 2}, {MaxMessages: -1, MaxSize: 50}} {
		_, err := mqueue.Renew(named(l, "bad"), 0o600, bad)
		require.ErrorIs(l, err, unix.EINVAL, "Renew() with %d messages of %d bytes", bad.MaxMessages, bad.MaxSize)
	}

	// Another process may make or remove a queue of that name between any two calls.
	name = betweenCalls(l, heldRenewer, "a new queue", func(does string) string {
		return "Renew() while another process " + does + " a queue of that name: is the queue new for certain (O_EXCL), and is it tried again when another one was faster (EEXIST)? Is it no error when there is nothing to unlink?"
	})

	// Or again and again.
	calls := l.Calls()
	renewer := l.Start(heldRenewer, lab.Tell("name", name), calls.HandOver())
	calls.Of(renewer)
	for n, isHeld := 0, calls.Hold(0); isHeld && n < 2*mostCalls; n, isHeld = n+1, calls.HoldNext() {
		otherQueue(l, name)
	}
	calls.Go()
	calls.Reports("a new queue", "Renew() while another process makes a queue of that name again and again: is it tried until it succeeds?")
	renewer.Kill()
}

var renewsWithPermissions = lab.NewRole("renewer of a queue for a group", func(c *lab.Child) error {
	return showsPermissions(c, "Renew()", func(name string) (*mqueue.Queue, error) {
		return mqueue.Renew(name, 0o664, mqueue.Attr{MaxMessages: 1, MaxSize: 10})
	})
})

// betweenCalls makes or removes a queue between any two calls of a role, and wants it to
// report the same each time. It returns the queue's name.
func betweenCalls(l *lab.Lab, role *lab.Role, want string, what func(does string) string) (name string) {
	name = named(l, "held")
	for _, does := range []string{"makes", "removes"} {
		calls := l.Calls()
		held := l.Start(role, lab.Tell("name", name), calls.HandOver())
		calls.Of(held)
		for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
			rawUnlink(name)
			if does == "removes" {
				otherQueue(l, name)
			}
			isHeld = calls.Hold(try)
			if does == "removes" {
				rawUnlink(name)
			} else {
				otherQueue(l, name)
			}
			calls.Go()
			calls.Reports(want, what(does))
		}
		held.Kill()
	}
	return name
}

// heldCalls is the role's side of betweenCalls.
func heldCalls(c *lab.Child, call func(name string) string) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for range mostCalls {
		c.Wait()
		c.Report(call(c.Text("name")))
	}
	return nil
}

func errorOr(err error, text string) string {
	if err != nil {
		return "the error: " + err.Error()
	}
	return text
}

// otherQueue is what another process makes of that name, if none is there.
func otherQueue(l *lab.Lab, name string) {
	f, err := rawOpen(name, unix.O_RDWR|unix.O_CREAT, 0o600, 4, 100)
	require.NoError(l, err, "mq_open() of the test's own")
	defer f.Close()
	if attrOf(l, f).MaxMessages == 4 {
		rawCall(l, f, "mq_timedsend()", func(fd uintptr) syscall.Errno { return sendOld(fd) })
	}
}

// mostCalls is how many calls of Renew are tried.
const mostCalls = 14

var heldRenewer = lab.NewRole("renewer that is held", func(c *lab.Child) error {
	return heldCalls(c, func(name string) string {
		q, err := mqueue.Renew(name, 0o600, mqueue.Attr{MaxMessages: 2, MaxSize: 50})
		if err != nil {
			return "the error: " + err.Error()
		}
		defer q.Close()
		if p, _, err := q.TryRecv(nil); !errors.Is(err, mqueue.ErrEmpty) {
			return fmt.Sprintf("a queue with the message %q in it, which is not new (%v)", p, err)
		}
		return "a new queue"
	})
})

// Step 13: when the user's bytes for queues are used up, the error says so, with the
// limit: "too many open files" would be all that the kernel says.
func TestUsedUpBytesAreToldAsALimit(t *testing.T) {
	l := lab.New(t)
	there := named(l, "there")
	f, err := rawOpen(there, create, 0o600, 2, 20)
	require.NoError(l, err, "mq_open() of the test's own")
	l.CloseAtEnd(f)
	require.NoError(l, l.Start(hasNoBytesLeft, lab.Tell("there", there), lab.Tell("new", named(l, "new"))).Wait(), "a process whose user may have no more bytes in queues")
	require.NoError(l, l.Start(hasNoneLeft, lab.Tell("name", there), lab.Tell("new", named(l, "file"))).Wait(), "a process that has bytes left for queues, and no descriptor")
	l.RefusesCalls()
	require.NoError(l, l.Start(isOnAFullMachine, lab.Tell("new", named(l, "new"))).Wait(), "a process on a machine that allows no queue more (/proc/sys/fs/mqueue/queues_max)")
}

// isOnAFullMachine is told what the kernel says where as many queues are there as it allows.
var isOnAFullMachine = lab.NewRole("process on a machine that allows no queue more", func(c *lab.Child) error {
	if err := c.RefuseCall(unix.ENOSPC, unix.SYS_MQ_OPEN); err != nil {
		return err
	}
	name, attr := c.Text("new"), mqueue.Attr{MaxMessages: 1, MaxSize: 10}
	_, opened := mqueue.Open(name, create, 0o600, &attr)
	_, renewed := mqueue.Renew(name, 0o600, attr)
	for _, r := range []struct {
		what string
		err  error
	}{{"Open()", opened}, {"Renew()", renewed}} {
		switch {
		case !errors.Is(r.err, unix.ENOSPC), errors.Is(r.err, mqueue.ErrLimit):
			return fmt.Errorf("%s where the kernel says %q: that is the machine's number of queues, and not the user's bytes. Expected the kernel's error, and got: %v", r.what, unix.ENOSPC, r.err)
		case !strings.Contains(r.err.Error(), name):
			return fmt.Errorf("%s where the kernel says %q: the name %s is in the text: %w", r.what, unix.ENOSPC, name, r.err)
		}
	}
	return nil
})

var hasNoBytesLeft = lab.NewRole("process without bytes for queues", func(c *lab.Child) error {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MSGQUEUE, &limit); err != nil {
		return err
	}
	usual, err := usualAttr()
	if err != nil {
		return err
	}
	if err := startPoller(); err != nil {
		return err
	}
	free := lowestFree()
	// How much others use nobody knows. With this queue it is too much.
	for _, want := range []struct {
		what string
		attr *mqueue.Attr
		need int
	}{
		{"Open()", &mqueue.Attr{MaxMessages: 7, MaxSize: 123}, 7*(123+48) + 7*48},
		{"Open() without attributes", nil, mqueue.QueueBytes(usual)},
		{"Renew()", &mqueue.Attr{MaxMessages: 3, MaxSize: 50}, 3*(50+48) + 3*48},
	} {
		low := unix.Rlimit{Cur: uint64(want.need - 1), Max: limit.Max}
		if err := unix.Setrlimit(unix.RLIMIT_MSGQUEUE, &low); err != nil {
			return err
		}
		name := c.Text("new")
		if want.what == "Renew()" {
			_, err = mqueue.Renew(name, 0o600, *want.attr)
		} else {
			_, err = mqueue.Open(name, create, 0o600, want.attr)
		}
		if !errors.Is(err, mqueue.ErrLimit) || !errors.Is(err, unix.EMFILE) {
			return fmt.Errorf("%s of a queue of %d bytes, where RLIMIT_MSGQUEUE is %d: expected ErrLimit, which is EMFILE too (%w), and got: %v", want.what, want.need, low.Cur, unix.EMFILE, err)
		}
		for _, n := range []string{strconv.Itoa(want.need), strconv.Itoa(int(low.Cur))} {
			if !strings.Contains(err.Error(), n) {
				return fmt.Errorf("%s of a queue of %d bytes, where RLIMIT_MSGQUEUE is %d: the text names both: %w", want.what, want.need, low.Cur, err)
			}
		}
		if lowestFree() != free {
			return fmt.Errorf("%s failed with ErrLimit, and left descriptor %d open. Was one made to look whether one is free? (%w)", want.what, free, err)
		}
		q, err := mqueue.Open(c.Text("there"), unix.O_RDWR|unix.O_CREAT, 0o600, nil)
		if err != nil {
			return fmt.Errorf("Open() of a queue that is there, which takes no bytes: %w", err)
		}
		q.Close()
	}
	if err := unix.Setrlimit(unix.RLIMIT_MSGQUEUE, &limit); err != nil {
		return err
	}
	q, err := mqueue.Open(c.Text("new"), create, 0o600, &mqueue.Attr{MaxMessages: 1, MaxSize: 10})
	if err != nil {
		return fmt.Errorf("Open() after others were refused: %w", err)
	}
	return q.Close()
})

// usualAttr is what a queue gets for which none is asked: the default, or the limit where
// that is lower (mq_overview(7)).
func usualAttr() (a mqueue.Attr, err error) {
	a = mqueue.Attr{MaxMessages: math.MaxInt, MaxSize: math.MaxInt}
	for _, one := range []struct {
		key string
		to  *int
	}{{"msg_default", &a.MaxMessages}, {"msg_max", &a.MaxMessages}, {"msgsize_default", &a.MaxSize}, {"msgsize_max", &a.MaxSize}} {
		text, err := os.ReadFile("/proc/sys/fs/mqueue/" + one.key)
		if err != nil {
			return a, err
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return a, err
		}
		*one.to = min(*one.to, n)
	}
	return a, nil
}
