package procfs

import "fmt"

// Relay is the role of a process of the lab's own that stands between two others
// and passes on what one of them writes.
const Relay = "the lab's relay"

func (p *Process) isRelay() bool { return p.Role == Relay && p.Control >= 0 }

// explainRelay looks through a relay: what matters is who is behind it.
func (c *Case) explainRelay(p *Process) string {
	text := p.name() + " passes on what it reads"
	in, out := p.relayed()
	switch {
	case in == nil || out == nil:
		return text + ", both ways" // a socket: its two directions wait each for itself
	case out.Filled > 0:
		return fmt.Sprintf("%s from %s; the last %d bytes that it passed on have not been read", text, in.Target, out.Filled)
	}
	writers, _ := c.holders(*in, File.Writes)
	text += " from " + in.Target
	if len(writers) == 0 {
		return text + ", of which no write end was found"
	}
	text += "; its write end is open in"
	for i, h := range writers {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(" %s as fd %d", h.p.name(), h.file.FD)
	}
	return text
}

// relayed are the descriptors that a relay of pipes reads from and writes to: the
// first two that the lab handed to it.
func (p *Process) relayed() (in, out *File) {
	for fd := 3; fd <= 4; fd++ {
		switch f := p.file(fd); {
		case f == nil || !f.isPipe():
		case f.Writes():
			out = f
		case f.Reads():
			in = f
		}
	}
	return in, out
}
