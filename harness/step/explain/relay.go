package explain

import (
	"fmt"

	"ipcworkbook/harness/step/procfs"
)

// isRelay reports whether it is a process of the lab that passes on what it reads.
func isRelay(p *procfs.Process) bool { return p.Role == procfs.Relay && p.Control >= 0 }

// explainRelay looks through a relay: what matters is who is behind it.
func (c *Case) explainRelay(p *procfs.Process) string {
	text := name(p) + " passes on what it reads"
	in, out := relayed(p)
	switch {
	case in == nil || out == nil:
		return text + ", both ways" // a socket: its two directions wait each for itself
	case out.Filled > 0:
		return fmt.Sprintf("%s from %s; the last %d bytes that it passed on have not been read", text, in.Target, out.Filled)
	}
	writers, _ := c.holders(*in, procfs.File.Writes)
	text += " from " + in.Target
	if len(writers) == 0 {
		return text + ", of which no write end was found"
	}
	text += "; its write end is open in"
	for i, h := range writers {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(" %s as fd %d", name(h.p), h.file.FD)
	}
	return text
}

// relayed are the descriptors that a relay of pipes reads from and writes to: the
// first two that the lab handed to it.
func relayed(p *procfs.Process) (in, out *procfs.File) {
	for fd := 3; fd <= 4; fd++ {
		switch f := p.File(fd); {
		case f == nil || !f.IsPipe():
		case f.Writes():
			out = f
		case f.Reads():
			in = f
		}
	}
	return in, out
}
