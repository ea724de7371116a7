package procfs

import "slices"

// blockedThreads are the threads that wait in a call which tells something.
func (p *Process) blockedThreads() []*Thread {
	var blocked []*Thread
	for i := range p.Threads {
		t := &p.Threads[i]
		alone := len(p.Threads) == 1 && t.Syscall != "" // no Go program has one thread only
		if !t.Running && (alone || !t.idle()) {
			blocked = append(blocked, t)
		}
	}
	return blocked
}

// idle reports whether the thread is where the threads of any Go program rest.
func (t *Thread) idle() bool {
	if t.Syscall == "futex" {
		return t.Futex == nil // the runtime's own
	}
	return idle[t.Syscall]
}

// callsReadable reports whether /proc told the system calls of the process.
func (p *Process) callsReadable() bool {
	for _, t := range p.Threads {
		if t.Syscall != "" {
			return true
		}
	}
	return false
}

// threadWaits is what can be said without a dump.
func (c *Case) threadWaits(p *Process) []wait {
	var ws []wait
	for _, t := range p.blockedThreads() {
		w := wait{p: p, fd: -1}
		w.block(t)
		if w.fd >= 0 && w.fd == p.Control {
			w.owner = lab
		}
		ws = append(ws, w)
	}
	if c.Spinning && slices.ContainsFunc(p.Threads, func(t Thread) bool { return t.Running }) {
		ws = append(ws, wait{p: p, fd: -1, how: burning})
	}
	if len(ws) > 0 {
		return tellingFirst(ws)
	}
	return []wait{p.restingWait()}
}

// restingWait is for a Go program whose threads all rest. If it watches only
// one pipe, socket or queue, it waits for that.
func (p *Process) restingWait() wait {
	w := wait{p: p, fd: -1}
	files := p.watched(func(_ Watched, f *File) bool { return f.isPipe() || f.Kind == Socket || f.Kind == MQueue })
	if len(files) == 1 && files[0].Kind == Socket {
		return w.restsOnSocket(files[0])
	}
	if len(files) != 1 || files[0].Reads() == files[0].Writes() {
		return w
	}
	w.how, w.call, w.mode = inPoller, "read", 'r'
	if files[0].Writes() {
		w.call, w.mode = "write", 'w'
	}
	w.setFile(files[0])
	return w
}
