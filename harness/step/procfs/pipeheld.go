package procfs

import "slices"

// inherited reports whether a holder may have the descriptor only because it was
// not close-on-exec. The lab gives a role what it needs: one that waits for the
// test's next word was meant to have it.
func (c *Case) inherited(p *Process, h holder) bool {
	switch {
	case !h.inStep:
		return true // left over from somewhere
	case h.p.isRelay() || h.isStopped():
		return false
	case h.p.Parent != p.Parent && !c.descends(h.p, p):
		return false
	}
	return slices.ContainsFunc(c.waits(h.p), func(w wait) bool {
		return w.owner != lab && !w.restsInside() && (w.how != unknown || h.p.Control < 0)
	})
}

// descends reports whether a process is a child of another one, or a child's child.
func (c *Case) descends(p, from *Process) bool {
	for range c.Processes {
		if p == nil || p.Parent == from.PID {
			return p != nil
		}
		p = c.process(p.Parent)
	}
	return false
}
