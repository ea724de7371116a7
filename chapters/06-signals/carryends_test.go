package signals_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	signals "ipcworkbook/chapters/06-signals"
	"ipcworkbook/harness/lab"
)

// Step 11: who waits sleeps; a deadline and Close end it, and the descriptor can be polled.
func TestRecvWaits(t *testing.T) {
	l := lab.New(t)
	p := started(l, receivesInTurns, lab.Blocked(boxed...))
	for range 2 {
		p.Go()
		p.Blocks("no signal was sent: does Recv() look again and again?")
		p.Interrupt(3)
		p.Blocks("only SIGURG came, which is not for the inbox")
		require.NoError(l, signals.Queue(p.PID(), real1, 3), "Queue()")
		require.Equal(l, "3, <nil>", said(p), "what Recv() returned")
	}
	require.Equal(l, "0, i/o timeout", said(p), "what RecvUntil() returned whose deadline was near")
	require.Equal(l, "0, i/o timeout", said(p), "what RecvUntil() returned whose deadline had passed")
	p.Go()
	p.Blocks("Recv() has no deadline, whatever the last call had")
	p.Interrupt(1)
	require.NoError(l, signals.Queue(p.PID(), real1, 4), "Queue()")
	require.Equal(l, "4, <nil>", said(p), "what Recv() returned: it has no deadline, whatever the last call had.")
	require.NoError(l, signals.Queue(p.PID(), real1, 5), "Queue()")
	p.Go()
	require.Equal(l, "5, <nil>", said(p), "what RecvUntil() returned whose deadline had passed, where a signal was there")
	p.Go()
	p.Blocks("the deadline is in the year 2300")
	require.NoError(l, signals.Queue(p.PID(), real1, 6), "Queue()")
	require.Equal(l, "6, <nil>", said(p), "what RecvUntil() returned whose deadline is in the year 2300")
	require.NoError(l, p.Wait(), "the process with the inbox")

	for _, how := range []string{"Recv", "RecvUntil"} {
		p := started(l, closesInside, lab.Tell("how", how), lab.Blocked(boxed...))
		p.Blocks("no signal was sent")
		p.Go()
		require.Equal(l, "close: <nil>", said(p), "what Close() returned while %s() waited", how)
		require.Equal(l, "0, file already closed", said(p), "what %s() returned that waited while Close() was called", how)
		require.Equal(l, "0, file already closed", said(p), "what Recv() returned after Close()")
		require.Equal(l, "close: file already closed", said(p), "what Close() returned the second time")
		require.Equal(l, "file already closed", said(p), "what SyscallConn() returned after Close()")
		require.NoError(l, signals.Queue(p.PID(), real1, 1), "Queue()")
		p.Blocks("the signals stay blocked after Close()", lab.HasPending(p, real1), lab.HasBlocked(p, boxed...))
		p.Exit()
	}

	l.RefusesCalls()
	polled := l.Start(polls, lab.Blocked(boxed...))
	require.Equal(l, "readable: false, close-on-exec: true", said(polled), "the descriptor of an Inbox for which nothing is pending: it has to be close-on-exec from its first moment, and not by a second call (fcntl(2) with F_SETFD), before which another goroutine may start a program.")
	require.NoError(l, signals.Send(polled.PID(), unix.SIGUSR2), "Send()")
	polled.Go()
	require.Equal(l, "readable: true, close-on-exec: true", said(polled), "the descriptor of an Inbox for which a signal is pending")
	require.NoError(l, polled.Wait(), "the process with the inbox")
}

var receivesInTurns = lab.NewRole("process that receives in turns", func(c *lab.Child) error {
	b, err := signals.OpenInbox(boxed...)
	if err != nil {
		return fmt.Errorf("OpenInbox(): %w", err)
	}
	c.Report("open")
	tell := func(info signals.Info, err error) { c.Report(outcome(info, err)) }
	for range 2 {
		c.Wait()
		tell(b.Recv())
	}
	tell(b.RecvUntil(time.Now().Add(5 * time.Millisecond)))
	tell(b.RecvUntil(time.Unix(1, 0)))
	c.Wait()
	tell(b.Recv())
	c.Wait()
	tell(b.RecvUntil(time.Unix(1, 0)))
	c.Wait()
	tell(b.RecvUntil(time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)))
	return b.Close()
})

// outcome is what a call returned, in words.
func outcome(info signals.Info, err error) string {
	return fmt.Sprintf("%d, %v", info.Value, bare(err))
}

// bare is the error that others are wrapped around.
func bare(err error) error {
	for _, one := range []error{os.ErrDeadlineExceeded, os.ErrClosed} {
		if errors.Is(err, one) {
			return one
		}
	}
	return err
}

var closesInside = lab.NewRole("process that closes its inbox", func(c *lab.Child) error {
	before, err := openWithPoller()
	if err != nil {
		return err
	}
	b, err := signals.OpenInbox(boxed...)
	if err != nil {
		return fmt.Errorf("OpenInbox(): %w", err)
	}
	returned := make(chan string, 1)
	go func() {
		if c.Text("how") == "Recv" {
			returned <- outcome(b.Recv())
			return
		}
		returned <- outcome(b.RecvUntil(time.Now().Add(10000 * time.Hour)))
	}()
	c.Report("open")
	c.Wait()
	c.Report(fmt.Sprint("close: ", bare(b.Close())))
	c.Report(<-returned)
	c.Report(outcome(b.Recv()))
	c.Report(fmt.Sprint("close: ", bare(b.Close())))
	_, err = b.SyscallConn()
	c.Report(fmt.Sprint(bare(err)))
	c.Wait() // until all sleeps
	return nothingLeft("Inbox.Close()", before)
})

// openWithPoller is how many descriptors there are, with those of Go's poller, which it has from
// the first file on.
func openWithPoller() (int, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	if err := errors.Join(r.Close(), w.Close()); err != nil {
		return 0, err
	}
	all, err := os.ReadDir("/proc/self/fd")
	return len(all), err
}

// nothingLeft is an error if there is a goroutine of the package, or a descriptor more than before.
func nothingLeft(after string, before int) error {
	if left := inPackage(); len(left) > 0 {
		return fmt.Errorf("after %s a goroutine is left, in %s", after, left[0])
	}
	all, err := os.ReadDir("/proc/self/fd")
	if err == nil && len(all) > before {
		err = fmt.Errorf("after %s %d descriptors are open, and before there were %d: %v", after, len(all), before, links(all))
	}
	return err
}

// polls asks that a second call makes no descriptor close-on-exec: a program that another
// goroutine starts in between would inherit it.
var polls = lab.NewRole("process that polls its inbox", func(c *lab.Child) error {
	if err := c.RefuseCloseOnExec(); err != nil {
		return err
	}
	b, err := signals.OpenInbox(boxed...)
	if err != nil {
		return fmt.Errorf("OpenInbox(): %w", err)
	}
	c.Report(looks(b))
	c.Wait()
	c.Report(looks(b))
	return b.Close()
})

// looks says what poll(2) and fcntl(2) show of a descriptor.
func looks(end syscall.Conn) string {
	raw, err := end.SyscallConn()
	if err != nil {
		return fmt.Sprint("SyscallConn(): ", err)
	}
	readable, closes := false, false
	err = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		for err == unix.EINTR {
			n, err = unix.Poll(p, 0)
		}
		readable = n == 1
		flags, _ := unix.FcntlInt(fd, unix.F_GETFD, 0)
		closes = flags&unix.FD_CLOEXEC != 0
	})
	if err != nil {
		return fmt.Sprint("Control(): ", err)
	}
	return fmt.Sprintf("readable: %v, close-on-exec: %v", readable, closes)
}

// Step 12: the queue's limit is EAGAIN, and the error says which limit.
func TestQueueIsFull(t *testing.T) {
	l := lab.New(t)
	p := l.Start(limited, lab.Blocked(boxed...))
	limit := said(p)
	// How many find room others decide too: the limit counts what is queued for all processes
	// of a user.
	sent := 0
	var err error
	for ; err == nil && sent < 1000; sent++ {
		err = signals.Queue(p.PID(), real1, sent)
	}
	require.ErrorIs(l, err, unix.EAGAIN, "Queue() of many to a process of whose user %s signals may be queued (RLIMIT_SIGPENDING)", limit)
	text := strings.TrimSuffix(err.Error(), ": "+unix.EAGAIN.Error())
	require.Contains(l, text, "RLIMIT_SIGPENDING", "the error of Queue(): does it name the limit?")
	require.Regexp(l, regexp.MustCompile(`\b\d+ of `+limit+`\b`), text, "the error of Queue(): the numbers are those of the receiver, whose limit is another one than the sender's.")
	got := received(p)
	require.Len(l, got, sent-1, "what was received of %d that Queue() has sent without an error", sent-1)
	p.Kill()
}

// limited lowers its own limit to what its user has queued now, and a few more.
var limited = lab.NewRole("process with a low limit", func(c *lab.Child) error {
	b, err := signals.OpenInbox(boxed...)
	if err != nil {
		return fmt.Errorf("OpenInbox(): %w", err)
	}
	limit := queuedNow() + 9
	if err := unix.Setrlimit(unix.RLIMIT_SIGPENDING, &unix.Rlimit{Cur: uint64(limit), Max: uint64(limit)}); err != nil {
		return err
	}
	c.Report(strconv.Itoa(limit))
	return takesAll(c, b)
})

// queuedNow is how many signals are queued for this process's user.
func queuedNow() int {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "\nSigQ:\t")
	number, _, _ := strings.Cut(rest, "/")
	n, _ := strconv.Atoi(number)
	return n
}
