package procfs

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// paragraph explains one wait: its lines, and what to do about it. A new kind
// of thing gets its case here and a file of its own.
func (c *Case) paragraph(w *wait) (lines, advice []string) {
	switch {
	case w.p.stopped():
		lines, advice = explainStopped()
	case w.how == burning:
		lines, advice = c.explainSpin(w)
	case w.opensFIFO():
		lines, advice = c.explainOpen(w)
	case w.readsPipe():
		lines, advice = c.explainRead(w)
	case w.writesPipe():
		lines, advice = c.explainWrite(w)
	case w.onSocket():
		lines, advice = c.explainSocket(w)
	case w.onQueue():
		lines, advice = c.explainQueue(w)
	case w.onSystemV():
		lines, advice = c.explainSystemV(w)
	case w.onFutex():
		lines, advice = c.explainFutex(w)
	case w.onLock():
		lines, advice = c.explainLock(w)
	case w.onChild():
		lines, advice = c.explainChild(w)
	case w.onSignal():
		lines, advice = c.explainSignal(w)
	case w.onInotify():
		lines, advice = c.explainInotify(w)
	case w.sleeps():
		lines, advice = c.explainSleep(w)
	case w.how == inProcess:
		lines, advice = c.explainGoroutine(w)
	default:
		lines = c.explainOther(w)
	}
	if w.how == inCall && !w.sleeps() && c.wakes(w) {
		lines = append(lines, "It does not stay there: it went on and came back between two looks. Does a loop call it with a timeout?")
	}
	if w.g == nil && w.p.isGo() {
		lines = append(lines, noLine(len(c.Dumps[w.p.PID]) > 0))
	}
	return append(append([]string{w.heading()}, c.calledFrom(w)...), lines...), advice
}

// explainOther names what is known of a wait that has no file of its own here.
func (c *Case) explainOther(w *wait) []string {
	switch {
	case w.t != nil && len(w.t.Polls) > 1:
		lines := []string{"It waits for one of"}
		for _, p := range w.t.Polls {
			line := fmt.Sprintf("  fd %d", p.FD)
			if f := w.p.file(p.FD); f != nil {
				line += ", which is " + f.Target
			}
			lines = append(lines, line)
		}
		return lines
	case w.how == unknown && !w.p.callsReadable():
		return []string{"Its system calls may not be read (ptrace(2) says who may)."}
	case w.how == unknown:
		return []string{"What it waits for is not known."}
	}
	if line := w.fileLine(); line != "" {
		return []string{line}
	}
	return nil
}

// isGo reports whether the process is a Go program, which gives a dump on SIGQUIT
// unless it has seen to it that it gives none. A Go program has several threads,
// and its runtime catches that signal.
func (p *Process) isGo() bool {
	return !p.stopped() && len(p.Threads) != 1 && (p.Signals.Caught | p.Signals.Ignored).has(unix.SIGQUIT)
}

// noLine says why the line is not known.
func noLine(dumped bool) string {
	if dumped {
		return "At which line is not known: the dump does not show it."
	}
	return "At which line is not known: it gave no dump on SIGQUIT, so it catches or ignores that signal."
}
