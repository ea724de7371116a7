package lab

// NotYet asserts that the call has not returned, when all that can happen without
// it has happened. How it waits is its own business: it may sleep, or look again
// and again. [Call.Blocks] is stricter.
func (c *Call) NotYet(why string) {
	c.lab.t.Helper()
	settle()
	select {
	case <-c.done:
		c.lab.blocks(c.what, c.done, func() error { return c.err }, why, nil)
	default:
	}
}

// Rests waits until nothing in the step moves any more, or until it is plain that
// something always will. The call may have returned by then, or not.
func (c *Call) Rests() { settle() }

// Rests waits until nothing in the step moves any more, or until it is plain that
// something always will.
func (p *Process) Rests() { settle() }
