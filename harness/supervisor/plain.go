package supervisor

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
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
	tmp, err := tidiedFolder()
	if err != nil {
		fmt.Fprintln(os.Stderr, "supervisor:", err)
		os.Exit(4)
	}
	report := Run(verdict.Spec{
		Path:     "/proc/self/exe",
		Args:     os.Args[1:],
		Dir:      dir,
		Env:      []string{"GOTRACEBACK=all", "TMPDIR=" + tmp},
		Deadline: verdict.Deadline,
	}, os.Stdout, os.Stderr)
	os.RemoveAll(tmp)
	if report.Finding.Verdict == "" {
		os.Exit(report.Code)
	}
	printFinding(report)
	os.Exit(1)
}

// tidiedFolder makes the folder for all that is temporary. A helper process
// removes it when this one is gone, even by SIGKILL.
func tidiedFolder() (string, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("workbook-%d-%x", os.Getpid(), rand.Uint32()))
	janitor := exec.Command("/proc/self/exe")
	janitor.Args = []string{"workbook supervisor"} // what ps shows
	janitor.Env = append(os.Environ(), verdict.EnvSupervise+"=1", verdict.EnvTidy+"="+dir)
	janitor.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := janitor.Start(); err != nil {
		return "", err
	}
	helper = janitor.Process.Pid
	return dir, os.Mkdir(dir, 0o700)
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
