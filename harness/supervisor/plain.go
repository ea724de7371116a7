package supervisor

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"ipcworkbook/harness/verdict"
)

// Plain puts a test binary that `go test` started below a supervisor: this
// process becomes the supervisor and does not return. In every other process it
// does nothing. It has to run before any of the learner's code: package lab
// calls it in its initialisation, which comes before that of every package that
// imports lab.
func Plain() {
	if !testing.Testing() || os.Getenv(verdict.EnvControl) != "" || os.Getenv(verdict.EnvRole) != "" {
		return
	}
	dir, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, "supervisor:", err)
		os.Exit(4)
	}
	report := Run(verdict.Spec{
		Path:     "/proc/self/exe",
		Args:     os.Args[1:],
		Dir:      dir,
		Env:      []string{"GOTRACEBACK=all"},
		Deadline: Deadline,
	}, os.Stdout, os.Stderr)
	if report.Finding.Verdict == "" {
		os.Exit(report.Code)
	}
	printFinding(report)
	os.Exit(1)
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
	text := string(r.Finding.Verdict) + ": " + r.Finding.Message
	for line := range strings.Lines(text) {
		fmt.Print("    ", line)
	}
	fmt.Printf("\n%sFAIL\n", marker)
}
