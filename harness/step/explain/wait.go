package explain

import "ipcworkbook/harness/step/procfs"

// wait is one place at which a process waits, or burns time.
type wait struct {
	p *procfs.Process
	g *procfs.Goroutine // nil without a dump
	t *procfs.Thread    // the thread that is blocked for it; nil if there is none

	how  how
	call string       // "read"; empty for a wait inside the process
	mode byte         // 'r' if it wants to read, 'w' if it wants to write, else 0
	file *procfs.File // what the call is about; nil if it is not known
	fd   int          // its descriptor; -1 if it is not known

	frame procfs.Frame // empty if it is not known
	owner owner

	// What is known of the other goroutines of the process.
	started  bool   // the learner's code started it, and not the test
	notified bool   // the program has called signal.Notify
	first    bool   // a lock that comes before calls
	callsToo bool   // others of them wait in calls
	idle     bool   // others wait for what this process should do (see chain.go)
	beside   *wait  // a goroutine of this process that should do it instead of waiting
	same     []wait // others at the same line, for the same thing
	others   []wait // others that wait inside the process
}

type how int

const (
	unknown   how = iota
	inCall        // a thread is blocked in a system call
	inPoller      // a goroutine waits until a descriptor is ready
	inProcess     // a goroutine waits for another one
	burning       // it never sleeps
)

// waits returns what a process waits for, the most telling first. Where the
// learner's code waits, what the test does meanwhile says nothing, and the lab
// even less.
func (c *Case) waits(p *procfs.Process) []wait {
	switch {
	case p.Zombie:
		return nil
	case isRelay(p):
		return []wait{{p: p, fd: -1, owner: lab}}
	case p.Stopped():
		return []wait{c.stoppedWait(p)}
	}
	var found [learner + 1][]wait
	for _, w := range c.dumpWaits(p) {
		found[w.owner] = append(found[w.owner], w)
	}
	for who := learner; who > nobody; who-- {
		if len(found[who]) > 0 {
			if who == learner {
				return company(tellingFirst(gather(found[who])))
			}
			return tellingFirst(found[who])
		}
	}
	// No dump, or one without a line that people know.
	return c.threadWaits(p)
}

// stoppedWait is the only wait of a process that is stopped: whatever its code
// waits for, it would not take it. To give a dump it was let go on, so the line is
// where it was, if it is the learner's.
func (c *Case) stoppedWait(p *procfs.Process) wait {
	w := wait{p: p, fd: -1}
	for _, v := range tellingFirst(c.dumpWaits(p)) {
		if v.owner == learner && w.g == nil {
			w.g, w.frame, w.owner = v.g, v.frame, v.owner
		}
	}
	return w
}

// tellingFirst puts what waits for another process before what waits for
// another goroutine, since the second is usually there because of the first. A
// lock can be the other way round (see gather).
func tellingFirst(ws []wait) []wait {
	var sorted []wait
	for _, w := range ws {
		if w.first {
			sorted = append(sorted, w)
		}
	}
	for _, how := range []how{burning, inCall, inPoller, unknown, inProcess} {
		for _, w := range ws {
			if w.how == how && !w.first {
				sorted = append(sorted, w)
			}
		}
	}
	return sorted
}
