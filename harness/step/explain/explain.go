package explain

import (
	"fmt"
	"slices"
	"time"

	"ipcworkbook/harness/step/procfs"
)

// Case is a hang as it was found.
type Case struct {
	// Processes is every process of the step, read while they hung. The first
	// is the test itself.
	Processes []procfs.Process

	// Dumps has the runtime's dump of each pid that gave one.
	Dumps map[int][]byte

	// Held keeps what the processes had open, while they are dead already. It may
	// be nil.
	Held *procfs.Held

	// Spinning says that processor time went on: something ran.
	Spinning bool

	// Folder is the absolute path of the chapter's folder. The learner's code
	// is what is in its Go files that are no tests.
	Folder string

	// Before is a look at the processes some time before they were read. It tells
	// who wakes up again and again. It may be empty.
	Before procfs.Sight

	// After is how long was waited.
	After time.Duration

	// Ended are the processes of the step that had ended already.
	Ended []Ended
}

// Ended is a process of the step that was over before the hang was found.
type Ended struct {
	Role string
	PID  int
	How  string // "exit status 1", "killed by SIGKILL", "error: …"
}

// Explanation is what can be said about a hang.
type Explanation struct {
	Text string // several lines, without a line feed at the end
	File string // the line that waits: the learner's if there is one, else the
	Line int    // test's; empty and 0 if it is not known

	TestFile string // the line of the test that waits, if it is known
	TestLine int
}

// Explain says who is blocked, in which call, on what, and who holds the
// other end. It can be called after the processes were killed: of the step's
// processes it knows what the case says.
func Explain(c Case) Explanation {
	var all []wait
	for i := range c.Processes {
		all = append(all, c.waits(&c.Processes[i])...)
	}
	c.chain(all)
	slices.SortStableFunc(all, func(v, w wait) int { return v.rank() - w.rank() })

	t := text{opening: c.opening()}
	ring := c.ring(all)
	t.advise(ring.text())
	var e Explanation
	at := c.testLine()
	e.TestFile, e.TestLine = at.File, at.Line
	for i := range all {
		w := &all[i]
		if e.File == "" && w.frame.File != "" {
			e.File, e.Line = w.frame.File, w.frame.Line
		}
		if w.owner == lab {
			t.short(c.explainLab(w))
			continue
		}
		lines, advice := c.paragraph(w)
		t.paragraph(lines)
		if !ring.has(w) {
			t.advise(advice)
		}
	}
	for i := range c.Processes {
		if p := &c.Processes[i]; p.Zombie {
			t.short(c.explainZombie(p))
		}
	}
	for _, line := range ended(c.Ended) {
		t.short(line)
	}
	e.Text = t.String()
	return e
}

// rank sorts the paragraphs: what burns time, what keeps others waiting (see
// chain.go), the learner's waits, the tests', the lab's. Waits of the same rank
// stay in the order of the processes.
func (w *wait) rank() int {
	switch {
	case w.how == burning:
		return 0
	case w.idle:
		return 1
	case w.owner == learner && (w.how != inProcess || w.first):
		return 2
	case w.owner == learner:
		return 3
	case w.owner == lab:
		return 5
	}
	return 4
}

func (c *Case) opening() string {
	if c.Spinning {
		return seconds(c.After) + " passed and the test was still running."
	}
	return seconds(c.After) + " passed and the test was still waiting."
}

// ended are the processes that had ended, those of one role that ended in the same way
// on one line.
func ended(all []Ended) (lines []string) {
	for len(all) > 0 {
		first := all[0]
		var others []Ended
		alike := 0
		for _, e := range all {
			if e.Role == first.Role && e.How == first.How {
				alike++
			} else {
				others = append(others, e)
			}
		}
		if alike == 1 {
			lines = append(lines, name(&procfs.Process{PID: first.PID, Role: first.Role})+" has ended: "+first.How)
		} else {
			lines = append(lines, fmt.Sprintf("%s (%d processes) has ended: %s", first.Role, alike, first.How))
		}
		all = others
	}
	return lines
}
