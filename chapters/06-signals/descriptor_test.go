package signals_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	signals "ipcworkbook/chapters/06-signals"
	"ipcworkbook/harness/lab"
)

// Step 13: a Process is one process: it ends once, everybody can see that, and nobody's status
// is taken.
func TestProcessIsHeldByItsPidfd(t *testing.T) {
	l := lab.New(t)
	parent := l.Start(hasAChild)
	var pid int
	parent.Report(&pid)
	p, err := signals.Open(pid)
	require.NoError(l, err, "Open() of a process that is nobody's child here")
	l.CloseAtEnd(p)
	require.Equal(l, pid, p.PID(), "PID()")
	require.False(l, p.Ended(), "Ended() of a process that is there")
	require.NoError(l, p.Signal(unix.SIGWINCH), "Process.Signal() of SIGWINCH, at which nothing happens")
	require.Equal(l, "readable: false, close-on-exec: true", looks(p), "the descriptor of a Process that is there")

	ctx, cancel := context.WithCancel(forever)
	first, second := l.Call("Process.Wait()", func() error { return p.Wait(forever) }), l.Call("Process.Wait() whose context ends", func() error { return p.Wait(ctx) })
	first.Blocks("the process has not ended")
	first.Interrupt(2)
	first.Blocks("only SIGURG came, and the process has not ended")
	cancel()
	second.ReturnsSoon(context.Canceled)
	first.Blocks("the other one's context has ended, and the process has not")
	parent.Go() // it lets the child end
	first.ReturnsSoon(nil)
	child := l.Other("the child", pid)
	l.Until("the child, for which its parent has not waited: Wait() must not take its status.", lab.IsZombie(child))
	require.True(l, p.Ended(), "Ended() of a process that has ended and that nobody has waited for")
	err = p.Signal(unix.SIGWINCH)
	require.ErrorIs(l, err, unix.ESRCH, "Process.Signal() to a process that has ended and that nobody has waited for: kill(2) takes it without a word.")
	require.Regexp(l, namesWinch, err.Error(), "the error of Process.Signal() to a process that has ended: does it name the signal?")
	require.Contains(l, err.Error(), strconv.Itoa(pid), "the error of Process.Signal() to a process that has ended: does it name the process?")
	require.NoError(l, p.Wait(ctx), "Process.Wait() of a process that has ended, with a context that has ended")
	require.Equal(l, "readable: true, close-on-exec: true", looks(p), "the descriptor of a Process that has ended")
	late, err := signals.Open(pid)
	require.NoError(l, err, "Open() of a process that has ended and that nobody has waited for")
	require.True(l, late.Ended(), "Ended() of it")
	require.NoError(l, late.Close(), "Process.Close()")
	for range 100 {
		again, err := signals.Open(pid)
		require.NoError(l, err, "Open() of a process that has ended and that nobody has waited for")
		require.True(l, again.Ended(), "Ended() at once after Open(), of a process that has ended: is it a goroutine that sees the end, some time later?")
		require.NoError(l, again.Close(), "Process.Close()")
	}
	parent.Go() // it waits for it
	require.Equal(l, "exit status 3", said(parent), "the status that the child's parent gets")
	require.ErrorIs(l, p.Signal(unix.SIGWINCH), unix.ESRCH, "Process.Signal() to a process that is gone")
	require.True(l, p.Ended(), "Ended() of a process that is gone")
	require.NoError(l, p.Wait(forever), "Process.Wait() of a process that is gone")
	_, err = signals.Open(pid)
	require.ErrorIs(l, err, unix.ESRCH, "Open() of a process that is gone")
	require.Contains(l, err.Error(), strconv.Itoa(pid), "the error of Open(): does it name the process?")
	require.NoError(l, parent.Wait(), "the parent")
	require.NoError(l, p.Close(), "Process.Close()")
	require.ErrorIs(l, p.Wait(forever), os.ErrClosed, "Process.Wait() after Close(), of a process whose end an earlier Wait() has seen: Close() counts more than what was seen.")
	require.False(l, p.Ended(), "Ended() after Close(), of a process whose end an earlier Wait() has seen: Close() counts more than what was seen.")

	other := started(l, listens)
	l.Rests()
	before, err := openWithPoller()
	require.NoError(l, err, "looking at the descriptors")
	open, err := signals.Open(other.PID())
	require.NoError(l, err, "Open()")
	timed, stop := context.WithCancel(forever)
	leaves := l.Call("Process.Wait() whose context ends, the only one", func() error { return open.Wait(timed) })
	leaves.Blocks("the process has not ended")
	stop()
	leaves.ReturnsSoon(context.Canceled)
	require.NoError(l, open.Signal(unix.SIGUSR1), "Process.Signal()")
	require.Equal(l, "SIGUSR1", said(other), "what came there")
	waits := l.Call("Process.Wait() while Close() is called", func() error { return open.Wait(forever) })
	waits.Blocks("the process has not ended")
	require.NoError(l, open.Close(), "Process.Close()")
	waits.ReturnsSoon(os.ErrClosed)
	require.ErrorIs(l, open.Close(), os.ErrClosed, "Process.Close(), the second time")
	require.ErrorIs(l, open.Signal(unix.SIGUSR1), os.ErrClosed, "Process.Signal() after Close()")
	require.ErrorIs(l, open.Signal(0), signals.ErrSignal, "Process.Signal() of a number that is no signal, after Close()")
	require.ErrorIs(l, open.Wait(ctx), os.ErrClosed, "Process.Wait() after Close(), with a context that has ended")
	require.False(l, open.Ended(), "Ended() after Close()")
	_, err = open.SyscallConn()
	require.ErrorIs(l, err, os.ErrClosed, "Process.SyscallConn() after Close()")
	l.Rests()
	require.NoError(l, nothingLeft("Process.Close(), while the process goes on,", before), "what is left")
	require.NoError(l, signals.Send(other.PID(), unix.SIGUSR2), "Send()")
	require.Equal(l, "SIGUSR2", said(other), "what came after SIGUSR1: Signal() after Close() must not have sent anything.")
	require.NoError(l, other.Wait(), "the process that listens")
	require.NoError(l, l.Start(opensWithoutRoom).Wait(), "Open() in a process that may have no more descriptors: is the error the kernel's, and is nothing left open?")
}

// opensWithoutRoom opens itself while it may have no descriptor more, then one, then two.
var opensWithoutRoom = lab.NewRole("process without a free descriptor", func(c *lab.Child) error {
	before, err := openWithPoller()
	if err != nil {
		return err
	}
	free, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	var limit unix.Rlimit
	if err := errors.Join(unix.Close(free), unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)); err != nil {
		return err
	}
	for more := range 3 {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(free + more), Max: limit.Max}); err != nil {
			return err
		}
		p, opened := signals.Open(os.Getpid())
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
		if opened == nil {
			return p.Close()
		}
		if !errors.Is(opened, unix.EMFILE) {
			return fmt.Errorf("Open() with room for %d descriptors: expected EMFILE, and got: %v", more, opened)
		}
		if err := nothingLeft(fmt.Sprintf("an Open() with room for %d descriptors", more), before); err != nil {
			return err
		}
	}
	return nil
})

// hasAChild has one that ends at the first word, and is waited for at the second one.
var hasAChild = lab.NewRole("process that has a child", func(c *lab.Child) error {
	cmd := exec.Command("sh", "-c", "read x; exit 3")
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	c.Report(cmd.Process.Pid)
	c.Wait()
	if err := in.Close(); err != nil {
		return err
	}
	c.Wait()
	_ = cmd.Wait()
	c.Report(cmd.ProcessState.String())
	return nil
})

// Step 14: a Process never becomes another one, also if its number is used again.
func TestPidfdHitsNoStranger(t *testing.T) {
	l := lab.New(t)
	var olds []*lab.Process
	var open []*signals.Process
	for range 4 {
		old := started(l, listens)
		p, err := signals.Open(old.PID())
		require.NoError(l, err, "Open()")
		l.CloseAtEnd(p)
		olds, open = append(olds, old), append(open, p)
	}
	for _, old := range olds {
		require.NoError(l, signals.Send(old.PID(), unix.SIGUSR2), "Send()")
		require.Equal(l, "SIGUSR2", said(old), "what came there")
		require.NoError(l, old.Wait(), "the process that listens")
	}

	next, of := l.SamePID(olds, listens)
	said(next)
	p := open[of]
	require.Equal(l, next.PID(), p.PID(), "PID() of a Process whose number another one has")
	for _, sig := range []syscall.Signal{unix.SIGUSR1, unix.SIGHUP} {
		require.ErrorIs(l, p.Signal(sig), unix.ESRCH, "Process.Signal() of a Process that has ended, whose number another one has: was the pid kept, or the pidfd?")
	}
	require.True(l, p.Ended(), "Ended() of a Process whose number another one has")
	require.NoError(l, p.Wait(forever), "Process.Wait() of a Process whose number another one has")
	require.NoError(l, signals.Send(next.PID(), unix.SIGUSR2), "Send()")
	require.Equal(l, "SIGUSR2", said(next), "what came first to the process that has the number now")
	require.NoError(l, next.Wait(), fmt.Sprintf("process %d", next.PID()))
}
