package explain

import (
	"strconv"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
)

// onSignal reports whether the wait is for a signal. That a goroutine may wait for one
// is told by a dump only.
func (w *wait) onSignal() bool {
	switch {
	case w.how == inProcess:
		return w.onNotify()
	case w.how != inCall && w.how != inPoller:
		return false
	case w.file != nil && w.file.Kind == procfs.Signalfd:
		return true
	}
	return w.how == inCall && (w.call == "rt_sigtimedwait" || w.call == "rt_sigsuspend" || w.pauses())
}

// pauses reports whether the thread waits for nothing but a signal handler.
// Where there is no pause(2), unix.Pause polls nothing without a timeout.
func (w *wait) pauses() bool {
	return w.call == "pause" || w.call == "ppoll" && w.t != nil && w.t.Args[1] == 0 && w.t.Args[2] == 0
}

// explainSignal says where the signal is, or why it is lost.
func (c *Case) explainSignal(w *wait) (lines, advice []string) {
	switch {
	case w.how == inProcess:
		return c.explainNotify(w)
	case w.call == "rt_sigtimedwait":
		return c.explainTimedWait(w)
	case w.call == "rt_sigsuspend" || w.pauses():
		return c.explainPause(w)
	}
	set := w.file.Signals
	lines = append(lines, "fd "+strconv.Itoa(w.fd)+" is a signalfd for "+signals(set)+".")
	more, advice := c.whereabouts(w.p, set, nil)
	if w.how == inCall && blocked(w.p, nil)&set == set && waiting(w.p) == 0 && len(c.elsewhere(w.p, set)) == 0 {
		advice = append(advice, "It is in the read itself, so the descriptor blocks: such a read waits for the next signal, whatever deadline",
			"its caller has, and Close does not end it. SFD_NONBLOCK before os.NewFile gives it both.")
	}
	return append(lines, more...), advice
}

// takenAdvice is for those who fetch signals without a handler.
var takenAdvice = []string{
	"signalfd(2) and rt_sigtimedwait(2) get a signal only if every thread blocks it. A Go program cannot block it",
	"in all of its threads afterwards: its parent blocks it in the thread that starts it, and the mask is inherited.",
}

func (c *Case) explainTimedWait(w *wait) (lines, advice []string) {
	var set procfs.SignalSet
	if w.t != nil {
		set = w.t.Awaits
	}
	if set == 0 {
		return []string{"For which signals is not known: the memory of the process may not be read."}, takenAdvice
	}
	more, advice := c.whereabouts(w.p, set, w.t)
	return append([]string{"It waits for " + signals(set) + "."}, more...), advice
}

func (c *Case) explainPause(w *wait) (lines, advice []string) {
	lines = []string{"It returns when a signal handler has run in this very thread."}
	if w.call == "rt_sigsuspend" {
		advice = []string{"The mask of rt_sigsuspend(2) names the signals that stay blocked, not those to wait for."}
	}
	if t := w.t; t != nil {
		if w.call == "rt_sigsuspend" && t.Blocked != 0 {
			lines = append(lines, "Its mask blocks "+signals(t.Blocked)+" meanwhile.")
		}
		if came := (t.Pending | w.p.Signals.Pending) & t.Blocked; came != 0 {
			lines = append(lines, signals(came)+has(came)+" arrived and "+waits(came)+": this thread blocks "+it(came)+".")
		}
	}
	lines = append(lines, c.elsewhere(w.p, ^procfs.SignalSet(0))...)
	return lines, append(advice,
		"A Go program has several threads, and the kernel may choose any that does not block the signal.",
		"Use signal.Notify and receive from its channel.")
}

// onNotify reports whether a goroutine waits for a channel in a program that has
// asked for signals. Which channel gets them the dump does not show. What the
// process catches does not tell either: the Go runtime catches every signal.
func (w *wait) onNotify() bool {
	if w.g == nil || !w.notified {
		return false
	}
	switch w.g.Wait {
	case "chan receive", "select":
		return true
	}
	return false
}

// explainNotify is about a goroutine that may wait for a signal.
func (c *Case) explainNotify(w *wait) (lines, advice []string) {
	lines = []string{
		"It is in " + quote(w.g.Wait) + ". The program has called signal.Notify, so it may wait for a signal.",
		wakesUp(w.g.Wait),
	}
	var facts []string
	if ignored := w.p.Signals.Ignored &^ inherited(); ignored != 0 {
		facts = append(facts, signals(ignored)+is(ignored)+" ignored in it (SIG_IGN), so the kernel drops "+it(ignored)+".")
	}
	facts = append(facts, c.pendingIn(w.p, 0)...)
	elsewhere := c.elsewhere(w.p, ^procfs.SignalSet(0))
	facts = append(facts, elsewhere...)
	zombies := c.zombies(w.p)
	for _, q := range zombies {
		facts = append(facts, name(q)+" is its child and has ended: SIGCHLD was sent then.")
	}
	if len(facts) == 0 {
		facts = []string{"No process of the step has a signal that waits to be taken."}
	}
	lines = append(lines, facts...)
	switch {
	case len(zombies) > 0:
		advice = []string{
			"Two SIGCHLD that come close together are one. After each, call wait4(2) with WNOHANG for every child,",
			"until none has ended. Call signal.Notify before you start the first child.",
		}
	case w.p.Signals.Ignored&^inherited() != 0:
		advice = []string{"signal.Ignore takes back what signal.Notify asked for. Call only one of them for a signal."}
	case len(elsewhere) > 0:
		advice = pidAdvice
	default:
		advice = []string{
			"Is the signal sent after signal.Notify was called, and to the pid of this process?",
			"Before that a signal does what it does by default, and nobody keeps it.",
		}
	}
	return lines, advice
}

// inherited are the signals that this process ignores: whoever it starts ignores
// them too, and that says nothing about the step.
func inherited() procfs.SignalSet { return procfs.SignalsOf(unix.Getpid()).Ignored }
