package supervisor

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/verdict"
)

// Plain puts a test binary that `go test` started below a supervisor: this
// process starts itself again as one, waits, and does not return. In every other
// process it does nothing. It has to run before any of the learner's code:
// package lab calls it in its initialisation, which comes before that of every
// package that imports lab.
func Plain() {
	if !testing.Testing() || os.Getenv(verdict.EnvControl) != "" || os.Getenv(verdict.EnvRole) != "" {
		return
	}
	report, err := plain()
	if err != nil {
		fmt.Fprintln(os.Stderr, "supervisor:", err)
		os.Exit(4)
	}
	if report.Finding.Verdict == "" {
		os.Exit(report.Code)
	}
	printFinding(report)
	os.Exit(1)
}

func plain() (verdict.Report, error) {
	dir, err := os.Getwd()
	if err != nil {
		return verdict.Report{}, err
	}
	tmp, remove, err := launch.Folder()
	if err != nil {
		return verdict.Report{}, err
	}
	defer remove()
	// go test may be killed, and nobody tells this process.
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if fd, err := unix.PidfdOpen(os.Getppid(), 0); err == nil {
		go func() {
			<-gone(fd)
			stop()
		}()
	}
	// SIGQUIT comes from go test -timeout.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	return launch.Run(ctx, verdict.Spec{
		Path:     "/proc/self/exe",
		Args:     os.Args[1:],
		Dir:      dir,
		Env:      []string{"GOTRACEBACK=all", "TMPDIR=" + tmp},
		Deadline: verdict.Deadline,
		Show:     true,
	}, os.Stdout, os.Stderr, signals)
}

// printFinding tells go test what the supervisor found, in the words of a test
// that failed.
func printFinding(r verdict.Report) {
	marker := ""
	if slices.Contains(os.Args, "-test.v=test2json") {
		marker = "\x16"
	}
	fmt.Println()
	if r.Test != "" {
		fmt.Printf("%s--- FAIL: %s (%.2fs)\n", marker, r.Test, r.Took.Seconds())
	}
	message := r.Finding.Message
	if source, err := os.ReadFile(r.TestFile); err == nil && r.Finding.Verdict == verdict.Hung {
		message = explain.AtLine(message, fmt.Sprintf("%s:%d", r.TestFile, r.TestLine), source, r.TestLine)
	}
	text := string(r.Finding.Verdict) + ": " + message
	if dir, err := os.Getwd(); err == nil {
		// As go test shows places: from the package's folder.
		text = strings.ReplaceAll(text, dir+"/", "")
		if r.Seeded {
			text += "\n\n" + verdict.Again(seed(), r.Test, dir)
		}
	}
	for line := range strings.Lines(text) {
		fmt.Print("    ", line)
	}
	fmt.Printf("\n%sFAIL\n", marker)
}

// seed is the run's. The lab has refused one that is no number.
func seed() uint64 {
	n, err := strconv.ParseUint(os.Getenv(verdict.EnvSeed), 10, 64)
	if err != nil {
		return 1
	}
	return n
}
