package lab

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
	"testing"

	"ipcworkbook/harness/step/supervisor"
	"ipcworkbook/harness/verdict"
)

// This runs before any of the learner's code: a chapter's main_test.go is in the
// chapter's own package and imports lab, so lab is initialised first.
func init() {
	if _, is := isProgram(); is {
		return
	}
	supervisor.Enter()
	supervisor.Plain()
	prepare()
	openCrashLine()
	debug.SetMaxStack(maxStack)
	up = openLine()
}

// maxStack is how large a goroutine's stack may be. Go's own limit is 1 GB: until a
// function that calls itself without end has filled that, a busy machine has used the
// processor time after which a step is taken for an endless loop.
const maxStack = 64 << 20

// up is the line to whoever started this process: to the supervisor in the
// test, to the test in a child process.
var up *line

// openCrashLine makes the runtime write its dump, on SIGQUIT or in a crash, to
// the supervisor too. The descriptor is inherited and blocks, so that nothing of
// the dump is lost.
func openCrashLine() {
	f, ok := inherited(verdict.EnvCrash)
	if !ok {
		return
	}
	// An error leaves the explanations without the learner's lines, no more.
	_ = debug.SetCrashOutput(f, debug.CrashOptions{})
	crashLine = f
}

// crashLine is handed on to the child processes.
var crashLine *os.File

// inherited returns the file that an environment variable gives the number of.
// From here on no program that this process starts inherits it by accident.
func inherited(variable string) (*os.File, bool) {
	fd, err := strconv.Atoi(os.Getenv(variable))
	if err != nil {
		return nil, false
	}
	syscall.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), variable), true
}

// Main is the TestMain of every chapter:
//
//	func TestMain(m *testing.M) { lab.Main(m) }
//
// It stands in main_test.go, in the chapter's own package. In a process that was
// started to play a role, Main plays it and does not return. So it does with a [Program].
func Main(m *testing.M) {
	if name, is := isProgram(); is {
		os.Exit(execute(name))
	}
	if name := os.Getenv(verdict.EnvRole); name != "" {
		os.Exit(play(name))
	}
	if up == nil {
		fmt.Fprintln(os.Stderr, "lab: this test binary has no supervisor")
		os.Exit(4)
	}
	up.send(verdict.Event{Kind: verdict.Ready})
	os.Exit(m.Run())
}
