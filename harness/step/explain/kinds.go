package explain

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// kind is one kind of wait.
type kind struct {
	applies   func(*wait) bool
	paragraph func(*Case, *wait) (lines, advice []string)

	// others says that another process ends the wait, and that a thread alone, without
	// a dump, tells what it waits for.
	others bool
}

// kinds are asked in this order, and the first one that applies has the paragraph.
// This is a function, because a paragraph may ask how other processes wait, and that
// asks the kinds again.
func kinds() []kind {
	const others = true
	return []kind{
		{(*wait).isStopped, (*Case).explainStopped, !others},
		{(*wait).burns, (*Case).explainSpin, !others},
		{(*wait).opensFIFO, (*Case).explainOpen, others},
		{(*wait).readsPipe, (*Case).explainRead, others},
		{(*wait).writesPipe, (*Case).explainWrite, others},
		{(*wait).onSocket, (*Case).explainSocket, others},
		{(*wait).onQueue, (*Case).explainQueue, others},
		{(*wait).onSystemV, (*Case).explainSystemV, others},
		{(*wait).onFutex, (*Case).explainFutex, others},
		{(*wait).onLock, (*Case).explainLock, others},
		{(*wait).onChild, (*Case).explainChild, !others},
		{(*wait).onSignal, (*Case).explainSignal, others},
		{(*wait).onInotify, (*Case).explainInotify, others},
		{(*wait).onEventfd, (*Case).explainEventfd, others},
		{(*wait).sleeps, (*Case).explainSleep, !others},
		{(*wait).isInside, (*Case).explainGoroutine, !others},
		{(*wait).isOther, (*Case).explainOther, !others},
	}
}

// waitsForOthers reports whether the wait is for another process, as far as a
// thread alone can tell.
func (w *wait) waitsForOthers() bool {
	return slices.ContainsFunc(kinds(), func(k kind) bool { return k.others && k.applies(w) })
}

// paragraph explains one wait: its lines, and what to do about it.
func (c *Case) paragraph(w *wait) (lines, advice []string) {
	all := kinds()
	its := all[slices.IndexFunc(all, func(k kind) bool { return k.applies(w) })] // the last one always does
	lines, advice = its.paragraph(c, w)
	if w.how == inCall && !w.sleeps() && c.wakes(w) {
		line := "It does not stay there: it went on and came back between two looks. Does a loop call it with a timeout?"
		if w.g != nil && w.g.Wait == "running" { // a RawSyscall
			line = "It went on and came back between two looks. It is a raw system call: Go cannot know that it waits, and interrupts it\n" +
				"again and again (SIGURG)."
		}
		lines = append(lines, strings.Split(line, "\n")...)
	}
	if w.g == nil && isGo(w.p) {
		lines = append(lines, noLine(len(c.Dumps[w.p.PID]) > 0))
	}
	return append(append([]string{w.heading()}, c.calledFrom(w)...), lines...), advice
}

// isGo reports whether the process is a Go program, which gives a dump on SIGQUIT
// unless it has seen to it that it gives none. A Go program has several threads,
// and its runtime catches that signal.
func isGo(p *procfs.Process) bool {
	return !p.Stopped() && len(p.Threads) != 1 && (p.Signals.Caught | p.Signals.Ignored).Has(unix.SIGQUIT)
}

// noLine says why the line is not known.
func noLine(dumped bool) string {
	if dumped {
		return "At which line is not known: the dump does not show it."
	}
	return "At which line is not known: it gave no dump, though it was asked for one and made to."
}
