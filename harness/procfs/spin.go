package procfs

import (
	"fmt"
	"strings"
	"time"
)

// explainSpin is about a process that never sleeps.
func (w *wait) explainSpin() (lines, advice []string) {
	var cpu time.Duration
	for _, t := range w.p.Threads {
		cpu += t.CPU
	}
	line := "It never sleeps"
	if cpu > 0 {
		line += fmt.Sprintf(", and used %s of CPU time so far", seconds(cpu))
	}
	lines = append(lines, line+".")
	if w.frame.File == "" && w.g != nil {
		lines = append(lines, "At which line is not known: the runtime could not stop it there.")
	}
	if w.call != "" {
		line := "When it was stopped it was in " + manual(w.call)
		if file := w.fileLine(); file != "" {
			line += "; " + strings.TrimSuffix(file, ".")
		}
		lines = append(lines, line+".")
	}
	advice = []string{"A loop must sleep in the kernel until there is something to do, or it must end."}
	if w.call == "read" {
		advice = append(advice, "At end of file read(2) returns 0 at once, every time. Is that taken for \"try again\"?")
	}
	return lines, advice
}

// seconds writes a duration as people say it: "2 s", "0.1 s".
func seconds(d time.Duration) string {
	s := fmt.Sprintf("%.1f", d.Seconds())
	return strings.TrimSuffix(s, ".0") + " s"
}
