package explain

import "ipcworkbook/harness/step/procfs"

// whereabouts says what keeps the signals of a set from a thread that fetches
// them, and what to do. A thread in rt_sigtimedwait(2) is given: what it waits for
// does not count as blocked there.
func (c *Case) whereabouts(p *procfs.Process, set procfs.SignalSet, fetching *procfs.Thread) (lines, advice []string) {
	open := set &^ blocked(p, fetching)
	if ignored := open & p.Signals.Ignored; ignored != 0 {
		lines = append(lines, signals(ignored)+is(ignored)+" ignored (SIG_IGN), so the kernel drops "+it(ignored)+".")
		open &^= ignored
	}
	if open != 0 {
		line := "and the default action is taken."
		if open&^p.Signals.Caught == 0 {
			line = "whose handler takes " + it(open) + " (the Go runtime has one for every signal)."
		}
		lines = append(lines, "There are threads that do not block "+signals(open)+": the kernel may give "+it(open)+" to one of them,", line)
	}
	if len(lines) > 0 {
		advice = takenAdvice
	}
	other := c.pendingIn(p, set)
	lines = append(lines, other...)
	lines = append(lines, c.elsewhere(p, set)...)
	switch {
	case advice != nil:
	case len(lines) == 0:
		lines = append(lines, "No process of the step has "+it(set)+" waiting: "+they(set)+has(set)+" not been sent, or not to a process of this step,",
			"or somebody has taken "+it(set)+" already.")
		advice = []string{"Which process sends it, when, and to which pid?"}
	case len(other) > 0:
		advice = []string{"Is that the signal that was meant? A signal that is not in the set stays where it is."}
	default:
		advice = pidAdvice
	}
	return lines, advice
}

var pidAdvice = []string{"A signal goes to the pid that kill(2) names: take the pid of the process that waits."}

// pendingIn says which signals wait in a process because all of its threads block
// them, and that the set does not have.
func (c *Case) pendingIn(p *procfs.Process, set procfs.SignalSet) []string {
	came := waiting(p) &^ set
	if came == 0 {
		return nil
	}
	line := signals(came) + has(came) + " arrived and " + waits(came) + ": every thread blocks " + it(came) + "."
	if set != 0 {
		line = signals(came) + has(came) + " arrived and " + waits(came) + ", but that is not what it asks for."
	}
	return []string{line}
}

// elsewhere says in which other processes of the step signals wait.
func (c *Case) elsewhere(p *procfs.Process, set procfs.SignalSet) []string {
	var lines []string
	for i := range c.Processes {
		q := &c.Processes[i]
		if came := waiting(q) & set; q.PID != p.PID && came != 0 {
			lines = append(lines, signals(came)+has(came)+" arrived in "+name(q)+", which blocks "+it(came)+": was the pid wrong?")
		}
	}
	return lines
}

// waiting are the signals that have arrived and that nothing takes.
func waiting(p *procfs.Process) procfs.SignalSet {
	if p.Zombie || p.Stopped() {
		return 0 // one that is stopped takes no signals, whatever it blocks
	}
	came := p.Signals.Pending & blocked(p, nil)
	for _, t := range p.Threads {
		came |= t.Pending & t.Blocked
	}
	return came
}

// blocked returns the signals that every thread of the process blocks, but for
// one that does not count (nil for none): nothing takes them until a thread asks
// for them.
func blocked(p *procfs.Process, but *procfs.Thread) procfs.SignalSet {
	all := ^procfs.SignalSet(0)
	for i := range p.Threads {
		if t := &p.Threads[i]; t != but && t.State != 'Z' && t.State != 'X' {
			all &= t.Blocked
		}
	}
	return all
}

// The words that go with one signal or with several.

func is(s procfs.SignalSet) string    { return one(s, " is", " are") }
func has(s procfs.SignalSet) string   { return one(s, " has", " have") }
func it(s procfs.SignalSet) string    { return one(s, "it", "them") }
func they(s procfs.SignalSet) string  { return one(s, "it", "they") }
func waits(s procfs.SignalSet) string { return one(s, "waits", "wait") }

func one(s procfs.SignalSet, singular, plural string) string {
	if s&(s-1) == 0 {
		return singular
	}
	return plural
}
