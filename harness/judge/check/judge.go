package check

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/verdict"
)

// judge makes one finding of what the supervisor saw, what the lab said, and
// what the Go test runner reported.
func judge(s book.Step, r verdict.Report) verdict.Finding {
	f := weigh(s, r)
	if f.Verdict != verdict.Pass && f.Verdict != verdict.Fault {
		if text := printed(r); text != "" {
			f.Message += "\n\nThe test's process printed:\n" + text
		}
	}
	return f
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
func weigh(s book.Step, r verdict.Report) verdict.Finding {
	if r.Finding.Verdict != "" {
		return r.Finding
	}
	lab, said := r.Ends[s.Test]
	ran := reported(r.Stdout, s.Test)
	passed, failed, skipped := ran.passed, ran.failed, ran.skipped
	switch {
	case !said && passed+failed+skipped == 0:
		return verdict.Finding{Verdict: verdict.Fault,
			Message: fmt.Sprintf("The test binary has no test %s, or it did not run. It said:\n%s", s.Test, output(r))}
	case !said:
		return verdict.Finding{Verdict: verdict.Crashed,
			Message: "The test ended and did not say how: its line to the supervisor was silent.\n" +
				"Does your code close descriptors that it did not open, or end goroutines with runtime.Goexit?"}
	case lab.Verdict == verdict.Pass && failed == 1 && bytes.Contains(r.Stderr, []byte("WARNING: DATA RACE")):
		return verdict.Finding{Verdict: verdict.Wrong, Message: "Two goroutines use the same memory and nothing orders them.\n" + string(r.Stderr)}
	case lab.Verdict == verdict.Pass && (passed != 1 || failed+skipped != 0),
		lab.Verdict == verdict.Unsupported && (skipped != 1 || passed+failed != 0),
		lab.Verdict != verdict.Pass && lab.Verdict != verdict.Unsupported && (failed != 1 || passed+skipped != 0):
		return verdict.Finding{Verdict: verdict.Crashed,
			Message: fmt.Sprintf("The lab says %q, and the test runner saw %d passed, %d failed, %d skipped.\n"+
				"One of them was disturbed: does your code write to descriptors that it did not open?", lab.Verdict, passed, failed, skipped)}
	}
	return lab
}

func output(r verdict.Report) string {
	return strings.TrimSpace(string(r.Stdout) + "\n" + string(r.Stderr))
}

// ran counts how often the Go test runner reported each end of a test.
type ran struct{ passed, failed, skipped int }

// runnerMark is what the runner puts before each of its own lines with
// -test.v=test2json, also in the middle of what the test prints.
const runnerMark = "\x16"

// runnerLine is such a line about the end of a test: "--- PASS: TestSend (0.01s)".
// Those of subtests are indented.
var runnerLine = regexp.MustCompile(`^ *--- (PASS|FAIL|SKIP): (\S+) \(`)

// reported reads what the runner said of a test in a test binary's output.
func reported(stdout []byte, test string) (r ran) {
	pieces := bytes.Split(stdout, []byte(runnerMark))
	for _, piece := range pieces[1:] { // what comes before the first mark is not the runner's
		m := runnerLine.FindSubmatch(piece)
		if m == nil || string(m[2]) != test {
			continue
		}
		switch string(m[1]) {
		case "PASS":
			r.passed++
		case "FAIL":
			r.failed++
		case "SKIP":
			r.skipped++
		}
	}
	return r
}
