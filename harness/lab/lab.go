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
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ipcworkbook/harness/step/residue"
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
	open      residue.Descriptors // before the step
	places    residue.Places
	before    residue.Objects
	missing   string     // why the step is unsupported here
	files     string     // the folder of the paths that were given out
	launched  []*Process // relays among them
	seeded    atomic.Bool
	measured  *verdict.Measured // by a benchmark
}

// New starts a step: its deadline runs from here. It ends with the test. A
// benchmark that goes on may take as long as it is asked to.
func New(t testing.TB) *Lab {
	t.Helper()
	l := &Lab{t: t, places: residue.Here()}
	_, bench := t.(*testing.B)
	up.send(verdict.Event{Kind: verdict.Start, Test: t.Name(), Bench: bench})
	t.Cleanup(l.end)
	l.before = residue.Look(l.places)
	l.open = residue.OpenDescriptors()
	return l
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
	if os.Getenv(verdict.EnvJudged) == "" {
		l.t.Skip(l.missing)
	}
	l.t.SkipNow() // whoever judges shows it
}

// CloseAtEnd closes ends when the test is over, also after a failure. To close
// one earlier in the test does no harm.
func (l *Lab) CloseAtEnd(ends ...interface{ Close() error }) {
	for _, e := range ends {
		l.closers = append(l.closers, func() { _ = e.Close() })
	}
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
