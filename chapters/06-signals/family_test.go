package signals_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	signals "ipcworkbook/chapters/06-signals"
	"ipcworkbook/harness/lab"
)

// aPipe is a pipe whose ends are closed with the test. They block: os.Pipe makes them
// non-blocking, also for cat(1), which takes EAGAIN for an error.
func aPipe(l *lab.Lab) (r, w *os.File) {
	var fds [2]int
	require.NoError(l, unix.Pipe2(fds[:], unix.O_CLOEXEC), "pipe(2)")
	r, w = os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	l.CloseAtEnd(r, w)
	return r, w
}

// pidSaid is a pid that a process reports.
func pidSaid(l *lab.Lab, p *lab.Process) int {
	pid, err := strconv.Atoi(said(p))
	require.NoError(l, err, "a pid that was reported")
	return pid
}

// Step 17: a reaper beside os/exec: each gets the children that are its own.
func TestReaperBesideExec(t *testing.T) {
	l := lab.New(t)
	r, w := aPipe(l)
	p := l.Start(reaps, lab.HandOver("r", r))
	early := l.Other("a child that ended before there was a reaper", pidSaid(l, p))
	l.Until("a child that nobody waits for", lab.IsZombie(early))
	p.Go()
	require.Equal(l, "made: <nil>, another one: device or resource busy", said(p), "what NewReaper() returned, and a second one beside it")
	require.Equal(l, fmt.Sprintf("orphan %d: exit status 5", early.PID()), said(p), "what orphan was called with, for a child that had ended before NewReaper()")

	own := l.Other("a command of Reaper.Start()", pidSaid(l, p))
	_, err := w.WriteString("x\n")
	require.NoError(l, err, "letting the command end")
	own.Ends("it is a command that ends after a line")
	p.Blocks("its command has ended, and nobody has asked for the status yet: a loop that looks again and again burns a core.")
	l.Until("a command that has ended and that nobody has waited for yet: a reaper that waits for any child (-1) steals its status.", lab.IsZombie(own))
	for _, end := range []string{"exit status 0", "killed by SIGKILL"} {
		p.Go()
		orphan := l.Other("the orphan", pidSaid(l, p))
		require.Equal(l, strconv.Itoa(p.PID()), field(l, orphan.PID(), orphan.PID(), "PPid"), "the parent of a process whose parent has ended: is this process a subreaper?")
		if end != "exit status 0" {
			require.NoError(l, unix.Kill(orphan.PID(), unix.SIGKILL), "kill(2)")
		} else {
			_, err := w.WriteString("x\n") // it ends after a line
			require.NoError(l, err, "writing")
		}
		require.Equal(l, fmt.Sprintf("orphan %d: %s", orphan.PID(), end), said(p), "what orphan was called with, while a command that has ended waits for its Wait()")
		l.Until("an orphan that has ended", lab.IsGone(orphan))
	}
	p.Blocks("all orphans were reaped")
	l.Until("the command, after others were reaped: its status belongs to its Wait().", lab.IsZombie(own))
	p.Go()
	require.Equal(l, "exit status 7: exit status 7", said(p), "the error of Wait(), and ExitOf() the command")
	for n := range 20 {
		require.Equal(l, fmt.Sprintf("exit status %d", n), said(p), "how one of 20 commands ended that were started together")
	}
	require.Equal(l, "start: no such file or directory, wait: true", said(p), "Start() of a program that is not there, and whether Wait() of it is an error")
	p.Go()
	require.Equal(l, "close: <nil>, again: file already closed, start: file already closed, a process: false, a subreaper: 0, wait: exit status 9", said(p),
		"after Close(): Close() again, Start(), whether that has started a process, whether this process is a subreaper, and Wait() for what was started before")
	require.Equal(l, "made again: <nil>, <nil>", said(p), "NewReaper() after the first one was closed, and its Close()")
	require.NoError(l, p.Wait(), "the process with a reaper")
	reapsSlowly(l)
}

// reapsSlowly closes a reaper whose orphan does not return, beside others who listen to SIGCHLD.
func reapsSlowly(l *lab.Lab) {
	r, w := aPipe(l)
	gate, opens := aPipe(l)
	p := l.Start(slowReaper, lab.HandOver("r", r), lab.HandOver("gate", gate))
	own := l.Other("a command of Reaper.Start() that has ended", event(p).PID)
	own.Ends("it is a command that ends at once")
	_, err := w.WriteString("x\n")
	require.NoError(l, err, "letting an orphan end")
	const one = "orphan: calls 1, start <nil>, wait exit status 4"
	require.Equal(l, one, event(p).Text, "what orphan was called with, how many calls of it are under way, and what Start() and Wait() returned in it: is a lock held meanwhile?")
	_, err = w.WriteString("x\n")
	require.NoError(l, err, "letting another orphan end")
	l.Rests() // another call has had the time to begin
	_, err = opens.WriteString("\n")
	require.NoError(l, err, "letting orphan return")
	require.Equal(l, one, event(p).Text, "what orphan was called with next: it is called one at a time.")
	p.Go()
	p.Blocks("Close() was called, and a call of orphan is under way")
	p.Go()
	require.Equal(l, "closed: 0, another one: device or resource busy, close: file already closed", event(p).Text, "how many Close() have returned while a call of orphan is under way, and what NewReaper() and Close() return then: Close() waits for the call, and the process has a reaper until it returns.")
	_, err = opens.WriteString("\n")
	require.NoError(l, err, "letting orphan return")
	require.Equal(l, "close: <nil>, a subreaper: 1", event(p).Text, "what Close() returned, and whether the process is a subreaper, which was one before NewReaper()")
	l.Rests() // each SIGCHLD has come
	p.Go()
	require.Equal(l, "SIGCHLD", event(p).Text, "what a Listener for SIGCHLD gets after Close(): signal.Reset would take it away from everybody.")
	orphan := l.Other("an orphan", event(p).PID)
	_, err = w.WriteString("x\n")
	require.NoError(l, err, "letting an orphan end")
	l.Until("an orphan that has ended, where NewReaper() was given no function", lab.IsGone(orphan))
	l.Rests()
	l.Until("a command of the first reaper, after a second one has looked: its status belongs to its Wait().", lab.IsZombie(own))
	p.Go()
	require.Equal(l, "wait: exit status 9, close: <nil>", event(p).Text, "what Wait() returned for a command of the first reaper, and Close() of the second one")
	nothingIsLeft(l, p, "Close()")
}

var slowReaper = lab.NewRole("process whose orphan is slow", func(c *lab.Child) error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return err
	}
	s, err := signals.Listen(unix.SIGCHLD)
	if err != nil {
		return fmt.Errorf("Listen(): %w", err)
	}
	var r *signals.Reaper
	var calls atomic.Int32
	line, gate := c.File("r"), c.File("gate")
	made := make(chan bool)
	r, err = signals.NewReaper(func(signals.Exit) {
		<-made
		n, cmd := calls.Add(1), sh("exit 4")
		started, waited := r.Start(cmd), r.Wait(cmd)
		c.Report(told{Text: fmt.Sprintf("orphan: calls %d, start %v, wait %v", n, started, waited)})
		_, _ = gate.Read(make([]byte, 1))
		calls.Add(-1)
	})
	if err != nil {
		return fmt.Errorf("NewReaper(): %w", err)
	}
	close(made)
	own := sh("exit 9")
	if err := r.Start(own); err != nil {
		return fmt.Errorf("Start(): %w", err)
	}
	for range 2 {
		if _, err := leavesOrphan(r, line); err != nil {
			return err
		}
	}
	c.Report(told{PID: own.Process.Pid})
	c.Wait()
	closed := make(chan error, 1)
	go func() { closed <- r.Close() }()
	c.Wait()
	_, another := signals.NewReaper(nil)
	c.Report(told{Text: fmt.Sprintf("closed: %d, another one: %v, close: %v", len(closed), cause(another), bare(r.Close()))})
	err = <-closed
	is, prctlErr := isSubreaper()
	c.Report(told{Text: fmt.Sprintf("close: %v, a subreaper: %d", err, is)})
	c.Wait()
	done, cancel := context.WithCancel(forever)
	cancel()
	for err = nil; err == nil; {
		_, err = s.Wait(done) // what has come before
	}
	_ = sh("exit 0").Run()
	sig, err := s.Wait(forever)
	c.Report(told{Text: called(sig)})
	second, made2 := signals.NewReaper(nil)
	if err := errors.Join(err, prctlErr, made2, s.Close()); err != nil {
		return err
	}
	pid, err := leavesOrphan(second, line)
	if err != nil {
		return err
	}
	orphan, err := strconv.Atoi(pid)
	c.Report(told{PID: orphan})
	c.Wait()
	c.Report(told{Text: fmt.Sprintf("wait: %v, close: %v", r.Wait(own), second.Close())})
	leftNothing(c)
	return err
})

func isSubreaper() (is int32, err error) {
	err = unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&is)), 0, 0, 0)
	return is, err
}

var reaps = lab.NewRole("process with a reaper", func(c *lab.Child) error {
	early := sh("exit 5")
	if err := early.Start(); err != nil {
		return err
	}
	c.Report(strconv.Itoa(early.Process.Pid))
	c.Wait()
	orphans := make(chan string, 100)
	r, err := signals.NewReaper(func(e signals.Exit) { orphans <- fmt.Sprintf("orphan %d: %v", e.PID, e) })
	if err != nil {
		return fmt.Errorf("NewReaper(): %w", err)
	}
	_, another := signals.NewReaper(nil)
	c.Report(fmt.Sprintf("made: %v, another one: %v", err, cause(another)))
	c.Report(<-orphans)

	own, lines := sh("read line; exit 7"), c.File("r")
	own.Stdin = lines
	if err := r.Start(own); err != nil {
		return fmt.Errorf("Start(): %w", err)
	}
	c.Report(strconv.Itoa(own.Process.Pid))
	for range 2 {
		c.Wait()
		pid, err := leavesOrphan(r, lines)
		if err != nil {
			return err
		}
		c.Report(pid)
		c.Report(<-orphans)
	}
	c.Wait()
	err = r.Wait(own)
	c.Report(fmt.Sprintf("%v: %v", err, signals.ExitOf(own)))
	var many [20]*exec.Cmd
	for n := range many {
		many[n] = sh(fmt.Sprint("exit ", n))
		if err := r.Start(many[n]); err != nil {
			return fmt.Errorf("Start(): %w", err)
		}
	}
	for _, cmd := range many {
		c.Report(how(cmd, r.Wait(cmd)))
	}
	missing := exec.Command("/no/such/program")
	c.Report(fmt.Sprintf("start: %v, wait: %v", cause(r.Start(missing)), r.Wait(missing) != nil))

	c.Wait()
	last, late := sh("exit 9"), sh("exit 0")
	if err := r.Start(last); err != nil {
		return fmt.Errorf("Start(): %w", err)
	}
	closed, again := r.Close(), r.Close()
	started := r.Start(late)
	is, err := isSubreaper()
	if err != nil {
		return err
	}
	c.Report(fmt.Sprintf("close: %v, again: %v, start: %v, a process: %v, a subreaper: %d, wait: %v", closed, bare(again), bare(started), late.Process != nil, is, r.Wait(last)))
	fresh, err := signals.NewReaper(nil)
	if err != nil {
		return fmt.Errorf("NewReaper() after Close(): %w", err)
	}
	c.Report(fmt.Sprintf("made again: %v, %v", err, fresh.Close()))
	return nil
})

// how is how a command ended that was waited for: where Wait has found no status, it is its error.
func how(cmd *exec.Cmd, waited error) string {
	if e := signals.ExitOf(cmd); e.PID != 0 {
		return e.String()
	}
	return fmt.Sprintf("there is no status, and Wait() returned: %v", waited)
}

// cause is the kernel's error in another one.
func cause(err error) any {
	for _, one := range []error{unix.EBUSY, unix.ENOENT, unix.EINVAL, unix.EEXIST} {
		if errors.Is(err, one) {
			return one
		}
	}
	return err
}

// leavesOrphan runs a command that leaves a process behind, which ends after it has read a line. That
// one calls itself "x) y": in /proc/PID/stat the name is in brackets.
func leavesOrphan(r *signals.Reaper, line *os.File) (pid string, err error) {
	cmd := sh("{ printf 'x) y' >/proc/self/comm; read line <&3; exit 0; } >/dev/null & echo $!")
	cmd.ExtraFiles = []*os.File{line}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := r.Start(cmd); err != nil {
		return "", fmt.Errorf("Start(): %w", err)
	}
	pid, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(pid), r.Wait(cmd)
}

// Step 18: many children end together, and SIGCHLD is one: all are reaped, the command too.
func TestManyThatEndTogetherAreReaped(t *testing.T) {
	const many = 50
	l := lab.New(t)
	r, w := aPipe(l)
	note, noted := aPipe(l)
	p := started(l, reapsMany, lab.HandOver("r", r), lab.HandOver("note", noted), lab.Tell("many", strconv.Itoa(many)))
	l.Rests()
	require.NoError(l, unix.Kill(p.PID(), unix.SIGSTOP), "stopping the process with kill(2)")
	l.Until("the process that has the children", lab.IsStopped(p))
	require.NoError(l, w.Close(), "closing the pipe from which all of the children read")
	_, err := note.Read(make([]byte, 1))
	require.ErrorIs(l, err, io.EOF, "reading from a pipe that all of the children have open: now all have ended")
	l.Rests()
	require.NoError(l, unix.Kill(p.PID(), unix.SIGCONT), "letting the process go on")
	require.Equal(l, "the command: exit status 0", said(p), "how the command ended, among 50 other children")
	l.Until("children that ended while one SIGCHLD was pending", lab.HasZombies(p, 0))
	p.Go()
	require.Equal(l, strconv.Itoa(many), said(p), "how often orphan was called, for %d orphans that ended together", many)
	require.NoError(l, p.Wait(), "the process with a reaper")
}

var reapsMany = lab.NewRole("process with many children", func(c *lab.Child) error {
	seen := make(chan int, 1000)
	r, err := signals.NewReaper(func(e signals.Exit) { seen <- e.PID })
	if err != nil {
		return fmt.Errorf("NewReaper(): %w", err)
	}
	starts := sh("i=0; while [ $i -lt " + c.Text("many") + " ]; do cat <&3 & i=$((i+1)); done")
	main := exec.Command("cat")
	line, note := c.File("r"), c.File("note")
	starts.ExtraFiles, main.Stdin = []*os.File{line, note}, line
	if err := r.Start(main); err != nil {
		return fmt.Errorf("Start(): %w", err)
	}
	if err := r.Start(starts); err != nil {
		return fmt.Errorf("Start(): %w", err)
	}
	if err := r.Wait(starts); err != nil {
		return fmt.Errorf("Wait(): %w", err)
	}
	if err := note.Close(); err != nil {
		return err
	}
	c.Report("ready")
	err = r.Wait(main)
	c.Report("the command: " + how(main, err))
	if err != nil {
		return fmt.Errorf("Wait(): %w", err)
	}
	c.Wait()
	if err := r.Close(); err != nil {
		return fmt.Errorf("Close(): %w", err)
	}
	c.Report(strconv.Itoa(len(seen)))
	return nil
})
