package explain

import (
	"fmt"
	"slices"

	"ipcworkbook/harness/step/procfs"
)

// explainConnect says who listens where somebody connects to, and how full the
// queue is. A connect to a UNIX socket waits only for room in the queue.
func (c *Case) explainConnect(w *wait, s *procfs.SocketInfo) (lines, advice []string) {
	to := &procfs.Address{}
	switch {
	case w.t != nil && w.t.To != nil:
		to = w.t.To
	case s != nil && s.Remote != "":
		to.Name = s.Remote
	default:
		return []string{w.fileLine(), "Where it connects to is not known."}, nil
	}
	line := fmt.Sprintf("It connects fd %d to %s.", w.fd, to.Name)
	advice = []string{"connect waits while the queue of the listening socket is full: the server must call accept(2) for each client."}
	lines = []string{line}
	l := w.p.SocketAt(to)
	if l == nil || !l.Listening {
		return append(lines, "The listener there is not known."), advice
	}
	if l.Waiting >= 0 {
		lines = append(lines, queueLine(l))
	}
	holders, unread := c.socketHolders(w, l.Inode)
	sentence := "The listening socket is"
	accepts := func(v *wait) bool { return v.onSocket() && v.file.Inode == l.Inode }
	if len(holders) > 0 && c.nobodyWaits(holders, accepts) {
		sentence = "Nobody accepts. " + sentence
	}
	lines = append(lines, openIn(sentence, holders, unread, w.p.PID)...)
	if !slices.ContainsFunc(holders, func(h holder) bool { return h.p.PID != w.p.PID }) && len(holders) > 0 {
		advice = append(advice, "Here only the client itself could do that: no other process has the listening socket.")
	}
	return lines, advice
}

// queueLine says how many clients wait to be accepted, and how many may.
func queueLine(s *procfs.SocketInfo) string {
	line := oneOf(s.Waiting, "connection") + " wait there to be accepted."
	if s.Waiting == 1 {
		line = "1 connection waits there to be accepted."
	}
	if s.Backlog >= 0 {
		line += fmt.Sprintf(" The limit, the backlog of listen(2), is %d", s.Backlog)
		if s.Waiting == s.Backlog+1 {
			line += ", and Linux lets one more in"
		}
		line += "."
	}
	return line
}
