package signals_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	signals "ipcworkbook/chapters/06-signals"
	"ipcworkbook/harness/lab"
)

// Real-time signals of these tests.
const (
	real0 = syscall.Signal(signals.MinReal)
	real1 = real0 + 1
	real2 = real0 + 2
)

// forever is the context of a call that nothing but its event ends.
var forever = context.Background()

// listens reports each signal that comes, until SIGUSR2.
var listens = lab.NewRole("process that listens", listening)

func listening(c *lab.Child) error {
	s, err := signals.Listen(unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2, real1)
	if err != nil {
		return fmt.Errorf("Listen(): %w", err)
	}
	c.Report("it listens")
	for {
		sig, err := s.Wait(forever)
		if err != nil {
			return fmt.Errorf("Wait(): %w", err)
		}
		c.Report(called(sig))
		if sig == unix.SIGUSR2 {
			return s.Close()
		}
	}
}

// started starts a role that reports once when it is ready.
func started(l *lab.Lab, role *lab.Role, handed ...lab.Handed) *lab.Process {
	p := l.Start(role, handed...)
	said(p)
	return p
}

// said is what a process reports next, as a text.
func said(p *lab.Process) (text string) {
	p.Report(&text)
	return text
}

// Step 1: a signal arrives, from another process and from oneself.
func TestSignalArrives(t *testing.T) {
	l := lab.New(t)
	other := started(l, listens)
	other.Blocks("no signal was sent")
	for range 3 {
		require.NoError(l, signals.Send(other.PID(), unix.SIGUSR1), "Send() of SIGUSR1 to a process that listens")
		require.Equal(l, "SIGUSR1", said(other), "what Listener.Wait() returned there")
	}
	other.Interrupt(2)
	other.Blocks("only SIGURG came, for which it does not listen")
	require.NoError(l, signals.Send(other.PID(), unix.SIGUSR2), "Send() of SIGUSR2 to a process that listens")
	require.Equal(l, "SIGUSR2", said(other), "what Listener.Wait() returned there")
	require.NoError(l, other.Wait(), "the process that listens")
	require.ErrorIs(l, signals.Send(other.PID(), unix.SIGUSR2), unix.ESRCH, "Send() to a process that has ended and was waited for")

	s, err := signals.Listen(unix.SIGUSR1, real1)
	require.NoError(l, err, "Listen() in this process")
	wait := l.Call("Listener.Wait() of a signal that this process has sent to itself", func() error { return waitFor(s, real1) })
	wait.Blocks("no signal was sent")
	require.NoError(l, signals.Send(os.Getpid(), real1), "Send() to this process itself")
	wait.Returns(nil)
	require.NoError(l, s.Close(), "Close()")
}

// waitFor is nil if Wait returns this signal.
func waitFor(s *signals.Listener, want syscall.Signal) error {
	sig, err := s.Wait(forever)
	if err == nil && sig != want {
		err = fmt.Errorf("Wait() returned signal %d, not %d", sig, want)
	}
	return err
}

// inPackage are the functions of the package in which goroutines stand. Ask when none is to be
// there any more.
func inPackage() (functions []string) {
	buf := make([]byte, 1<<20)
	for line := range strings.Lines(string(buf[:runtime.Stack(buf, true)])) {
		if _, function, is := strings.Cut(line, "ipcworkbook/chapters/06-signals."); is && !strings.HasPrefix(function, "TestMain") {
			functions = append(functions, strings.TrimSpace(function))
		}
	}
	return functions
}

// notOne are numbers that are none of a single process. The kernel takes 0 for the caller's
// group, -1 for everybody, and of the large ones it looks at 32 bits.
func notOne(of int) []int {
	return []int{0, 1, -1, -2, -of, math.MinInt32, math.MinInt, 1 << 31, 1 << 32, 1<<32 + 1, 1<<32 + of, math.MaxInt}
}

// noSignals are numbers that no signal has. The kernel looks at 32 bits of these, too.
var noSignals = []syscall.Signal{0, -1, 65, 1 << 32, 1<<32 + unix.SIGWINCH, math.MinInt, math.MaxInt}

// Step 2: what cannot be meant is refused before the kernel sees it. All of it is tried with
// SIGWINCH, which does nothing to those that it hits by mistake.
func TestKernelNeverSeesWhatCannotBe(t *testing.T) {
	l := lab.New(t)
	hit := make(chan os.Signal, 1)
	signal.Notify(hit, unix.SIGWINCH)
	defer signal.Stop(hit)
	other := started(l, listens)
	pid := other.PID()
	for _, f := range []struct {
		name string
		send func(pid int, sig syscall.Signal) error
	}{
		{"Send(%d, signal %d)", signals.Send},
		{"SendGroup(%d, signal %d)", signals.SendGroup},
		{"SendThread(%d, a thread, signal %d)", func(to int, sig syscall.Signal) error { return signals.SendThread(to, pid, sig) }},
		{"SendThread(a process, %d, signal %d)", func(to int, sig syscall.Signal) error { return signals.SendThread(pid, to, sig) }},
		{"Queue(%d, signal %d, 7)", func(to int, sig syscall.Signal) error { return signals.Queue(to, sig, 7) }},
	} {
		for _, bad := range notOne(pid) {
			require.ErrorIs(l, f.send(bad, unix.SIGWINCH), signals.ErrPID, f.name, bad, unix.SIGWINCH)
		}
		for _, bad := range noSignals {
			require.ErrorIs(l, f.send(pid, bad), signals.ErrSignal, f.name, pid, bad)
		}
		require.ErrorIs(l, f.send(0, 0), signals.ErrPID, f.name+", which are both wrong: the pid is looked at first.", 0, 0)
	}
	require.ErrorIs(l, signals.SendGroup(unix.Getpgrp(), unix.SIGWINCH), signals.ErrPID, "SendGroup() to the caller's own group")
	moved := l.Start(movesAway)
	require.Equal(l, "refused", said(moved), "SendGroup() to the caller's own group, in a process that has moved to another one (setpgid(2)) since it began")
	require.NoError(l, moved.Wait(), "the process that has moved")
	for _, bad := range notOne(pid) {
		_, err := signals.Open(bad)
		require.ErrorIs(l, err, signals.ErrPID, "Open(%d)", bad)
	}
	p, err := signals.Open(pid)
	require.NoError(l, err, "Open() of a process that is there")
	for _, bad := range noSignals {
		require.ErrorIs(l, p.Signal(bad), signals.ErrSignal, "Process.Signal(signal %d)", bad)
	}
	require.NoError(l, p.Close(), "Process.Close()")
	for _, value := range []int{1 << 31, -1<<31 - 1, math.MaxInt, math.MinInt, 1 << 32} {
		require.ErrorIs(l, signals.Queue(pid, unix.SIGWINCH, value), signals.ErrValue, "Queue() with the number %d", value)
	}
	require.ErrorIs(l, signals.Queue(pid, 0, 1<<31), signals.ErrSignal, "Queue() with a wrong signal and a wrong number: the signal is looked at first.")
	l.Rests()
	require.Empty(l, hit, "signals that have come to this process: a call that returns the right error must not have sent anything before.")
	other.Kill()
}

var movesAway = lab.NewRole("process that moves to a group of its own", func(c *lab.Child) error {
	if err := unix.Setpgid(0, 0); err != nil {
		return fmt.Errorf("setpgid(0, 0): %w", err)
	}
	err := signals.SendGroup(unix.Getpgrp(), unix.SIGWINCH)
	if errors.Is(err, signals.ErrPID) {
		c.Report("refused")
	} else {
		c.Report(fmt.Sprint(err))
	}
	return nil
})

// Step 3: a process of another user is EPERM.
func TestAnotherUsersProcessIsEPERM(t *testing.T) {
	l := lab.New(t)
	target := started(l, listens, lab.OwnGroup())
	other := started(l, stranger, lab.Tell("pid", strconv.Itoa(target.PID())))
	if missing := said(other); missing != "" {
		l.Unsupported("Only root may become another user, who may not signal this one: %s.", missing)
	}
	for range 5 {
		require.Equal(l, unix.EPERM.Error(), said(other), "what a process of another user gets, from Send, SendGroup, SendThread, Queue, and Signal of a Process")
	}
	require.NoError(l, other.Wait(), "the process of another user")
	target.Kill()
}

var stranger = lab.NewRole("process of another user", func(c *lab.Child) error {
	pid, err := strconv.Atoi(c.Text("pid"))
	if err != nil {
		return err
	}
	p, err := signals.Open(pid) // anybody may
	if err != nil {
		return fmt.Errorf("Open(): %w", err)
	}
	c.Report("ready")
	const nobody = 65534
	for _, become := range []func() error{
		func() error { return syscall.Setgroups(nil) }, func() error { return syscall.Setgid(nobody) }, func() error { return syscall.Setuid(nobody) },
	} {
		if err := become(); err != nil {
			c.Report(err.Error())
			return nil
		}
	}
	c.Report("")
	for _, err := range []error{
		signals.Send(pid, unix.SIGWINCH), signals.SendGroup(pid, unix.SIGWINCH), signals.SendThread(pid, pid, unix.SIGWINCH),
		signals.Queue(pid, unix.SIGWINCH, 7), p.Signal(unix.SIGWINCH),
	} {
		if names := regexp.MustCompile(fmt.Sprintf(`\b%d\b`, pid)); err != nil && !(names.MatchString(err.Error()) && namesWinch.MatchString(err.Error())) {
			c.Report(fmt.Sprintf("%q, which does not name process %d and SIGWINCH", err, pid))
			continue
		}
		c.Report(errno(err))
	}
	return p.Close()
})

// namesWinch finds SIGWINCH, however it is called.
var namesWinch = regexp.MustCompile(`SIGWINCH|window changed|\b28\b`)

// errno is the kernel's error alone, or else all of it.
func errno(err error) string {
	for _, one := range []syscall.Errno{unix.EPERM, unix.ESRCH} {
		if errors.Is(err, one) {
			return one.Error()
		}
	}
	return fmt.Sprint(err)
}

// Step 4: a group and a thread are reached, and nobody else.
func TestGroupAndThreadAreReached(t *testing.T) {
	l := lab.New(t)
	leader := started(l, listens, lab.OwnGroup())
	member := l.Start(joins, lab.Tell("group", strconv.Itoa(leader.PID())))
	said(member)
	bystander := started(l, listens)
	require.NoError(l, signals.SendGroup(leader.PID(), unix.SIGUSR1), "SendGroup() to a group of two")
	require.Equal(l, "SIGUSR1", said(leader), "what came to the leader")
	require.Equal(l, "SIGUSR1", said(member), "what came to the other one in the group")
	for _, p := range []*lab.Process{bystander, leader, member} {
		require.NoError(l, signals.Send(p.PID(), unix.SIGUSR2), "Send() of SIGUSR2")
		require.Equal(l, "SIGUSR2", said(p), "what comes next to one of three: the one that is in another group must not get SIGUSR1.")
		require.NoError(l, p.Wait(), "a process that listens")
	}
	require.ErrorIs(l, signals.SendGroup(leader.PID(), unix.SIGUSR1), unix.ESRCH, "SendGroup() to a group that has nobody any more")

	p := started(l, holdsStill, lab.Blocked(unix.SIGUSR1, real1))
	threads := threadsOf(l, p.PID())
	require.NotEmpty(l, threads, "threads of a Go program beside its first one")
	last := threads[len(threads)-1]
	require.NoError(l, signals.SendThread(p.PID(), last, unix.SIGUSR1), "SendThread() to thread %d of process %d, which blocks the signal", last, p.PID())
	require.Equal(l, "SIGUSR1", pending(l, p.PID(), last, "SigPnd"), "what is pending for that thread")
	require.Equal(l, "", pending(l, p.PID(), last, "ShdPnd"), "what is pending for the process as a whole: kill(2) with a thread's number signals its process.")
	require.Equal(l, "", pending(l, p.PID(), p.PID(), "SigPnd"), "what is pending for its first thread")
	require.ErrorIs(l, signals.SendThread(os.Getpid(), last, unix.SIGUSR1), unix.ESRCH, "SendThread() to a thread of another process than the one that is named")
	p.Exit()
	require.ErrorIs(l, signals.SendThread(p.PID(), last, unix.SIGUSR1), unix.ESRCH, "SendThread() to a process that has ended")
}

var joins = lab.NewRole("process that joins the group", func(c *lab.Child) error {
	group, err := strconv.Atoi(c.Text("group"))
	if err != nil {
		return err
	}
	if err := unix.Setpgid(0, group); err != nil {
		return fmt.Errorf("setpgid(0, %d): %w", group, err)
	}
	return listening(c)
})

// holdsStill does nothing until the test lets it go on.
var holdsStill = lab.NewRole("process that holds still", func(c *lab.Child) error {
	c.Report("ready")
	c.Wait()
	return nil
})
