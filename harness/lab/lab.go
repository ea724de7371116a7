// Package lab is what the tests of a chapter import. It starts real processes,
// hands descriptors to them, watches what blocks and what returns, and cleans up.
//
// A test reads as a protocol:
//
//	l := lab.New(t)
//	r, w := open(l)
//
//	holder := l.Start(holdsWriter, lab.HandOver("w", w))
//	recv := l.Call("Recv()", func() error { _, err := r.Recv(); return err })
//	recv.Blocks("holder still has the write end")
//	holder.Exit()
//	recv.Returns(io.EOF)
//
// There is no sleep and no time in it. "Blocks" is seen, not timed: the call has
// not returned and every thread of every process of the step sleeps. A test that
// waits for ever is ended by its supervisor, which looks at it first and says who
// waits for what (package supervisor).
//
// A Lab is a testing.TB for testify: require.NoError(l, err, "Send(hello)"). The
// message is what was called. After a colon it may give the likeliest reason:
//
//	require.Equal(l, "hello", got, "Recv(): was one Read taken for one message?")
package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ipcworkbook/harness/residue"
	"ipcworkbook/harness/todo"
	"ipcworkbook/harness/verdict"
)

// outputDelay is how long the output of an ended process is waited for when one
// of its own children still holds it.
const outputDelay = 100 * time.Millisecond

// Lab is one test's surroundings.
type Lab struct {
	t         testing.TB
	failures  []failure
	processes []*Process
	closers   []func()
	before    residue.Descriptors
	missing   string // why the step is unsupported here
	dir       string
}

// New starts a step: its deadline runs from here. It ends with the test. A
// benchmark has no deadline: it may take as long as it is asked to.
func New(t testing.TB) *Lab {
	t.Helper()
	l := &Lab{t: t}
	if _, isTest := t.(*testing.T); isTest {
		up.send(verdict.Event{Kind: verdict.Start, Test: t.Name()})
	}
	t.Cleanup(l.end)
	l.before = residue.OpenDescriptors()
	return l
}

// end waits for the processes, closes what the test opened, looks for what was
// left behind, and tells the supervisor how the step ended.
func (l *Lab) end() {
	if unwinding() && len(l.failures) == 0 && l.missing == "" {
		// A panic or a Goexit of somebody else's is on its way up: the test has
		// not come to its end. The supervisor sees what becomes of it.
		return
	}
	if l.missing == "" {
		l.endProcesses()
	}
	for _, p := range l.processes {
		p.cmd.Process.Kill()
		<-p.ended
	}
	for _, closeIt := range l.closers {
		closeIt()
	}
	if dir, err := os.Getwd(); dir != folder {
		l.record(failure{Verdict: verdict.Residue, Call: "after the step",
			Detail: []string{"expected: the working directory is still " + folder,
				"got:      " + dir + orNothing(err)},
			Reason: "The working directory belongs to the whole process. A package leaves it alone."})
		l.t.Fail()
		_ = os.Chdir(folder)
	}
	if len(l.failures) == 0 && l.missing == "" {
		if left := residue.OpenDescriptors().Since(l.before); len(left) > 0 {
			l.record(failure{Verdict: verdict.Residue, Call: "after the step",
				Detail: append([]string{"descriptors are still open that were not open before it:"}, left...),
				Reason: "What the package opens it closes: in Close, or at once if it is not needed any more."})
			l.t.Fail()
		}
	}
	f := verdict.Finding{Verdict: verdict.Pass}
	switch {
	case len(l.failures) > 0:
		l.printed()
		f = l.failures[0].finding()
		if os.Getenv(verdict.EnvJudged) == "" {
			fmt.Fprint(l.t.Output(), f.Verdict, ": ", f.Message, "\n")
		}
	case l.missing != "":
		f = verdict.Finding{Verdict: verdict.Unsupported, Message: l.missing}
	}
	up.send(verdict.Event{Kind: verdict.End, Test: l.t.Name(), Finding: f})
}

// unwinding reports whether this goroutine is on its way out by a panic or by
// runtime.Goexit. Clean-ups run on that way too, and testing.T does not know of
// the panic yet.
func unwinding() bool {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for {
		f, more := frames.Next()
		if f.Function == "runtime.gopanic" || f.Function == "runtime.Goexit" {
			return true
		}
		if !more {
			return false
		}
	}
}

// endProcesses waits for processes that the test has not looked at: a role that
// failed or crashed fails the test too. In a test that has failed they are not
// waited for, since what they wait for may never come; but one that had ended
// with an error by then is the likelier cause.
func (l *Lab) endProcesses() {
	failed := len(l.failures) > 0
	if failed && len(l.processes) > 0 {
		// One that crashed may still be on its way out.
		settle()
	}
	for _, p := range l.processes {
		if failed {
			select {
			case <-p.ended:
			default:
				continue
			}
		} else {
			<-p.ended
		}
		if p.err == nil || p.killed || (p.checked && !failed) {
			continue
		}
		f := finding(p.crash, p.role+" ended with an error", p.err)
		_, isTodo := todo.In(p.err.Error())
		switch {
		case !failed:
			l.record(f)
			l.t.Fail()
		case p.crash.Verdict != "" || isTodo:
			l.failures = append([]failure{f}, l.failures...)
		case !strings.Contains(l.failures[0].text(), p.err.Error()):
			l.failures[0].Beside = append(l.failures[0].Beside, fmt.Sprintf("process %d ended: %v", p.PID(), p.err))
			// That it ended is likelier than what the test would have guessed.
			l.failures[0].Reason = ""
		}
	}
}

// printed adds what the processes printed to the failure.
func (l *Lab) printed() {
	for _, p := range l.processes {
		text := strings.TrimSpace(string(p.output.Bytes()))
		if text != "" && p.crash.Verdict == "" {
			l.failures[0].Beside = append(l.failures[0].Beside, p.name()+" printed:\n  "+
				strings.ReplaceAll(verdict.LastLines(text), "\n", "\n  "))
		}
	}
}

// Helper marks the caller as a helper. It is part of what testify asks for.
func (l *Lab) Helper() {}

// Errorf records a failure; testify calls it. Only the first one of a step is
// shown in full.
func (l *Lab) Errorf(format string, args ...any) {
	l.record(parse(fmt.Sprintf(format, args...)))
	l.t.Fail()
}

// FailNow ends the test.
func (l *Lab) FailNow() { l.t.FailNow() }

// fail records a failure and ends the test.
func (l *Lab) fail(f failure) {
	l.record(f)
	l.t.FailNow()
}

func (l *Lab) record(f failure) {
	if f.At == "" {
		f.At = testLine()
	}
	l.failures = append(l.failures, f)
}

// Fault ends the test with an error of the workbook, not of the learner.
func (l *Lab) Fault(format string, args ...any) {
	l.fail(failure{Verdict: verdict.Fault, Call: "the workbook itself", Detail: []string{fmt.Sprintf(format, args...)}})
}

// Unsupported ends the test because this machine lacks something that it needs.
// The reason says what, and how that was seen.
func (l *Lab) Unsupported(format string, args ...any) {
	l.missing = fmt.Sprintf(format, args...)
	l.t.Skip(l.missing)
}

// CloseAtEnd closes ends when the test is over, also after a failure. To close
// one earlier in the test does no harm.
func (l *Lab) CloseAtEnd(ends ...interface{ Close() error }) {
	for _, e := range ends {
		l.closers = append(l.closers, func() { _ = e.Close() })
	}
}

// Dir returns a folder for this test alone. Its path is short enough for the
// address of a socket.
func (l *Lab) Dir() string {
	if l.dir == "" {
		parent := os.Getenv(verdict.EnvDir)
		err := os.Mkdir(parent, 0o700)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			l.Fault("making a folder: %v", err)
		}
		dir, err := os.MkdirTemp(parent, "t")
		if err != nil {
			l.Fault("making a folder: %v", err)
		}
		l.dir = dir
	}
	return l.dir
}

// Rand returns a source of random numbers. The seed is the run's: the same seed
// gives the same numbers, and a failure says which it was.
func (l *Lab) Rand() *rand.Rand {
	seed, _ := strconv.ParseUint(os.Getenv(verdict.EnvSeed), 10, 64)
	return rand.New(rand.NewPCG(seed, 0))
}

// folder is the chapter's folder: tests start in it.
var folder, _ = os.Getwd()

func orNothing(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// testLine finds the line of the step itself on the stack, and not that of a
// function that the step calls; or else the innermost line of a test file.
func testLine() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	at := ""
	for {
		f, more := frames.Next()
		if strings.HasSuffix(f.File, "_test.go") {
			line := fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
			if strings.Contains(f.Function, ".Test") {
				return line
			}
			if at == "" {
				at = line
			}
		}
		if !more {
			return at
		}
	}
}

// conn is an end of something: a chapter's own type, or an *os.File.
type conn = syscall.Conn
