package procfs

import "slices"

// dumpWaits returns how each goroutine of a process waits.
func (c *Case) dumpWaits(p *Process) []wait {
	gs := ParseDump(c.Dumps[p.PID])
	var ws []wait
	notified := slices.ContainsFunc(gs, func(g Goroutine) bool { return g.calls("os/signal.loop") })
	claimed := map[*Thread]bool{}
	for i := range gs {
		frame, who := c.place(&gs[i])
		w := wait{p: p, g: &gs[i], fd: -1, frame: frame, owner: who}
		w.started = c.ownerOf(gs[i].CreatedBy) == learner
		w.notified = notified
		w.classify(c.Spinning)
		claimed[w.t] = true
		ws = append(ws, w)
	}
	if len(gs) == 0 {
		return nil
	}
	// A thread that was blocked, and no goroutine now: when other processes
	// ended, it went on before it gave its dump. /proc saw it while it hung.
	for _, w := range c.threadWaits(p) {
		if w.t != nil && !claimed[w.t] && w.owner != lab && w.waitsForOthers() {
			w.owner = test
			ws = append(ws, w)
		}
	}
	return ws
}

// waitsForOthers reports whether the wait is for another process, as far as a
// thread alone can tell.
func (w *wait) waitsForOthers() bool {
	return w.readsPipe() || w.writesPipe() || w.opensFIFO() || w.onSocket() || w.onQueue() ||
		w.onSignal() || w.onInotify() ||
		w.onSystemV() || w.onFutex() || w.onLock()
}

// classify finds out how a goroutine waits. What /proc said while the process
// hung counts more than the dump, which came later, when other processes had
// perhaps ended already.
func (w *wait) classify(spinning bool) {
	switch {
	case w.g.inPoller():
		file, mode := w.p.polled(w.g)
		w.how, w.mode, w.call = inPoller, mode, pollerCall(w.g, mode)
		w.setFile(file)
	case w.g.calls("time.Sleep"):
		w.how = inProcess // also if it is about to wake up
	case hasThread[w.g.Wait]:
		w.classifyCall(spinning)
	default:
		w.how = inProcess
	}
}

// hasThread are the states of a goroutine that has a thread, or waits for one.
// "running" is also one that is blocked in a RawSyscall.
var hasThread = set("syscall", "running", "runnable", "preempted", "copystack")

func (w *wait) classifyCall(spinning bool) {
	number, args, known := callOf(w.g)
	for i := range w.p.Threads {
		if t := &w.p.Threads[i]; known && t.made(number, args) {
			w.block(t)
			return
		}
	}
	blocked := w.p.blockedThreads()
	// The stack does not say which call it is. If only one thread is blocked, it
	// can only be this goroutine's.
	if !known && !spinning && w.owner > nobody && len(blocked) == 1 {
		w.block(blocked[0])
		return
	}
	if known {
		w.setCall(syscallName(number), int(int32(args[0])))
	}
	switch {
	case spinning && w.p.callsReadable():
		w.how = burning
	case known && !w.p.callsReadable():
		w.how = inCall
	case spinning && !known:
		w.how = burning
	}
}

func (w *wait) block(t *Thread) {
	w.how, w.t = inCall, t
	w.setCall(t.Syscall, t.fd())
	if len(t.Polls) == 1 {
		w.setFile(w.p.file(t.Polls[0].FD))
		w.fd, w.mode = t.Polls[0].FD, t.Polls[0].mode()
	}
}

func (w *wait) setCall(call string, fd int) {
	w.call, w.mode = call, modes[call]
	if onDescriptor[call] {
		w.fd, w.file = fd, w.p.file(fd)
	}
}

func (w *wait) setFile(f *File) {
	if w.file = f; f != nil {
		w.fd = f.FD
	}
}
