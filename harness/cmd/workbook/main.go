// Workbook is the command line of the workbook: see docs/learners.md. Every task
// of Taskfile.yml is one call of it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"

	"github.com/alecthomas/kong"

	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/step/supervisor"
)

// The exit statuses are a contract: scripts use them.
const (
	passed      = 0
	failed      = 1
	usage       = 2
	unsupported = 3
	faulty      = 4
)

// standsIn names the folder that the reader stands in, where the wrapper ./task had to
// go to another one.
const standsIn = "WORKBOOK_HERE"

// statusFile names a file that receives the exit status. The wrapper ./task sets
// it: a command that fails would make go-task print a line about itself, and
// that would be the last thing a learner reads.
const statusFile = "WORKBOOK_STATUS"

type cli struct {
	List     listCmd     `cmd:"" default:"1" help:"Show the chapters, how far each is, and what is next."`
	Test     testCmd     `cmd:"" help:"Check a chapter; without --chapter the first unfinished one."`
	Watch    watchCmd    `cmd:"" help:"Check a chapter again after each save."`
	Bench    benchCmd    `cmd:"" help:"Measure a chapter beside the reference, Python, C and the limit."`
	Report   reportCmd   `cmd:"" help:"Write one page with all that was measured so far."`
	Hint     hintCmd     `cmd:"" help:"Show a hint for a step."`
	Reset    resetCmd    `cmd:"" help:"Put a chapter back as it was handed out, and keep what stood there."`
	Predict  predictCmd  `cmd:"" help:"Ask an experiment of a lesson: guess first, then see it run."`
	Solution solutionCmd `cmd:"" help:"Show your version beside the reference."`
	Demo     demoCmd     `cmd:"" help:"Run a chapter's scenario as a program."`
	Doctor   doctorCmd   `cmd:"" help:"Look whether this machine has what the workbook needs."`
	Verify   verifyCmd   `cmd:"" help:"Prove that the workbook teaches what it says (for maintainers)."`
	Soak     soakCmd     `cmd:"" help:"Check a chapter many times under load: one verdict, every time."`
	Figures  figuresCmd  `cmd:"" help:"Show the figures of a lesson; with --measure measure them anew (for maintainers)."`
	Lint     lintCmd     `cmd:"" help:"Run gofmt, go vet and staticcheck (for maintainers)."`
	Seal     sealCmd     `cmd:"" help:"Seal the chapters' stubs and tests as they are now (for maintainers)."`
	Words    wordsCmd    `cmd:"" help:"Write the outputs shown in README.md, docs and lessons anew (for maintainers)."`
}

func main() {
	supervisor.Enter()
	file := os.Getenv(statusFile)
	os.Unsetenv(statusFile) // not for the programs that we start
	if dir := os.Getenv(standsIn); dir != "" {
		os.Unsetenv(standsIn)
		_ = os.Chdir(dir) // if it fails, paths are shown from the workbook's folder
	}
	status := run(os.Args[1:], file != "")
	if file != "" {
		if err := os.WriteFile(file, []byte(strconv.Itoa(status)), 0o600); err == nil {
			return
		}
	}
	os.Exit(status)
}

func run(args []string, wrapped bool) int {
	var c cli
	parser, err := kong.New(&c, kong.Name("workbook"),
		kong.Description("A test-first workbook on Linux inter-process communication."),
		kong.Vars{"rounds": strconv.Itoa(gauge.DefaultRounds)})
	if err != nil {
		return conclude(err)
	}
	call, err := parser.Parse(args)
	if err != nil {
		complain(asTyped(err.Error()))
		return usage
	}
	// SIGPIPE: who reads what we write has gone away, as head(1) does. That is no
	// failure, and the programs that we start have the signal as it was.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	root, err := findRoot()
	if err != nil {
		return conclude(err)
	}
	here, err := os.Getwd()
	if err != nil {
		return conclude(err)
	}
	call.BindTo(ctx, (*context.Context)(nil))
	at := place{root: root, here: here, task: "task"}
	if wrapped {
		// What is shown can be typed as it stands, from here.
		if at.task = overlay.Relative(filepath.Join(root, "task"), here); at.task == "task" {
			at.task = "./task"
		}
	}
	call.Bind(at)
	return conclude(call.Run())
}

// conclude prints an error and turns it into an exit status.
func conclude(err error) int {
	var status exitStatus
	switch {
	case err == nil:
		return passed
	case errors.As(err, &status):
		return int(status)
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "\nworkbook: stopped; nothing was left running")
		return 130
	}
	var broken check.BrokenError
	if errors.As(err, &broken) {
		complain(err.Error())
		return failed
	}
	var wrong usageError
	if errors.As(err, &wrong) {
		complain(err.Error())
		return usage
	}
	fmt.Fprintf(os.Stderr, "workbook: this is an error of the workbook, not yours:\n%v\n", err)
	return faulty
}

// complain says on standard error what is wrong with what was asked for.
func complain(text string) { screen.New(os.Stderr, "task").Text("workbook: " + text) }

// asTyped says of a flag what its reader has typed: level=x, and not --level x.
func asTyped(text string) string {
	return badNumber.ReplaceAllString(text, "$1= takes a whole number, and not $2")
}

var badNumber = regexp.MustCompile(`^--(\w+): expected a valid \d+ bit u?int but got (".*")$`)

// exitStatus ends the program with a status after everything has been said.
type exitStatus int

func (s exitStatus) Error() string { return "exit status " + strconv.Itoa(int(s)) }

// usageError is wrong usage, in a sentence.
type usageError struct{ error }

func wrongUsage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }
