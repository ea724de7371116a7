package check

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	"gotest.tools/gotestsum/testjson"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/verdict"
)

// judge makes one finding of what the supervisor saw, what the lab said, and
// what the Go test runner reported.
func (b *Built) judge(ctx context.Context, s book.Step, r verdict.Report) (verdict.Finding, error) {
	f, err := b.weigh(ctx, s, r)
	if err == nil && f.Verdict != verdict.Pass && f.Verdict != verdict.Fault {
		if text := printed(r); text != "" {
			f.Message += "\n\nThe test's process printed:\n" + text
		}
	}
	return f, err
}

// printed is what the learner's code printed in the test's process: what is
// neither a line of the test runner nor the runtime's dump.
func printed(r verdict.Report) string {
	var kept []string
	for line := range strings.Lines(string(r.Stdout) + "\n" + string(r.Stderr)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") || strings.HasPrefix(line, "runtime: ") || strings.HasPrefix(line, "WARNING: DATA RACE") {
			break
		}
		if framework.MatchString(line) || strings.TrimSpace(line) == "" {
			continue
		}
		kept = append(kept, "  "+line)
	}
	return verdict.LastLines(strings.Join(kept, "\n"))
}

// framework are the lines of the test runner itself.
var framework = regexp.MustCompile(`^\x16|^(=== |--- |\s+--- )|^(PASS|FAIL)$|^exit status \d+$|^(goos|goarch|pkg|cpu): |^Benchmark[A-Z]\S*`)

// weigh holds the three against each other.
func (b *Built) weigh(ctx context.Context, s book.Step, r verdict.Report) (verdict.Finding, error) {
	if r.Finding.Verdict != "" {
		return r.Finding, nil
	}
	lab, said := r.Ends[s.Test]
	ran, err := events(ctx, b.tool, r.Stdout)
	if err != nil {
		return verdict.Finding{}, err
	}
	passed, failed, skipped := ran.count(s.Test)
	switch {
	case !said && passed+failed+skipped == 0:
		return verdict.Finding{Verdict: verdict.Fault,
			Message: fmt.Sprintf("The test binary has no test %s, or it did not run. It said:\n%s", s.Test, output(r))}, nil
	case !said:
		return verdict.Finding{Verdict: verdict.Crashed,
			Message: "The test ended and did not say how: its line to the supervisor was silent.\n" +
				"Does your code close descriptors that it did not open, or end goroutines with runtime.Goexit?"}, nil
	case lab.Verdict == verdict.Pass && failed == 1 && bytes.Contains(r.Stderr, []byte("WARNING: DATA RACE")):
		return verdict.Finding{Verdict: verdict.Wrong, Message: "Two goroutines use the same memory and nothing orders them.\n" + string(r.Stderr)}, nil
	case lab.Verdict == verdict.Pass && (passed != 1 || failed+skipped != 0),
		lab.Verdict == verdict.Unsupported && (skipped != 1 || passed+failed != 0),
		lab.Verdict != verdict.Pass && lab.Verdict != verdict.Unsupported && (failed != 1 || passed+skipped != 0):
		return verdict.Finding{Verdict: verdict.Crashed,
			Message: fmt.Sprintf("The lab says %q, and the test runner saw %d passed, %d failed, %d skipped.\n"+
				"One of them was disturbed: does your code write to descriptors that it did not open?", lab.Verdict, passed, failed, skipped)}, nil
	}
	return lab, nil
}

func output(r verdict.Report) string {
	return strings.TrimSpace(string(r.Stdout) + "\n" + string(r.Stderr))
}

// ran is what the Go test runner reported.
type ran struct{ pkg *testjson.Package }

func (r ran) count(test string) (passed, failed, skipped int) {
	if r.pkg == nil {
		return 0, 0, 0
	}
	in := func(cases []testjson.TestCase) (n int) {
		for _, c := range cases {
			if string(c.Test) == test {
				n++
			}
		}
		return n
	}
	return in(r.pkg.Passed), in(r.pkg.Failed), in(r.pkg.Skipped)
}

// packageName stands for the package in the events; a test binary that is run
// directly does not know it.
const packageName = "chapter"

// events turns the test binary's output into the test runner's events.
func events(ctx context.Context, tool string, stdout []byte) (ran, error) {
	cmd := exec.CommandContext(ctx, tool, "-p", packageName)
	cmd.Stdin = bytes.NewReader(stdout)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	text, err := cmd.Output()
	if err != nil {
		return ran{}, fmt.Errorf("test2json: %w\n%s", err, &problems)
	}
	execution, err := testjson.ScanTestOutput(testjson.ScanConfig{
		Stdout: bytes.NewReader(text), Handler: quiet{},
	})
	if err != nil {
		return ran{}, fmt.Errorf("reading the test events: %w", err)
	}
	return ran{execution.Package(packageName)}, nil
}

// quiet is a testjson.EventHandler that keeps what testjson collects anyway.
type quiet struct{}

func (quiet) Event(testjson.TestEvent, *testjson.Execution) error { return nil }
func (quiet) Err(string) error                                    { return nil }

// test2json finds the tool of this Go. `go tool` builds it once and caches it;
// with -n it prints where.
func test2json(ctx context.Context, tmp string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "tool", "-n", "test2json")
	cmd.Env = append(cmd.Environ(), "GOTMPDIR="+tmp)
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go tool -n test2json: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}
