package signals_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
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

	own := l.Other("a command of Reaper.Start() that has ended", pidSaid(l, p))
	own.Ends("it is a command that ends at once")
	l.Rests() // whoever would take its status has had the time
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
	l.Rests()
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

	own := sh("exit 7")
	if err := r.Start(own); err != nil {
		return fmt.Errorf("Start(): %w", err)
	}
	c.Report(strconv.Itoa(own.Process.Pid))
	for range 2 {
		c.Wait()
		pid, err := leavesOrphan(r, c.File("r"))
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
		_ = r.Wait(cmd)
		c.Report(signals.ExitOf(cmd).String())
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
	var is int32
	if err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&is)), 0, 0, 0); err != nil {
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

// cause is the kernel's error in another one.
func cause(err error) any {
	for _, one := range []error{unix.EBUSY, unix.ENOENT, unix.EINVAL, unix.EEXIST} {
		if errors.Is(err, one) {
			return one
		}
	}
	return err
}

// leavesOrphan runs a command that leaves a process behind, which ends after it has read a line.
func leavesOrphan(r *signals.Reaper, line *os.File) (pid string, err error) {
	cmd := sh("head -n 1 <&3 >/dev/null & echo $!")
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
	c.Report(fmt.Sprint("the command: ", signals.ExitOf(main)))
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
