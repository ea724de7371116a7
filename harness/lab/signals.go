package lab

import (
	"fmt"
	"strings"
	"syscall"

	"ipcworkbook/harness/step/procfs"
)

// Subject is a process at which a test looks: a [Process] or an [Other].
type Subject interface {
	PID() int
	name() string
}

// Signals are those of a process, by name: "SIGUSR1", "SIGRTMIN+2" (proc_pid_status(5)).
type Signals struct {
	Pending []string // sent, and not taken yet: for the process, or for one of its threads
	Blocked []string // by every thread
	Ignored []string
	Caught  []string // those that have a handler. The Go runtime has one for nearly every signal
}

// Signals returns those of a process at this moment.
func (l *Lab) Signals(of Subject) Signals {
	m := masksOf(of)
	return Signals{Pending: m.pending.Names(), Blocked: m.blocked.Names(), Ignored: m.ignored.Names(), Caught: m.caught.Names()}
}

// masks are the signals of a process as the kernel tells them.
type masks struct{ pending, blocked, ignored, caught procfs.SignalSet }

func masksOf(p Subject) masks {
	whole := procfs.SignalsOf(p.PID())
	m := masks{pending: whole.Pending, ignored: whole.Ignored, caught: whole.Caught}
	threads := procfs.ThreadSignals(p.PID())
	if len(threads) > 0 {
		m.blocked = ^procfs.SignalSet(0)
	}
	for _, t := range threads {
		m.pending |= t.Pending
		m.blocked &= t.Blocked
	}
	return m
}

// HasPending says that these signals were sent to the process and that nothing has taken them
// yet. It does not say how often: two of a standard signal are one.
func HasPending(p Subject, signals ...syscall.Signal) Evidence {
	return inMask(p, "pending", signals, func(m masks) procfs.SignalSet { return m.pending },
		"Was it sent to this process? A signal that is not blocked is taken at once.")
}

// HasBlocked says that every thread of the process blocks these signals.
func HasBlocked(p Subject, signals ...syscall.Signal) Evidence {
	return inMask(p, "blocked", signals, func(m masks) procfs.SignalSet { return m.blocked },
		"A mask belongs to a thread. In Go only what a process was started with is that of every thread.")
}

// Ignores says that the process ignores these signals (SIG_IGN): the kernel drops them.
func Ignores(p Subject, signals ...syscall.Signal) Evidence {
	return inMask(p, "ignored", signals, func(m masks) procfs.SignalSet { return m.ignored },
		"signal.Notify takes back what was ignored.")
}

// Catches says that the process has a handler for these signals. The Go runtime has one for
// nearly every signal from its start, so for a Go program this says no more than that it has
// begun, but for those that it was started with ignored.
func Catches(p Subject, signals ...syscall.Signal) Evidence {
	return inMask(p, "caught", signals, func(m masks) procfs.SignalSet { return m.caught }, "Does it call signal.Notify?")
}

func inMask(p Subject, word string, signals []syscall.Signal, of func(masks) procfs.SignalSet, reason string) Evidence {
	var want procfs.SignalSet
	for _, n := range signals {
		want |= 1 << (n - 1)
	}
	return Evidence{
		claim:  fmt.Sprintf("%s has %s: %s", p.name(), word, list(want)),
		reason: reason,
		look: func() (string, bool) {
			have := of(masksOf(p))
			return fmt.Sprintf("%s: %s", word, list(have)), have&want == want
		},
	}
}

func list(s procfs.SignalSet) string {
	if s == 0 {
		return "none"
	}
	return strings.Join(s.Names(), ", ")
}
