package explain

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// burns reports whether it never sleeps. Where the loop is shows the dump of the thread
// that was the busiest ([procfs.Process.DumpThread]).
func (w *wait) burns() bool { return w.how == burning }

// explainSpin is about a process that never sleeps.
func (c *Case) explainSpin(w *wait) (lines, advice []string) {
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
	advice = []string{"A loop must sleep in the kernel until there is something to do, or it must end."}
	if w.call != "" {
		line := "When it was stopped it was in " + manual(w.call)
		if file := w.fileLine(); file != "" {
			line += "; " + strings.TrimSuffix(file, ".")
		}
		lines = append(lines, line+".")
		why, more := c.atOnce(w)
		return append(lines, why...), append(advice, more...)
	}
	if w.g != nil && w.g.Calls("runtime.Gosched") {
		return lines, append(advice, "runtime.Gosched lets others run, and then it goes on at once: it waits for nothing.")
	}
	if shared := shared(w.p); len(shared) > 0 {
		lines = append(lines, "It has mapped memory that it shares: "+strings.Join(shared, ", ")+".")
		advice = append(advice, "A process that waits for another one to change shared memory sleeps in a futex(2), or on a semaphore.")
	}
	return lines, append(advice, c.zombieAdvice(w.p)...)
}

// atOnce says why a call that can wait does not.
func (c *Case) atOnce(w *wait) (lines, advice []string) {
	nonblocking := w.file != nil && w.file.Flags&unix.O_NONBLOCK != 0
	switch {
	case w.call == "kill":
		return nil, c.zombieAdvice(w.p)
	case w.call == "wait4" || w.call == "waitid":
		return nil, []string{"With WNOHANG it returns at once while the child lives: without that it waits."}
	case w.mode == 'r' && w.file != nil && w.file.Hangup && w.file.Filled == 0:
		return []string{"The pipe is at its end: it is empty, and nobody has the write end open."},
			[]string{"At end of file read(2) returns 0 at once, every time. Is that taken for \"try again\"?"}
	case w.mode == 'r' && nonblocking:
		return []string{"It does not block (O_NONBLOCK): while there is nothing to read, read(2) returns EAGAIN at once."},
			[]string{"Wait with poll(2) before the next try, or leave the descriptor blocking. An os.File does that by itself."}
	case w.mode == 'w' && nonblocking:
		return []string{"It does not block (O_NONBLOCK): while there is no room, write(2) returns EAGAIN at once."},
			[]string{"Wait with poll(2) before the next try, or leave the descriptor blocking. An os.File does that by itself."}
	case w.mode == 'r':
		return nil, []string{"At end of file read(2) returns 0 at once, every time. Is that taken for \"try again\"?"}
	}
	return nil, nil
}
