package check

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/verdict"
)

// Bench runs one benchmark once, in a process of its own below a supervisor, as
// a step is run. Name is what follows "Benchmark": "Transfer/1KiB". It returns
// what was measured, and a finding that is not pass where nothing was.
//
// The figures are those that the lab hands over as data. What the test binary
// prints of its own is not looked at: everybody could print that.
//
// The process and those that it starts are kept on the core with that number, and
// the second process of the benchmark on another: -1 leaves both to the scheduler.
func (b *Built) Bench(ctx context.Context, name, edit string, messages, first, second int) (verdict.Measured, verdict.Finding, error) {
	if b.broken.Verdict != "" {
		return verdict.Measured{}, verdict.Finding{Verdict: b.broken.Verdict, Message: b.broken.Message}, nil
	}
	full := "Benchmark" + name
	var pattern []string
	for _, part := range strings.Split(full, "/") {
		pattern = append(pattern, "^"+regexp.QuoteMeta(part)+"$")
	}
	spec := b.spec(1, "-test.run=^$", "-test.bench="+strings.Join(pattern, "/"),
		fmt.Sprintf("-test.benchtime=%dx", messages), "-test.count=1")
	spec.Core = first + 1
	if second >= 0 {
		spec.Env = append(spec.Env, fmt.Sprintf("%s=%d", verdict.EnvCore, second))
	}
	r, err := launch.Run(ctx, spec, nil, nil, nil)
	if err != nil {
		return verdict.Measured{}, verdict.Finding{}, err
	}
	m, f := judgeBench(full, messages, r)
	if f.Verdict != verdict.Pass && f.Verdict != verdict.Fault {
		if text := printed(r); text != "" {
			f.Message += "\n\nThe benchmark's process printed:\n" + text
		}
	}
	return m, b.shown(f, edit), nil
}

// judgeBench holds what the supervisor saw against what the lab said.
func judgeBench(name string, messages int, r verdict.Report) (verdict.Measured, verdict.Finding) {
	said, ended := r.Ends[name]
	m, measured := r.Measured[name]
	finding := func(v verdict.Verdict, format string, args ...any) (verdict.Measured, verdict.Finding) {
		return verdict.Measured{}, verdict.Finding{Verdict: v, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case r.Finding.Verdict != "":
		return verdict.Measured{}, r.Finding
	case !ended && r.Code == 0 && len(r.Ends) == 0 && strings.TrimSpace(string(r.Stdout)) == "PASS":
		return finding(verdict.Fault, "The test binary has no benchmark %s.", name)
	case !ended:
		return finding(verdict.Crashed, "The benchmark ended and did not say how (exit status %d).\n"+
			"Does your code call os.Exit, or close descriptors that it did not open?", r.Code)
	case said.Verdict != verdict.Pass:
		return verdict.Measured{}, said
	case r.Code != 0:
		return finding(verdict.Crashed, "Every message arrived, and then the test binary ended with exit status %d.", r.Code)
	case !measured || m.Messages != messages:
		return finding(verdict.Fault, "%d messages were asked for, and %d were measured.", messages, m.Messages)
	}
	return m, verdict.Finding{Verdict: verdict.Pass}
}

// Broken is the result of a chapter that does not build.
func (b *Built) Broken() (Result, bool) { return b.broken, b.broken.Verdict != "" }
