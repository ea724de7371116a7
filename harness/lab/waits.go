package lab

// Waiter is a call or a process that may have come to its end.
type Waiter interface {
	waiter() (what string, done <-chan struct{}, result func() error)
}

func (c *Call) waiter() (string, <-chan struct{}, func() error) {
	return c.what, c.done, func() error { return c.err }
}

func (p *Process) waiter() (string, <-chan struct{}, func() error) {
	return p.role, p.ended, func() error { return p.err }
}

// Wait asserts that none of the calls and processes has come to its end, and that
// each had time to: nothing in the step moves any more, or what moves has been seen
// to do so again and again.
//
// [Call.Blocks] asks for more: that a call of the kernel waits. Wait is for what the
// kernel cannot wait for, where a call may look again now and then.
func (l *Lab) Wait(why string, all ...Waiter) {
	l.t.Helper()
	settle()
	for _, w := range all {
		what, done, result := w.waiter()
		select {
		case <-done:
			l.wrong(what, "it waits, since "+why, "it came to its end with "+orNone(result()))
		default:
		}
	}
}

// ReturnsAnError waits for the call's end and asserts that there is an error,
// whichever it is.
func (c *Call) ReturnsAnError() {
	<-c.done
	if c.err == nil {
		c.lab.wrong(c.what, "an error", "no error")
	}
}
