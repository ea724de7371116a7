package signals_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	signals "ipcworkbook/chapters/06-signals"
	"ipcworkbook/harness/lab"
)

// sh runs a script of the shell.
func sh(script string) *exec.Cmd { return exec.Command("sh", "-c", script) }

// Step 15: how a process ended is told in words; SIGKILL, which nobody can catch, too.
func TestHowAProcessEnded(t *testing.T) {
	l := lab.New(t)
	for _, one := range []struct {
		sig  syscall.Signal
		name string
	}{
		{1, "SIGHUP"}, {9, "SIGKILL"}, {11, "SIGSEGV"}, {15, "SIGTERM"}, {31, "SIGSYS"}, {32, "signal 32"}, {33, "signal 33"}, {34, "SIGRTMIN"}, {35, "SIGRTMIN+1"},
		{36, "SIGRTMIN+2"}, {49, "SIGRTMIN+15"}, {50, "SIGRTMIN+16"}, {63, "SIGRTMIN+29"}, {64, "SIGRTMIN+30"}, {0, "signal 0"}, {-1, "signal -1"}, {65, "signal 65"}, {1<<32 + 9, "signal 4294967305"},
	} {
		require.Equal(l, one.name, signals.Name(one.sig), "Name() of signal %d", int(one.sig))
	}
	for _, one := range []struct {
		script, text string
		signal       syscall.Signal
		code         int
	}{
		{"exit 0", "exit status 0", 0, 0},
		{"exit 3", "exit status 3", 0, 3},
		{"exit 137", "exit status 137", 0, 137},
		{"kill -KILL $$", "killed by SIGKILL", unix.SIGKILL, 137},
		{"kill -TERM $$", "killed by SIGTERM", unix.SIGTERM, 143},
		{"kill -35 $$", "killed by SIGRTMIN+1", 35, 163},
		{"trap '' TERM; kill -TERM $$; exit 4", "exit status 4", 0, 4},
	} {
		cmd := sh(one.script)
		require.Equal(l, signals.Exit{}, signals.ExitOf(cmd), "ExitOf() of a command that was not waited for")
		_ = cmd.Run()
		e := signals.ExitOf(cmd)
		require.Equal(l, one.text, e.String(), "String() of ExitOf(), of sh -c %q", one.script)
		require.Equal(l, one.signal, e.Signal(), "Signal() of ExitOf(), of sh -c %q", one.script)
		require.Equal(l, one.code, e.Code(), "Code() of ExitOf(), of sh -c %q", one.script)
		require.Equal(l, cmd.Process.Pid, e.PID, "PID of ExitOf()")
	}
	dumped := signals.Exit{PID: 7, Status: syscall.WaitStatus(unix.SIGSEGV | 0x80)}
	require.Equal(l, "killed by SIGSEGV (core dumped)", dumped.String(), "String() of one that has left a core")
	require.Equal(l, 139, dumped.Code(), "Code() of one that has left a core")
	require.Equal(l, syscall.Signal(unix.SIGSEGV), dumped.Signal(), "Signal() of one that has left a core")
}

// Step 16: the output is whole, however it comes, and whoever holds the pipe.
func TestOutputIsWhole(t *testing.T) {
	l := lab.New(t)
	out, err := signals.Output(sh("echo hello; echo not this >&2"), long)
	require.NoError(l, err, "Output() of a command that prints a line")
	require.Equal(l, "hello\n", string(out), "what Output() returned")
	const size = 1_000_003
	for _, delay := range []time.Duration{long, 0} {
		out, err = signals.Output(exec.Command("head", "-c", strconv.Itoa(size), "/dev/zero"), delay)
		require.NoError(l, err, "Output() with a delay of %v of a command that writes %d bytes, more than a pipe holds: the delay counts from its end.", delay, size)
		l.SameBytes(make([]byte, size), out, "Output() of %d bytes: who waits for the end before reading waits for ever, or loses what StdoutPipe has when Wait closes it.", size)
	}
	out, err = signals.Output(sh("exit 0"), long)
	require.NoError(l, err, "Output() of a command that prints nothing")
	require.Empty(l, out, "what it returned")

	out, err = signals.Output(sh("echo before; exit 3"), 0)
	var failed *exec.ExitError
	require.ErrorAs(l, err, &failed, "the error of Output() of a command that ends with 3")
	require.Equal(l, 3, failed.ExitCode(), "the status in the error")
	require.Equal(l, "before\n", string(out), "what Output() returned of a command that ends with 3")
	_, err = signals.Output(exec.Command("/no/such/program"), 0)
	require.ErrorIs(l, err, os.ErrNotExist, "Output() of a program that is not there")
	cmd := exec.Command("touch", l.Path("file"))
	cmd.Stdout = io.Discard
	_, err = signals.Output(cmd, 0)
	require.ErrorIs(l, err, unix.EINVAL, "Output() of a command that has a Stdout of its own")
	require.Nil(l, cmd.Process, "the process of a command that Output() has refused")

	for _, one := range []struct {
		what, end string
		delay     time.Duration
	}{
		{"with no delay", "", 0}, {"with a negative delay", "", -long}, {"with a delay", "", 10 * time.Millisecond}, {"with status 3", "exit 3", time.Millisecond},
	} {
		holdsTheOutput(l, one.what, one.end, one.delay)
	}
	// Who lets go in time is waited for, and what it has written belongs to it.
	r, w := aPipe(l)
	cmd = sh("cat <&3 & echo first")
	cmd.ExtraFiles = []*os.File{r}
	call := l.Call("Output() with a long delay, where a process that is left behind has the output", func() error {
		out, err := signals.Output(cmd, long)
		if err == nil && string(out) != "first\nsecond\n" {
			err = fmt.Errorf("it returned %q, and not first and second", out)
		}
		return err
	})
	call.NotYet("the delay is long, and the output is open")
	_, err = w.WriteString("second\n")
	require.NoError(l, err, "writing")
	require.NoError(l, w.Close(), "closing")
	call.ReturnsSoon(nil)
	// Before there are many commands at once: they would meet the same mistake by chance.
	l.RefusesCalls()
	require.NoError(l, l.Start(runsOne).Wait(), "Output() in a process in which no second call makes a descriptor close-on-exec")
	delayBegins(l)
	manyAtOnce(l)
}

// delayBegins lets a command run longer than the delay. It has to be over after the command's end once
// more: that takes so long at least, on a slow machine too.
func delayBegins(l *lab.Lab) {
	const delay = 100 * time.Millisecond
	r, w := aPipe(l)
	held, lets := aPipe(l)
	note, noted := aPipe(l)
	output := func(end string) error {
		cmd := sh("cat <&4 & echo $! >&5; " + end)
		cmd.ExtraFiles = []*os.File{r, held, noted}
		_, err := signals.Output(cmd, delay)
		return err
	}
	call := l.Call("Output() of a command that runs longer than the delay, where a process that is left behind has the output open", func() error { return output("read x <&3") })
	first := l.Other("the process that was left behind", pidOf(l, line(l, note)))
	// A second one that begins now and ends at once: when it has returned, the delay is over.
	require.ErrorIs(l, output("exit 0"), exec.ErrWaitDelay, "Output() of a command that ends at once, where a process that is left behind has the output open")
	second := l.Other("the process that was left behind", pidOf(l, line(l, note)))
	call.NotYet("the command has not ended")
	begun := time.Now()
	_, err := w.WriteString("\n")
	require.NoError(l, err, "letting the command end")
	call.Returns(exec.ErrWaitDelay)
	require.GreaterOrEqual(l, time.Since(begun), delay, "the time from the end of a command, which has run longer than the delay, to the return of Output(): the delay counts from the command's end, and not from its start.")
	require.NoError(l, lets.Close(), "letting those end that were left behind")
	first.Ends("it had nothing more to read")
	second.Ends("it had nothing more to read")
}

// runsOne asks that the pipe is close-on-exec from the start: a program that another goroutine
// starts in between would inherit it, and hold it open.
var runsOne = lab.NewRole("process that runs a command", func(c *lab.Child) error {
	if err := c.RefuseCloseOnExec(); err != nil {
		return err
	}
	out, err := signals.Output(exec.Command("echo", "hello"), long)
	if err != nil {
		return fmt.Errorf("Output(): %w: is the pipe close-on-exec from its first moment?", err)
	}
	if string(out) != "hello\n" {
		return fmt.Errorf("Output() returned %q, and not hello", out)
	}
	return nil
})

// manyAtOnce runs commands side by side, every second one of which leaves a process behind that has
// its output open. All end while the one who reads is stopped.
func manyAtOnce(l *lab.Lab) {
	r, w := aPipe(l)
	there, theirs := aPipe(l)
	ended, open := aPipe(l)
	never, nobody := aPipe(l)
	p := l.Start(readsMany, lab.HandOver("r", r), lab.HandOver("there", theirs), lab.HandOver("ended", open), lab.HandOver("never", never))
	var pids [commands]int
	for n := range commands {
		pids[n] = pidOf(l, line(l, there))
	}
	p.Go()
	require.Equal(l, "ready", said(p), "what the process says whose commands have all started")
	l.Rests()
	for _, pid := range pids {
		require.Equal(l, 1, pipesOf(l, pid, pids), "how many pipes of Output() a command has, which runs beside %d others: are the ends of a pipe close-on-exec?", commands-1)
	}
	require.NoError(l, unix.Kill(p.PID(), unix.SIGSTOP), "stopping the process with kill(2)")
	l.Until("the process that calls Output()", lab.IsStopped(p))
	require.NoError(l, w.Close(), "letting all commands write and end")
	_, err := ended.Read(make([]byte, 1))
	require.ErrorIs(l, err, io.EOF, "reading from a pipe that all commands have open: now all have ended")
	l.Rests()
	require.NoError(l, unix.Kill(p.PID(), unix.SIGCONT), "letting the process go on")
	for range commands {
		require.Equal(l, "as it should be", said(p), "what Output() returned, with no delay, for one of %d commands at once, whose output waited in the pipe when it ended: is all taken that is there, and not more?", commands)
	}
	require.NoError(l, nobody.Close(), "letting those end that were left behind")
	require.NoError(l, p.Wait(), "the process")
	_, err = there.Read(make([]byte, 1))
	require.ErrorIs(l, err, io.EOF, "reading from a pipe that all have open who were left behind")
}

const commands = 16

// pipesOf is how many of the pipes that are standard outputs of all these a process has open.
func pipesOf(l *lab.Lab, pid int, all [commands]int) int {
	outputs, has := map[string]bool{}, map[string]bool{}
	for _, one := range all {
		to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/1", one))
		require.NoError(l, err, "looking at the standard output of a command")
		outputs[to] = true
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	require.NoError(l, err, "looking at the descriptors of a command")
	for _, fd := range fds {
		to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, fd.Name()))
		require.NoError(l, err, "looking at a descriptor of a command")
		has[to] = outputs[to]
	}
	n := 0
	for _, is := range has {
		if is {
			n++
		}
	}
	return n
}

var readsMany = lab.NewRole("process with many commands", func(c *lab.Child) error {
	const size = 50_000
	runtime.GOMAXPROCS(1) // who has waited and who reads go on one after the other
	files := []*os.File{c.File("r"), c.File("there"), c.File("never"), c.File("ended")}
	var outs [commands][]byte
	var errs [commands]error
	var all sync.WaitGroup
	for n := range commands {
		script := fmt.Sprintf("echo $$ >&4; cat <&3; head -c %d /dev/zero | tr '\\000' %c", size, 'a'+n)
		if n%2 == 1 {
			script = "cat <&5 6>&- & " + script
		}
		all.Go(func() {
			cmd := sh(script)
			cmd.ExtraFiles = files
			outs[n], errs[n] = signals.Output(cmd, 0)
		})
	}
	c.Wait()
	for _, f := range files {
		if err := f.Close(); err != nil {
			return err
		}
	}
	c.Report("ready")
	all.Wait()
	for n, out := range outs {
		switch {
		case !bytes.Equal(out, bytes.Repeat([]byte{byte('a' + n)}, size)):
			c.Report(fmt.Sprintf("%d bytes, of which %d are the command's own %d, and the error %v", len(out), bytes.Count(out, []byte{byte('a' + n)}), size, errs[n]))
		case n%2 == 1 && !errors.Is(errs[n], exec.ErrWaitDelay), n%2 == 0 && errs[n] != nil:
			c.Report(fmt.Sprintf("the error %v, where the output is still open: %v", errs[n], n%2 == 1))
		default:
			c.Report("as it should be")
		}
	}
	return nil
})

// holdsTheOutput runs a command that writes much, leaves a process behind that has the output
// open, and ends.
func holdsTheOutput(l *lab.Lab, what, end string, delay time.Duration) {
	r, w := aPipe(l)
	note, noted := aPipe(l)
	const size = 60_000
	cmd := sh(fmt.Sprintf("cat <&3 4>&- & echo $! >&4; head -c %d /dev/zero; %s", size, end))
	cmd.ExtraFiles = []*os.File{r, noted}
	call := l.Call("Output() "+what+", where a process that is left behind has the output open: does Wait wait for the end of the pipe?", func() error {
		out, err := signals.Output(cmd, delay)
		if !bytes.Equal(out, make([]byte, size)) {
			return fmt.Errorf("it returned %d bytes of the %d that the command had written, and the error %w", len(out), size, err)
		}
		var failed *exec.ExitError
		if end != "" && errors.As(err, &failed) && !errors.Is(err, exec.ErrWaitDelay) {
			return nil // the status counts more
		}
		return err
	})
	if end == "" {
		call.Returns(exec.ErrWaitDelay)
	} else {
		call.Returns(nil)
	}
	buf := make([]byte, 64)
	n, err := note.Read(buf)
	require.NoError(l, err, "reading the pid of who was left behind")
	pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	require.NoError(l, err, "the pid of who was left behind")
	left := l.Other("the process that was left behind", pid)
	require.NoError(l, w.Close(), "letting it end")
	left.Ends("it had nothing more to read")
}
