// Package console drives a program at a terminal, the way a person would: it
// types, it reads what appears on the screen, and it waits for the end.
//
//	c := console.Start(t, exec.Command("cat"))
//	c.SendLine("hello")
//	c.Expect(`hello\nhello\n`) // the echo, then cat's own line
//	c.EndOfFile()
//	require.Equal(t, 0, c.Wait())
//
// # The terminal
//
// The program has a real terminal of 80 columns and 24 rows. It leads a session
// and a group of its own, and the terminal is its controlling terminal. The
// terminal is in its usual mode: it echoes what is typed, hands it over line by
// line, makes end of file of Ctrl-D and a signal of Ctrl-C, Ctrl-Z and Ctrl-\. Three
// things follow from this:
//
//   - What is typed appears in the transcript too. So a pattern should name the
//     program's own words, not only the words that were typed.
//   - Ctrl-D means end of file only at the start of a line.
//   - Ctrl-C, as Ctrl-Z and Ctrl-\, throws away what was typed and not yet read, and output that has
//     not arrived here. Expect that output first.
//
// # Patterns
//
// A pattern is a regular expression (package regexp). It is matched against
// what came after the last match. A line ends in "\n" here, never in "\r\n".
// Output arrives in pieces, so `pid (\d+)` may match half a number: end such a
// pattern with what comes after the number, `pid (\d+)\n`.
//
// # Failures
//
// Every method that waits has a deadline, ten seconds if [Timeout] sets no
// other. When it passes, the test fails at once (Fatalf) and the message says
// what was waited for, what became of the program, and what was on the screen.
// So a Console belongs to the goroutine of its test.
//
// # Clean-up
//
// At the end of the test every process of the program's session is killed: the
// program, its group, and background jobs in groups of their own. A process
// that made a session of its own with setsid is out of reach.
package console

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	expect "github.com/google/goexpect"
	"golang.org/x/sys/unix"
)

// Console is a program at its terminal.
type Console struct {
	t       testing.TB
	cmd     *exec.Cmd
	timeout time.Duration

	terminal *os.File        // the master side: our keyboard and our eyes
	screen   *screen         // what came from the terminal
	gexpect  *expect.GExpect // finds patterns in it
	closed   <-chan error    // goexpect's goroutines are gone

	exited chan struct{} // closed when the program has ended and was reaped
	told   bool          // a failure has shown the transcript already
}

// Option changes how a Console works.
type Option func(*Console)

// Timeout sets how long Expect, Wait and the sending methods wait, each time.
func Timeout(d time.Duration) Option { return func(c *Console) { c.timeout = d } }

// Start starts the command at a terminal of its own. The three standard streams
// are the terminal, so the command's own fields for them must be nil. Start
// fails the test when the command cannot be started.
func Start(t testing.TB, cmd *exec.Cmd, options ...Option) *Console {
	t.Helper()
	c := &Console{t: t, cmd: cmd, timeout: 10 * time.Second, exited: make(chan struct{})}
	for _, o := range options {
		o(c)
	}
	if cmd.Stdin != nil || cmd.Stdout != nil || cmd.Stderr != nil {
		t.Fatalf("console: %s: the standard streams are the terminal, leave Stdin, Stdout and Stderr nil", cmd)
	}
	master, slave, err := openTerminal()
	if err != nil {
		t.Fatalf("console: no terminal: %v", err)
	}
	c.terminal = master

	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid = true
	cmd.SysProcAttr.Setctty = true
	cmd.SysProcAttr.Ctty = 0 // the child's standard input
	err = startWithDefaultSignals(cmd)
	// Our copy of the slave would keep the end of the output from us.
	slave.Close()
	if err != nil {
		master.Close()
		t.Fatalf("console: %v", err)
	}
	go func() {
		cmd.Wait() // the status is in cmd.ProcessState
		close(c.exited)
	}()
	c.screen = watch(master)
	t.Cleanup(c.cleanUp)

	// goexpect's Spawn and SpawnWithArgs lose the last words of a program that
	// exits at once, kill no more than the leader, and have a raw terminal,
	// where Ctrl-C is only a byte. So goexpect gets no process at all: it finds
	// patterns in what our reader hands on, and nothing else.
	c.gexpect, c.closed, err = expect.SpawnGeneric(&expect.GenOptions{
		Out: c.screen.out,
		// goexpect asks Check whether more can come, and drops what it has just
		// read when the answer is no. So the answer turns to no only after its
		// reader has stored everything and come back to find the end.
		Check: func() bool { return !c.screen.out.ended.Load() },
		Wait:  func() error { <-c.screen.out.done; return nil },
		// Send types on the terminal directly, see there.
		In:    discard{},
		Close: func() error { return nil },
	}, c.timeout,
		// goexpect misses wake-ups and then looks again after 2 s by default.
		expect.CheckDuration(5*time.Millisecond),
		// Otherwise a match swallows all the output that came after it.
		expect.PartialMatch(true),
	)
	if err != nil {
		t.Fatalf("console: goexpect: %v", err)
	}
	return c
}

// dispositions is held while signals are not what they were.
var dispositions sync.Mutex

// startWithDefaultSignals starts the command so that Ctrl-C and the hang-up of
// the terminal do to it what they usually do. A test that was started in the
// background of a script ("go test &"), or by nohup, ignores these signals, and
// its children would inherit that. A signal that is caught, on the other hand,
// is reset to its default in a child.
func startWithDefaultSignals(cmd *exec.Cmd) error {
	dispositions.Lock()
	defer dispositions.Unlock()
	ignored := make(chan os.Signal, 1)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU} {
		if signal.Ignored(s) {
			signal.Notify(ignored, s)
			defer signal.Ignore(s)
		}
	}
	return cmd.Start()
}

// Expect waits until the pattern matches what is on the screen after the last
// match. It returns the match and its groups, as regexp's FindStringSubmatch
// does.
func (c *Console) Expect(pattern string) []string {
	c.t.Helper()
	re, err := regexp.Compile(pattern)
	if err != nil {
		c.t.Fatalf("console: Expect: %v", err)
	}
	// goexpect's own deadline starts again with every piece of output: a
	// program that never stops printing would never reach it. So at our
	// deadline goexpect's input ends.
	deadline := time.AfterFunc(c.timeout, c.screen.out.end)
	_, groups, err := c.gexpect.Expect(re, 2*c.timeout)
	inTime := deadline.Stop()
	switch {
	case !inTime:
		c.fatalf("console: Expect(`%s`): did not come within %v", pattern, c.timeout)
	case err != nil && c.screen.full():
		c.fatalf("console: Expect(`%s`): did not come in the first %d bytes; the console takes no more", pattern, limit)
	case err != nil:
		c.fatalf("console: Expect(`%s`): did not come, and nothing more will: no process has the terminal open", pattern)
	}
	return groups
}

// Send types the text. A line feed is the Enter key.
//
// goexpect has a Send of its own. Without an option it waits for ever, with it
// the goroutine that writes still does, and errors only go to the log. A write
// with a deadline on our side of the terminal is simpler and safe.
func (c *Console) Send(text string) {
	c.t.Helper()
	err := c.terminal.SetWriteDeadline(time.Now().Add(c.timeout))
	if err == nil {
		_, err = c.terminal.WriteString(text)
	}
	if err != nil {
		c.fatalf("console: Send(%q): the program does not read: %v", text, err)
	}
}

// SendLine types the line and the Enter key.
func (c *Console) SendLine(line string) {
	c.t.Helper()
	c.Send(line + "\n")
}

// EndOfFile types Ctrl-D.
func (c *Console) EndOfFile() {
	c.t.Helper()
	c.Send("\x04")
}

// Interrupt types Ctrl-C. The terminal sends SIGINT to its foreground group.
func (c *Console) Interrupt() {
	c.t.Helper()
	c.Send("\x03")
}

// Suspend types Ctrl-Z. The terminal sends SIGTSTP to its foreground group, which stops.
func (c *Console) Suspend() {
	c.t.Helper()
	c.Send("\x1a")
}

// Quit types Ctrl-\. The terminal sends SIGQUIT to its foreground group.
func (c *Console) Quit() {
	c.t.Helper()
	c.Send("\x1c")
}

// Resize changes the size of the terminal, in columns and rows, as a window does. The
// foreground group gets SIGWINCH if that is another size.
func (c *Console) Resize(columns, rows int) {
	c.t.Helper()
	if err := resize(c.terminal, columns, rows); err != nil {
		c.fatalf("console: Resize(%d, %d): %v", columns, rows, err)
	}
}

// HangUp closes the terminal, as a window that is closed or a connection that is lost. The
// program, which leads the session, gets SIGHUP and SIGCONT, and so does the foreground group.
// Nothing more is seen of it then: what it writes is EIO.
func (c *Console) HangUp() {
	c.t.Helper()
	if err := c.terminal.Close(); err != nil {
		c.fatalf("console: HangUp: %v", err)
	}
}

// Pid returns the program's process id.
func (c *Console) Pid() int { return c.cmd.Process.Pid }

// Wait waits until the program has ended, and its output is complete. It
// returns the exit status as a shell does: 128+n when signal n ended the
// program. Processes that the program left behind are left alone until the end
// of the test; their output is not waited for.
func (c *Console) Wait() int {
	c.t.Helper()
	deadline := time.After(c.timeout)
	select {
	case <-c.exited:
	case <-deadline:
		c.fatalf("console: Wait: the program did not end within %v", c.timeout)
	}
	// The output ends when the last process closes the terminal. If there is
	// one left, the program's own output is complete when nothing more comes.
	for before := -1; ; {
		select {
		case <-c.screen.over:
			return c.status()
		case <-deadline:
			return c.status()
		case <-time.After(50 * time.Millisecond):
		}
		now := len(c.Transcript())
		if now == before && len(session(c.Pid())) > 0 {
			return c.status()
		}
		before = now
	}
}

// status is the exit status of a program that has ended.
func (c *Console) status() int {
	ws := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}

// Transcript returns everything that was on the screen so far, what was typed
// as well.
func (c *Console) Transcript() string { return c.screen.text() }

// fatalf fails the test. The message ends with what became of the program and
// with the transcript.
func (c *Console) fatalf(format string, args ...any) {
	c.t.Helper()
	c.told = true
	c.t.Fatalf("%s\nThe program, %s, %s.\n%s", fmt.Sprintf(format, args...), c.cmd, c.fate(), c.shown())
}

// fate says in words whether the program is still there.
func (c *Console) fate() string {
	select {
	case <-c.exited:
	case <-time.After(200 * time.Millisecond): // a program closes its terminal a moment before it has ended
		return fmt.Sprintf("is still there (pid %d)", c.Pid())
	}
	ws := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return fmt.Sprintf("was ended by %s (%v)", unix.SignalName(ws.Signal()), ws.Signal())
	}
	return fmt.Sprintf("has ended with exit status %d", ws.ExitStatus())
}

// shown is the transcript for a message: indented, and only its end when it is
// long.
func (c *Console) shown() string {
	const most = 8 << 10
	text := c.Transcript()
	if text == "" {
		return "The terminal shows nothing."
	}
	head := "The terminal shows:"
	if len(text) > most {
		head = fmt.Sprintf("The terminal shows, in the last %d of %d bytes:", most, len(text))
		text = text[len(text)-most:]
	}
	return head + "\n    | " + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n    | ")
}

// cleanUp leaves nothing: no process, no descriptor, no goroutine.
func (c *Console) cleanUp() {
	c.t.Helper()
	if left := killSession(c.cmd.Process, c.exited); len(left) > 0 {
		c.t.Errorf("console: %s: still there after SIGKILL: pids %d", c.cmd, left)
	}
	// The rest of the output comes now, unless a process got away with the
	// terminal.
	select {
	case <-c.screen.over:
	case <-time.After(time.Second):
	}
	c.screen.out.end()
	c.terminal.Close()
	<-c.screen.over
	if c.closed != nil {
		<-c.closed
	}
	if c.t.Failed() && !c.told {
		c.t.Logf("console: %s %s.\n%s", c.cmd, c.fate(), c.shown())
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }

var _ io.WriteCloser = discard{}
