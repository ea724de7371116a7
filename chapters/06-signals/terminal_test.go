package signals_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	signals "ipcworkbook/chapters/06-signals"
	"ipcworkbook/harness/lab"
)

// Step 23: at a terminal Ctrl-C reaches the foreground group, which may be moved.
func TestForegroundGroupHasTheTerminal(t *testing.T) {
	l := lab.New(t)
	none, _ := aPipe(l)
	require.ErrorIs(l, signals.Foreground(none, os.Getpid()), unix.ENOTTY, "Foreground() of what is no terminal")
	for _, bad := range notOne(os.Getpid()) {
		require.ErrorIs(l, signals.Foreground(none, bad), signals.ErrPID, "Foreground() with group %d", bad)
	}

	term := l.Terminal()
	r, w := aPipe(l)
	p := l.Start(hasAJob, lab.OnTerminal(term), lab.HandOver("r", r), lab.Tell("stranger", strconv.Itoa(unix.Getpgrp())))
	require.Equal(l, "kept: true, shared: false", said(p), "what InGroup() made of a SysProcAttr that other commands have too: what it had is kept, and the others' is not changed.")
	job := l.Other("the job", pidSaid(l, p))
	l.Until("the job, after InGroup()", lab.InGroup(job, job.PID()))
	require.Equal(l, p.PID(), term.Foreground(), "the terminal's foreground group at the start")
	p.Go()
	require.Equal(l, "foreground: <nil>", said(p), "what Foreground() returned, for a job of this session")
	require.Equal(l, job.PID(), term.Foreground(), "the terminal's foreground group after Foreground()")
	term.Type("\x03")
	require.Equal(l, "killed by SIGINT", said(p), "how the job ended, when Ctrl-C was typed")
	require.Equal(l, "foreground: <nil>", said(p), "what Foreground() returned in a process that was in the background: SIGTTOU stops it, unless the thread blocks that. Where nobody could let it go on again, as here, the kernel says ENOTTY.")
	require.Equal(l, "a thread for others, too: false", said(p), "whether other goroutines may run on the thread that blocks SIGTTOU, or this one may go on on another thread: a mask belongs to a thread.")
	require.Equal(l, p.PID(), term.Foreground(), "the terminal's foreground group after Foreground() from the background")
	asItWas(l, p)
	p.Go()
	require.Equal(l, "gone: no such process, a stranger's: operation not permitted", said(p), "what Foreground() returned for a group that is gone, and for one of another session")
	asItWas(l, p)
	p.Go()
	require.Equal(l, "it listens", said(p), "what the process does next")
	term.Type("\x03")
	require.Equal(l, "SIGINT", said(p), "what a Listener got when Ctrl-C was typed, in a process that has the terminal again")
	term.Resize(100, 30)
	require.Equal(l, "SIGWINCH", said(p), "what a Listener got when the window's size was changed")
	term.HangUp()
	require.Equal(l, "SIGHUP", said(p), "what a Listener got when the terminal was closed")
	require.NoError(l, w.Close(), "closing")
	require.NoError(l, p.Wait(), "the process at the terminal")

	own := l.Terminal()
	blocks := l.Start(blocksSIGTTOU, lab.OnTerminal(own), lab.Blocked(unix.SIGTTOU))
	require.Equal(l, "foreground: <nil>", said(blocks), "what Foreground() returned in a process that blocks SIGTTOU")
	require.Equal(l, "blocked: true, locked: false", said(blocks), "whether the thread blocks SIGTTOU after Foreground(), as it did before, and whether the goroutine is still locked to it")
	require.Equal(l, "no group: no such process, blocked: true", said(blocks), "what Foreground() returned for a group that is not there, and whether the thread blocks SIGTTOU then")
	require.NoError(l, blocks.Wait(), "the process that blocks SIGTTOU")
}

// asItWas asserts of all threads of a process that they neither block nor ignore SIGTTOU.
func asItWas(l *lab.Lab, p *lab.Process) {
	l.Rests()
	for _, tid := range append(threadsOf(l, p.PID()), p.PID()) {
		first := ""
		if tid == p.PID() {
			first = " This one is the program's first thread: Go never ends it, also if a goroutine ends that is locked to it."
		}
		for _, name := range []string{"SigBlk", "SigIgn"} {
			bits, err := strconv.ParseUint(field(l, p.PID(), tid, name), 16, 64)
			require.NoError(l, err, "the mask of thread %d", tid)
			if name == "SigBlk" && bits&(1<<(unix.SIGTERM-1)) != 0 {
				continue // it is only just born
			}
			require.NotContains(l, inMask(bits), "SIGTTOU", "SIGTTOU in %s of thread %d after Foreground(): it is to be as it was, for this process and for what it starts.%s", name, tid, first)
		}
	}
}

// looksAtIt is a terminal that looks at the goroutine that has to do with it: does its thread block
// SIGTTOU, and is it not locked to it?
type looksAtIt struct {
	syscall.Conn
	loose *bool
}

type looking struct {
	syscall.RawConn
	loose *bool
}

func (t looksAtIt) SyscallConn() (syscall.RawConn, error) {
	raw, err := t.Conn.SyscallConn()
	return looking{raw, t.loose}, err
}

func (t looking) Control(f func(fd uintptr)) error {
	return t.RawConn.Control(func(fd uintptr) {
		*t.loose = *t.loose || blocksTTOU() && !isLocked()
		f(fd)
	})
}

// isLocked reports whether this goroutine is locked to its thread (runtime.LockOSThread).
func isLocked() bool {
	stack := make([]byte, 200)
	first, _, _ := strings.Cut(string(stack[:runtime.Stack(stack, false)]), "\n")
	return strings.Contains(first, "locked to thread")
}

// blocksTTOU reports whether this thread blocks SIGTTOU.
func blocksTTOU() bool {
	var now unix.Sigset_t
	err := unix.PthreadSigmask(unix.SIG_BLOCK, nil, &now)
	return err == nil && now.Val[0]&(1<<(unix.SIGTTOU-1)) != 0
}

var blocksSIGTTOU = lab.NewRole("process that blocks SIGTTOU", func(c *lab.Child) error {
	tty := c.File("terminal")
	err := signals.Foreground(tty, unix.Getpgrp())
	c.Report(fmt.Sprint("foreground: ", err))
	c.Report(fmt.Sprintf("blocked: %v, locked: %v", blocksTTOU(), isLocked()))
	err = signals.Foreground(tty, 1<<30)
	c.Report(fmt.Sprintf("no group: %s, blocked: %v", errno(err), blocksTTOU()))
	return nil
})

var hasAJob = lab.NewRole("process with a job", func(c *lab.Child) error {
	var loose bool
	tty := looksAtIt{c.File("terminal"), &loose}
	job := exec.Command("cat")
	job.Stdin = c.File("r")
	shared := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Pgid: unix.Getpgrp()}
	job.SysProcAttr = shared
	signals.InGroup(job)
	c.Report(fmt.Sprintf("kept: %v, shared: %v", job.SysProcAttr.Pdeathsig == syscall.SIGKILL, shared.Setpgid))
	if err := job.Start(); err != nil {
		return err
	}
	c.Report(strconv.Itoa(job.Process.Pid))
	c.Wait()
	c.Report(fmt.Sprint("foreground: ", signals.Foreground(tty, job.Process.Pid)))
	c.Report(how(job, job.Wait()))
	c.Report(fmt.Sprint("foreground: ", signals.Foreground(tty, unix.Getpgrp())))
	c.Report(fmt.Sprint("a thread for others, too: ", loose))
	c.Wait()
	stranger, err := strconv.Atoi(c.Text("stranger"))
	if err != nil {
		return err
	}
	c.Report(fmt.Sprintf("gone: %s, a stranger's: %s", errno(signals.Foreground(tty, job.Process.Pid)), errno(signals.Foreground(tty, stranger))))
	c.Wait()
	s, err := signals.Listen(unix.SIGINT, unix.SIGWINCH, unix.SIGHUP)
	if err != nil {
		return fmt.Errorf("Listen(): %w", err)
	}
	c.Report("it listens")
	for range 3 {
		sig, err := s.Wait(forever)
		if err != nil {
			return fmt.Errorf("Wait(): %w", err)
		}
		c.Report(called(sig))
	}
	return s.Close()
})

// Step 24: Ctrl-C is told once: to the program, which ends its workers in order.
func TestCtrlCIsToldOnce(t *testing.T) {
	l := lab.New(t)
	term := l.Terminal()
	log, theirs := aPipe(l)
	p := l.Start(ends, lab.OnTerminal(term), lab.HandOver("log", theirs))
	worker := l.Other("the worker", pidOf(l, line(l, log)))
	term.Type("\x03")
	require.Equal(l, "TERM", line(l, log), "what the worker is told first, when Ctrl-C was typed: SIGINT goes to the foreground group, and a worker has a group of its own.")
	worker.Ends("it was told")
	require.Equal(l, "SIGINT: <nil>, <nil>", said(p), "the signal that began the shutdown, and what Stop() and Drain.Wait() returned")
	require.NoError(l, p.Wait(), "the program")
	rest, err := lab.Waiting(log)
	require.NoError(l, err, "asking a pipe how much is in it")
	require.Zero(l, rest, "bytes that the worker has said besides: it is told once.")
}

func pidOf(l *lab.Lab, text string) int {
	pid, err := strconv.Atoi(text)
	require.NoError(l, err, "a pid")
	return pid
}

// ends is a program with one worker, which ends in order at SIGINT and SIGTERM.
var ends = lab.NewRole("program with a worker", ending)

func ending(c *lab.Child) error {
	d, err := signals.NewDrain(long, unix.SIGINT, unix.SIGTERM)
	if err != nil {
		return fmt.Errorf("NewDrain(): %w", err)
	}
	p := signals.Policy{First: long, Most: long}
	if os.Getpid() == 1 {
		if p.Reaper, err = signals.NewReaper(func(e signals.Exit) { c.Report(fmt.Sprint("orphan: ", e)) }); err != nil {
			return fmt.Errorf("NewReaper(): %w", err)
		}
	}
	s, err := signals.NewSupervisor(p)
	if err != nil {
		return fmt.Errorf("NewSupervisor(): %w", err)
	}
	log := c.File("log")
	script := "trap 'echo INT >&4' INT; trap 'echo TERM >&4; exit 0' TERM; (sh -c 'exit 6' & ); cat <&3 >/dev/null & echo $$ >&4; wait; wait"
	if err := s.Add("worker", workerOf(script, never(), log)); err != nil {
		return fmt.Errorf("Add(): %w", err)
	}
	if worker := s.State()[0].PID; os.Getpid() == 1 {
		if group, err := unix.Getpgid(worker); err != nil || group != worker {
			return fmt.Errorf("the worker (pid %d here) is in group %d, and should lead one of its own (%v)", worker, group, err)
		}
	}
	if err := log.Close(); err != nil {
		return err
	}
	<-d.Draining()
	stopped := s.Stop(long)
	c.Report(fmt.Sprintf("%s: %v, %v", called(d.Signal()), stopped, d.Wait()))
	if p.Reaper != nil {
		return p.Reaper.Close()
	}
	return nil
}

// Step 25: as process 1, for which no signal has a default action, it ends at SIGTERM all the same,
// takes its children along, and reaps what others leave.
func TestProcessOneEnds(t *testing.T) {
	l := lab.New(t)
	log, theirs := aPipe(l)
	p := l.Start(ends, lab.AsInit(), lab.HandOver("log", theirs))
	line(l, log)
	require.Equal(l, "orphan: exit status 6", said(p), "what the reaper of process 1 tells of a child's child")
	require.NoError(l, unix.Kill(p.PID(), unix.SIGTERM), "kill(2)")
	require.Equal(l, "TERM", line(l, log), "what the worker is told when process 1 got SIGTERM")
	for text := said(p); text != "SIGTERM: <nil>, <nil>"; text = said(p) {
		require.Contains(l, text, "orphan: ", "what process 1 reports")
	}
	require.NoError(l, p.Wait(), "process 1")

	stuck := started(l, neverDone, lab.AsInit(), lab.Dies())
	require.NoError(l, unix.Kill(stuck.PID(), unix.SIGTERM), "kill(2)")
	require.Equal(l, "SIGTERM", said(stuck), "the signal that began the shutdown")
	require.NoError(l, unix.Kill(stuck.PID(), unix.SIGTERM), "kill(2)")
	require.Equal(l, "exit status 143", stuck.Ended(), "how process 1 ended at a second SIGTERM, while work was in flight: the kernel has no default action for process 1. Who leaves the end to it goes on, and Go's runtime makes status 2 of that.")
	numbersComeAgain(l)
}

// numbersComeAgain gives the pids of commands that were waited for to children that nobody waits for.
func numbersComeAgain(l *lab.Lab) {
	for _, one := range []struct{ whose, reason string }{
		{"a command had", "does Reaper.Wait() forget the number when it has waited?"},
		{"a worker had", "does a Supervisor with a Policy.Reaper wait by Reaper.Wait()?"},
	} {
		p := l.Start(reapsAgain, lab.Tell("whose", one.whose))
		var pids [4]int
		for n := range pids {
			pids[n] = pidSaid(l, p)
		}
		again := false
		for try := 0; !again && try < 20; try++ {
			l.NextPID(pids[try%len(pids)])
			p.Go()
			again = slices.Contains(pids[:], pidSaid(l, p))
			l.Rests() // it has ended
			l.Until("a child that has ended, that nobody waits for, and that has a number that "+one.whose+" before: "+one.reason, lab.HasZombies(p, 0))
		}
		if !again {
			l.Fault("none of %d pids could be had again", len(pids))
		}
		p.Kill()
	}
}

// reapsAgain has had commands, or workers, and starts a child that is none of them at each word.
var reapsAgain = lab.NewRole("process whose numbers come again", func(c *lab.Child) error {
	r, err := signals.NewReaper(nil)
	if err != nil {
		return fmt.Errorf("NewReaper(): %w", err)
	}
	ended := make(chan int, 1)
	s, err := signals.NewSupervisor(signals.Policy{First: long, Most: long, Reaper: r, Tell: func(e signals.Event) {
		if e.Ended {
			ended <- e.PID
		}
	}})
	if err != nil {
		return fmt.Errorf("NewSupervisor(): %w", err)
	}
	for n := range 4 {
		cmd := sh("exit 0")
		if c.Text("whose") == "a worker had" {
			if err := s.Add(strconv.Itoa(n), func() *exec.Cmd { return cmd }); err != nil {
				return fmt.Errorf("Add(): %w", err)
			}
			<-ended
		} else if err := errors.Join(r.Start(cmd), r.Wait(cmd)); err != nil {
			return fmt.Errorf("Start() and Wait(): %w", err)
		}
		c.Report(strconv.Itoa(cmd.Process.Pid))
	}
	for {
		c.Wait()
		other := sh("exit 0")
		if err := other.Start(); err != nil {
			return err
		}
		c.Report(strconv.Itoa(other.Process.Pid))
	}
})
