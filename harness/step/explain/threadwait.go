package explain

import (
	"slices"

	"ipcworkbook/harness/step/procfs"
)

// threadWaits is what can be said without a dump.
func (c *Case) threadWaits(p *procfs.Process) []wait {
	var ws []wait
	for _, t := range p.BlockedThreads() {
		w := wait{p: p, fd: -1}
		w.block(t)
		if w.fd >= 0 && w.fd == p.Control {
			w.owner = lab
		}
		ws = append(ws, w)
	}
	if c.Spinning && slices.ContainsFunc(p.Threads, func(t procfs.Thread) bool { return t.Running }) {
		ws = append(ws, wait{p: p, fd: -1, how: burning})
	}
	if len(ws) > 0 {
		return tellingFirst(ws)
	}
	return []wait{restingWait(p)}
}

// restingWait is for a Go program whose threads all rest. If it watches only
// one pipe, socket or queue, it waits for that.
func restingWait(p *procfs.Process) wait {
	w := wait{p: p, fd: -1}
	files := p.Epolled(func(_ procfs.Watched, f *procfs.File) bool {
		return f.IsPipe() || f.Kind == procfs.Socket || f.Kind == procfs.MQueue
	})
	if len(files) == 1 && files[0].Kind == procfs.Socket {
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
