package verify

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"

	"gotest.tools/gotestsum/testjson"
)

// own runs the harness's own tests: what the laws are proved with has to hold
// first. There is a row for each package, and one for each test that could not be
// tried on this machine.
func own(ctx context.Context, root string, add func(Row)) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-timeout=30m", "./harness/...")
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), "GODEBUG=gotestjsonbuildtext=1") // the compiler's words on standard error
	var problems bytes.Buffer
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = &problems
	if err := cmd.Start(); err != nil {
		return err
	}
	rows := &ownRows{add: add}
	_, scanErr := testjson.ScanTestOutput(testjson.ScanConfig{Stdout: out, Handler: rows, IgnoreNonJSONOutputLines: true})
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case scanErr != nil:
		return fmt.Errorf("reading the test events: %w", scanErr)
	case rows.packages == 0 || err != nil && (!rows.failed || problems.Len() > 0):
		add(Row{Chapter: "harness", Law: 0, What: "go test ./harness/...", Problem: fmt.Sprintf("%v\n%s", err, problems.String())})
	}
	return nil
}

// ownRows makes rows of a package's events when it has ended.
type ownRows struct {
	add      func(Row)
	packages int // that have tests
	failed   bool
}

// Err takes what is no event. The go command's own words are on standard error.
func (*ownRows) Err(string) error { return nil }

func (o *ownRows) Event(event testjson.TestEvent, all *testjson.Execution) error {
	if !event.PackageEvent() || !event.Action.IsTerminal() {
		return nil
	}
	p := all.Package(event.Package)
	if event.Action == testjson.ActionSkip && p.Total == 0 {
		return nil // it has no tests
	}
	o.packages++
	_, name, _ := strings.Cut(event.Package, "/")
	row := Row{Chapter: "harness", Law: 0, What: name, Saw: "pass", Took: p.Elapsed()}
	if event.Action == testjson.ActionFail {
		o.failed = true
		row.Problem = problem(p)
	}
	o.add(row)
	for _, test := range p.Skipped {
		o.add(Row{Chapter: "harness", Law: 0, What: name + " " + string(test.Test), Skipped: reason(p, test)})
	}
	return nil
}

// problem is what the tests that failed have printed, and what the package has.
func problem(p *testjson.Package) string {
	var s strings.Builder
	for _, test := range p.Failed {
		s.WriteString(strings.Join(p.OutputLines(test), ""))
	}
	_ = p.WriteOutputTo(&s, 0) // a Builder takes all
	return s.String()
}

// whereSkipped is what testing puts before the reason: "report_test.go:27: ".
var whereSkipped = regexp.MustCompile(`^\s+\S+_test\.go:\d+: (.*)`)

// reason is why a test was skipped, in its own words.
func reason(p *testjson.Package, test testjson.TestCase) string {
	for _, line := range p.OutputLines(test) {
		if m := whereSkipped.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
			return m[1]
		}
	}
	return "no reason was given"
}
