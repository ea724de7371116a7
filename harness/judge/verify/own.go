package verify

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gotest.tools/gotestsum/testjson"
)

// own are the harness's own tests: what the laws are proved with has to hold first. Those
// that a reference has of its own, for what no step can ask for, are among them.
// There is a row for each package, and more for what could not be tried on this machine.
//
// A package's tests may start the workbook as a whole. So they depend on all of its
// files, but for the lessons and the variants that they do not name.
func own(root string, tree *Tree) ([]Proof, error) {
	var all []Proof
	var packages []string
	texts := map[string]string{}
	for _, file := range tree.paths {
		if dir := path.Dir(file); either(below("harness"), below("solutions"))(file) && strings.HasSuffix(file, "_test.go") && !strings.Contains(dir, "/testdata") {
			if texts[dir] == "" {
				packages = append(packages, dir)
			}
			text, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				return nil, err
			}
			texts[dir] += string(text)
		}
	}
	for _, dir := range packages {
		var failed []string // once tried, only these are tried again
		all = append(all, Proof{
			Chapter: "harness", What: dir, First: true, Inputs: tree.Sum(Named(texts[dir])),
			Try: func(ctx context.Context, _ uint64) (rows []Row) {
				rows, failed = ownOf(ctx, root, dir, failed)
				return rows
			},
		})
	}
	if len(all) == 0 {
		all = append(all, atOnce("the harness has tests", func() (string, string) { return "", "there are none" }))
	}
	return all, nil
}

// ownOf runs the tests of one package, or some of them, and returns those that failed.
func ownOf(ctx context.Context, root, dir string, only []string) (all []Row, failed []string) {
	// Vet has its place in lint, and nobody debugs these binaries.
	args := []string{"test", "-json", "-count=1", "-timeout=30m", "-vet=off", "-ldflags=-s -w"}
	if len(only) > 0 {
		args = append(args, "-run=^("+strings.Join(only, "|")+")$")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+dir)...)
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), "GODEBUG=gotestjsonbuildtext=1") // the compiler's words on standard error
	var problems bytes.Buffer
	out, err := cmd.StdoutPipe()
	if err != nil {
		return one("", "", err), nil
	}
	cmd.Stderr = &problems
	if err := cmd.Start(); err != nil {
		return one("", "", err), nil
	}
	rows := &ownRows{}
	_, scanErr := testjson.ScanTestOutput(testjson.ScanConfig{Stdout: out, Handler: rows, IgnoreNonJSONOutputLines: true})
	err = cmd.Wait()
	switch {
	case scanErr != nil:
		return one("", "", fmt.Errorf("reading the test events: %w", scanErr)), nil
	case len(rows.all) == 0, err != nil && rows.all[0].Problem == "":
		return one("", fmt.Sprintf("go test ./%s: %v\n%s", dir, err, problems.String()), nil), nil
	case problems.Len() > 0 && rows.all[0].Problem != "":
		rows.all[0].Problem += problems.String()
	}
	return rows.all, rows.failed
}

// ownRows makes rows of a package's events when it has ended: one of the package, and
// one of each test that was skipped.
type ownRows struct {
	all    []Row
	failed []string
}

// Err takes what is no event. The go command's own words are on standard error.
func (*ownRows) Err(string) error { return nil }

func (o *ownRows) Event(event testjson.TestEvent, all *testjson.Execution) error {
	if !event.PackageEvent() || !event.Action.IsTerminal() {
		return nil
	}
	p := all.Package(event.Package)
	row := Row{Saw: "pass"}
	switch {
	case event.Action == testjson.ActionFail:
		row.Problem = problem(p)
		for _, test := range p.Failed {
			name, _, _ := strings.Cut(string(test.Test), "/")
			if !slices.Contains(o.failed, name) {
				o.failed = append(o.failed, name)
			}
		}
	case p.Total == 0:
		row.Problem = "no test ran"
	}
	o.all = append(o.all, row)
	_, name, _ := strings.Cut(event.Package, "/")
	for _, test := range p.Skipped {
		o.all = append(o.all, Row{What: name + " " + string(test.Test), Skipped: reason(p, test)})
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
