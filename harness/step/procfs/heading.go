package procfs

import (
	"strconv"
	"strings"
)

// heading is the first line of a paragraph: who waits, in which call, where.
func (w *wait) heading() string {
	s := w.p.name()
	switch {
	case w.p.stopped() && w.frame.File == "":
		return s + " is stopped"
	case w.p.stopped():
		return s + " is stopped; its code is at " + w.frame.where()
	}
	switch w.how {
	case inCall:
		s += " is blocked in " + manual(w.call)
	case inPoller:
		s += " is blocked in " + article(w.call)
	case inProcess:
		s += " waits"
		if w.g.calls("time.Sleep") {
			s = w.p.name() + " sleeps"
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
		return s + " in the goroutine started at " + w.frame.where()
	}
	return s + " at " + w.frame.where()
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
			lines = append(lines, begins+f.where())
			begins, inner = "and that from ", f.Func
		}
		past = past || f == w.frame
	}
	return lines
}

// manual writes a call as its manual page is called.
func manual(call string) string {
	if strings.Contains(call, " ") {
		return call // one that has no name here
	}
	return call + "(2)"
}

// article is for a goroutine in the poller. It is not in read(2), but that is
// what it will do next, and what the learner wrote.
func article(call string) string {
	if call == "accept" {
		return "an accept"
	}
	return "a " + call
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
	case w.file.Kind == FIFO:
		return fd + " is the FIFO " + w.file.Target + "."
	case w.file.Kind == MQueue:
		return fd + " is the message queue " + w.file.queueName() + "."
	}
	return fd + " is " + w.file.Target + "."
}
