package explain

import "ipcworkbook/harness/step/procfs"

// chain finds the cause where one process waits for another, and that one waits
// inside itself, in a channel or a sleep, or is stopped: it cannot read what the
// first one writes. The first wait is only an effect, so the second one comes first.
func (c *Case) chain(all []wait) {
	for i := range all {
		w := &all[i]
		if w.owner == lab || !w.hasEnds() {
			continue
		}
		for j := range all {
			v := &all[j]
			if v == w || !v.restsInside() && !v.p.Stopped() || !c.couldEnd(v.p, w) {
				continue
			}
			inOne := v.p == w.p
			// The learner's own goroutine may be the one that v waits for.
			if v.p.Stopped() || !v.started && !(inOne && w.started) && !callsBesides(all, v.p, w) {
				v.idle = true
			}
			if inOne && w.writesPipe() && (w.beside == nil || v.idle && !w.beside.idle) {
				beside := *v
				w.beside = &beside
			}
		}
	}
}

// restsInside reports whether the learner's code waits for a goroutine, for time or
// for a child of its own: for nothing that has another end.
func (w *wait) restsInside() bool {
	return w.owner == learner && !w.p.Stopped() && (w.how == inProcess || w.sleeps() || w.onChild())
}

// callsBesides reports whether the learner's code in a process waits in a call too:
// then that may be what the others of its goroutines wait for.
func callsBesides(all []wait, p *procfs.Process, except *wait) bool {
	for i := range all {
		w := &all[i]
		if w != except && w.p == p && w.owner == learner && !w.restsInside() {
			return true
		}
	}
	return false
}

// couldEnd reports whether a process has the other end of what is waited for,
// itself or behind a relay of the lab.
func (c *Case) couldEnd(p *procfs.Process, w *wait) bool {
	if hasOtherEnd(p, w) {
		return true
	}
	for i := range c.Processes {
		relay := &c.Processes[i]
		if !isRelay(relay) || !hasOtherEnd(relay, w) {
			continue
		}
		in, out := relayed(relay)
		if in == nil || out == nil {
			continue
		}
		for _, f := range p.Files {
			if w.mode == 'w' && f.Same(*out) && f.Reads() || w.mode == 'r' && f.Same(*in) && f.Writes() {
				return true
			}
		}
	}
	return false
}
