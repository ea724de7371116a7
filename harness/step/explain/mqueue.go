package explain

import (
	"fmt"
	"slices"
	"strings"

	"ipcworkbook/harness/step/procfs"
)

// onQueue reports whether the wait is about a POSIX message queue.
func (w *wait) onQueue() bool {
	return w.file != nil && w.file.Kind == procfs.MQueue && w.mode != 0 && (w.how == inCall || w.how == inPoller)
}

// explainQueue says how full a queue is and who has it open.
func (c *Case) explainQueue(w *wait) (lines, advice []string) {
	line := w.fileLine()
	q := w.file.Queue
	switch {
	case q == nil || q.Messages < 0:
	case q.Messages == 0:
		line += fmt.Sprintf(" It is empty: 0 of %d messages are in it.", q.Limit)
	case q.Messages >= q.Limit:
		line += fmt.Sprintf(" It is full: %d of %d messages are in it.", q.Messages, q.Limit)
	default:
		line += fmt.Sprintf(" %d of %d messages are in it.", q.Messages, q.Limit)
	}
	side, does, other := "writing", "sends to", procfs.File.Writes
	waits := func(v *wait) bool { return v.onQueue() && v.mode == 'w' && v.file.Same(*w.file) }
	if w.mode == 'w' {
		side, does, other = "reading", "receives from", procfs.File.Reads
		waits = func(v *wait) bool { return v.onQueue() && v.mode == 'r' && v.file.Same(*w.file) }
	}
	lines = []string{line}
	holders, unread := c.holders(*w.file, other)
	switch {
	case len(holders) == 0 && unread > 0:
		lines = append(lines, "No process was found that has it open for "+side+".")
		lines = append(lines, unreadLine(unread)...)
	case len(holders) == 0:
		lines = append(lines, "Nobody has it open for "+side+".")
	default:
		sentence := "It is open for " + side + " in"
		if c.nobodyWaits(holders, waits) {
			sentence = "Nobody " + does + " it now. " + sentence
		}
		lines = append(lines, sentence)
		lines = append(lines, list(holders, w.p.PID)...)
	}
	renamed := c.otherQueue(w)
	return append(lines, renamed...), c.queueAdvice(w, holders, len(renamed) > 0)
}

func (c *Case) queueAdvice(w *wait, holders []holder, renamed bool) []string {
	self := len(holders) > 0 && !slices.ContainsFunc(holders, func(h holder) bool { return h.p.PID != w.p.PID })
	var advice []string
	switch {
	case renamed:
		advice = []string{
			"mq_unlink takes the name away: a process that opens it later gets a new, empty queue, and the two never meet.",
			"Unlink at the very end, or before anybody has opened it.",
		}
	case w.mode == 'r':
		advice = []string{
			"A queue has no end of file: a receiver waits even when nobody has it open for writing any more.",
			"A sender that is done must say so with a message, or the receiver must know how many come.",
		}
	default:
		advice = []string{"A send into a full queue waits until somebody receives. With O_NONBLOCK it would fail with EAGAIN."}
		if len(holders) == 0 {
			advice = append(advice, "Was the receiver started, and has it opened this queue for reading?")
		}
	}
	switch {
	case self && w.mode == 'r':
		advice = append(advice, "Here only the receiver itself could send. Does it receive more messages than were sent?")
	case self:
		advice = append(advice, "Here only the sender itself could receive: no other process has it open for reading.")
	}
	return advice
}

// queueName is the name without the mark of the kernel for an unlinked one.
func queueName(f *procfs.File) string {
	if f.Queue != nil && f.Queue.Unlinked {
		return strings.TrimSuffix(f.Target, " (deleted)")
	}
	return f.Target
}

// otherQueue finds processes of the step that have another queue of the same
// name: one of the two was unlinked.
func (c *Case) otherQueue(w *wait) []string {
	var lines []string
	mine := w.file.Queue
	if mine != nil && mine.Unlinked {
		lines = append(lines, "Its name was removed (mq_unlink): nobody can open it any more.")
	}
	for i := range c.Processes {
		p := &c.Processes[i]
		for _, f := range p.Files {
			if f.Kind != procfs.MQueue || f.Same(*w.file) || queueName(&f) != queueName(w.file) {
				continue
			}
			age := "another"
			switch {
			case f.Queue != nil && f.Queue.Unlinked:
				age = "an older"
			case mine != nil && mine.Unlinked:
				age = "a newer"
			}
			lines = append(lines, fmt.Sprintf("%s has %s queue of that name open, as fd %d.", name(p), age, f.FD))
		}
	}
	return lines
}
