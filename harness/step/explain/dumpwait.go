package explain

import (
	"slices"

	"ipcworkbook/harness/step/procfs"
)

// dumpWaits returns how each goroutine of a process waits.
func (c *Case) dumpWaits(p *procfs.Process) []wait {
	gs := slices.DeleteFunc(procfs.ParseDump(c.Dumps[p.PID]), keepsThread)
	var ws []wait
	notified := slices.ContainsFunc(gs, func(g procfs.Goroutine) bool { return g.Calls("os/signal.loop") })
	claimed := map[*procfs.Thread]bool{}
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

// keepsThread reports whether a goroutine is there only so that its thread does not end: of
// what the kernel keeps for a thread, such as a list of robust futexes. Nobody waits for it.
func keepsThread(g procfs.Goroutine) bool {
	return g.Locked && g.CreatedBy.Func != "" && g.Wait == "select (no cases)"
}

// classify finds out how a goroutine waits. What /proc said while the process
// hung counts more than the dump, which came later, when other processes had
// perhaps ended already.
func (w *wait) classify(spinning bool) {
	switch {
	case w.g.InPoller():
		file, mode := w.p.PolledBy(w.g)
		w.how, w.mode, w.call = inPoller, mode, w.g.PollerCall(mode)
		w.setFile(file)
	case w.g.Calls("time.Sleep"):
		w.how = inProcess // also if it is about to wake up
	case slices.Contains(onThread, w.g.Wait):
		w.classifyCall(spinning)
	default:
		w.how = inProcess
	}
}

// onThread are the states of a goroutine that has a thread, or waits for one.
// "running" is also one that is blocked in a RawSyscall.
var onThread = []string{"syscall", "running", "runnable", "preempted", "copystack"}

func (w *wait) classifyCall(spinning bool) {
	number, args, known := w.g.Call()
	for i := range w.p.Threads {
		if t := &w.p.Threads[i]; known && t.IsIn(number, args) {
			w.block(t)
			return
		}
	}
	blocked := w.p.BlockedThreads()
	// The stack does not say which call it is. If only one thread is blocked, it
	// can only be this goroutine's.
	if !known && !spinning && w.owner > nobody && len(blocked) == 1 {
		w.block(blocked[0])
		return
	}
	if known {
		w.setCall(procfs.SyscallName(number), int(int32(args[0])))
	}
	switch {
	case spinning && w.p.CallsReadable():
		w.how = burning
	case known && !w.p.CallsReadable():
		w.how = inCall
	case spinning && !known:
		w.how = burning
	}
}

func (w *wait) block(t *procfs.Thread) {
	w.how, w.t = inCall, t
	w.setCall(t.Syscall, t.FD())
	if len(t.Polls) == 1 {
		w.setFile(w.p.File(t.Polls[0].FD))
		w.fd, w.mode = t.Polls[0].FD, t.Polls[0].Mode()
	}
}

func (w *wait) setCall(call string, fd int) {
	w.call, w.mode = call, procfs.Mode(call)
	if procfs.TakesDescriptor(call) {
		w.fd, w.file = fd, w.p.File(fd)
	}
}

func (w *wait) setFile(f *procfs.File) {
	if w.file = f; f != nil {
		w.fd = f.FD
	}
}
