package explain

import (
	"time"

	"ipcworkbook/harness/step/procfs"
)

// wakes reports whether a wait is part of a loop that looks, sleeps, and looks
// again. A goroutine may sleep in any thread.
func (c *Case) wakes(w *wait) bool {
	if w.t != nil {
		return c.Before.Moved(w.p.PID, w.t)
	}
	if w.g == nil || !w.g.Calls("time.Sleep") {
		return false
	}
	for i := range w.p.Threads {
		if c.Before.Moved(w.p.PID, &w.p.Threads[i]) {
			return true
		}
	}
	return false
}

// sleeps reports whether a thread waits for nothing but time. Whether it wakes up
// again and again is told by a look at the processes before ([Case.Before]).
func (w *wait) sleeps() bool {
	return w.how == inCall && (w.call == "nanosleep" || w.call == "clock_nanosleep")
}

// explainSleep is about code that sleeps for a while.
func (c *Case) explainSleep(w *wait) (lines, advice []string) {
	what := "It sleeps"
	if w.g != nil && w.how == inProcess {
		what = "It is in time.Sleep" + sleepTime(w.g)
	}
	if !c.wakes(w) {
		lines = []string{what + " until its time is over."}
		if w.owner != learner {
			return lines, nil
		}
		return lines, []string{"Nothing wakes it before. Wait in a call that returns when the thing is there: read(2), poll(2), a channel."}
	}
	lines = []string{what + ". It wakes up again and again, and goes back to sleep at this line."}
	if advice = c.zombieAdvice(w.p); advice == nil {
		advice = []string{
			"What the loop looks for does not come. Which process should bring it, and is that one still there?",
			"A call that blocks (read, poll, wait4, a channel) needs no such loop.",
		}
	}
	return lines, advice
}

// sleepTime is how long the goroutine sleeps, in brackets; empty if the dump does
// not show it.
func sleepTime(g *procfs.Goroutine) string {
	for _, f := range g.Frames {
		if f.Func == "time.Sleep" {
			if n, ok := f.Arg(0); ok && f.Args[len(f.Args)-1] != '?' {
				return "(" + time.Duration(n).String() + ")"
			}
		}
	}
	return ""
}
