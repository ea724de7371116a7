// Package verdict is the small vocabulary that the rooms of the harness share:
// how a step can end, and what is said about it.
package verdict

import (
	"slices"
	"strings"
)

// Verdict is how a step, a chapter or a benchmark ended.
type Verdict string

const (
	Pass        Verdict = "pass"
	Todo        Verdict = "todo"        // the stub's error came back
	Wrong       Verdict = "wrong"       // the test saw something else than it expects
	Hung        Verdict = "hung"        // nothing goes on any more, or one place spins
	Crashed     Verdict = "crashed"     // a process ended on its own: panic, exit, signal, limit
	Residue     Verdict = "residue"     // right, but something was left behind
	Slow        Verdict = "slow"        // benchmarks only
	Unsupported Verdict = "unsupported" // this machine lacks something that the step needs
	Broken      Verdict = "broken"      // the learner's package does not build
	Fault       Verdict = "fault"       // the workbook's own error, never the learner's
)

// order is the order of importance: the first one that is present in a chapter
// is the chapter's verdict.
var order = []Verdict{Fault, Broken, Crashed, Hung, Residue, Wrong, Slow, Todo, Unsupported, Pass}

// Of returns the verdict of a chapter whose steps ended in these ways. A
// chapter in which no step ran is a fault, never a pass.
func Of(steps []Verdict) Verdict {
	for _, v := range order {
		if slices.Contains(steps, v) {
			return v
		}
	}
	return Fault
}

// Finding is what a step's end is and what there is to say about it.
type Finding struct {
	Verdict Verdict `json:"verdict"`
	Message string  `json:"message,omitempty"`
	// File and Line are the learner's place that the message is about, where
	// one is known. File is an absolute path, or a name in the chapter's folder.
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// LastLines returns the end of a text, a screenful at most.
func LastLines(text string) string {
	const most = 12
	lines := strings.Split(text, "\n")
	if len(lines) <= most {
		return text
	}
	return "…\n" + strings.Join(lines[len(lines)-most:], "\n")
}
