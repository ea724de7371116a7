package explain

import (
	"strconv"
	"strings"

	"ipcworkbook/harness/step/procfs"
)

// heading is the first line of a paragraph: who waits, in which call, where.
func (w *wait) heading() string {
	s := name(w.p)
	switch {
	case w.p.Stopped() && w.frame.File == "":
		return s + " is stopped"
	case w.p.Stopped():
		return s + " is stopped; its code is at " + where(w.frame)
	}
	switch w.how {
	case inCall:
		s += " is blocked in " + manual(w.call)
	case inPoller:
		s += " is blocked in " + article(w.call)
	case inProcess:
		s += " waits"
		if w.g.Calls("time.Sleep") {
			s = name(w.p) + " sleeps"
		}
	case burning:
		s += " burns CPU"
	case unknown:
		s += " is still there"
	}
	if w.frame.File == "" {
		return s
	}
	if w.g != nil && w.frame == w.g.CreatedBy {
		return s + " in the goroutine started at " + where(w.frame)
	}
	return s + " at " + where(w.frame)
}

// calledFrom says through which functions of the learner's one came to the line
// that waits. The last of them is what a test calls.
func (c *Case) calledFrom(w *wait) (lines []string) {
	if w.owner != learner || w.g == nil {
		return nil
	}
	const most = 3
	begins, inner := "It was called from ", w.frame.Func
	past := false
	for _, f := range w.g.Frames {
		own := c.ownerOf(f) == learner && !strings.Contains(f.Func, ".gowrap") // the compiler's, for a go statement
		if own && past && f.Func != inner && len(lines) < most {
			lines = append(lines, begins+where(f))
			begins, inner = "and that from ", f.Func
		}
		past = past || f == w.frame
	}
	return lines
}

// fileLine says what the descriptor is: "fd 3 is pipe:[98123]."
func (w *wait) fileLine() string {
	fd := "fd " + strconv.Itoa(w.fd)
	switch {
	case w.fd < 0 && w.how == inPoller:
		return "Its descriptor is not known."
	case w.fd < 0:
		return ""
	case w.file == nil:
		return "It is about " + fd + "."
	case w.file.Kind == procfs.FIFO:
		return fd + " is the FIFO " + w.file.Target + "."
	case w.file.Kind == procfs.MQueue:
		return fd + " is the message queue " + queueName(w.file) + "."
	}
	return fd + " is " + w.file.Target + "."
}
