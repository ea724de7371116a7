package explain

import "fmt"

// isOther is true of every wait: this is the kind for which no other one applies.
func (w *wait) isOther() bool { return true }

// explainOther names what is known of a wait that has no file of its own here.
func (c *Case) explainOther(w *wait) (lines, advice []string) {
	switch {
	case w.t != nil && len(w.t.Polls) > 1:
		lines = []string{"It waits for one of"}
		for _, p := range w.t.Polls {
			line := fmt.Sprintf("  fd %d", p.FD)
			if f := w.p.File(p.FD); f != nil {
				line += ", which is " + f.Target
			}
			lines = append(lines, line)
		}
		return lines, nil
	case w.how == unknown && !w.p.CallsReadable():
		return []string{"Its system calls may not be read (ptrace(2) says who may)."}, nil
	case w.how == unknown:
		return []string{"What it waits for is not known."}, nil
	}
	if line := w.fileLine(); line != "" {
		return []string{line}, nil
	}
	return nil, nil
}
