package explain

import (
	"slices"

	"ipcworkbook/harness/step/procfs"
)

// explainStream is about the end of a connection, from which somebody wants to
// read, or into which somebody wants to write.
func (c *Case) explainStream(w *wait, s *procfs.SocketInfo) (lines, advice []string) {
	if l := w.p.QueuedAt(s); l != nil {
		return c.explainQueued(w, s, l)
	}
	advice = recvAdvice(w.mode)
	other := w.p.OtherEnd(s)
	if other == nil && s.Remote != "" {
		return []string{w.socketLine(s) + ".", "Its other end is not on this machine, or in another network namespace."}, advice
	}
	lines = []string{w.socketLine(s) + "."}
	if w.mode == 'w' && other != nil && other.Unread > 0 {
		lines[0] += " Its buffers are full: " + oneOf(other.Unread, "byte") + verb(other.Unread, " waits", " wait") + " at the other end."
	}
	holders, unread := c.socketHolders(w, s.Peer)
	sentence := "Its other end"
	if s.Peer != 0 {
		sentence += ", " + w.endOf(s.Peer).Target + ","
	}
	sentence += " is"
	reads := func(v *wait) bool { return v.onSocket() && v.mode != 'w' && v.file.Inode == s.Peer }
	if w.mode == 'w' && len(holders) > 0 && c.nobodyWaits(holders, reads) {
		sentence = "Nobody reads from it. " + sentence
	}
	lines = append(lines, openIn(sentence, holders, unread, w.p.PID)...)
	if w.mode != 'w' && other != nil && other.Unread > 0 {
		lines = append(lines, oneOf(other.Unread, "byte")+" that came from here can still be read there.")
	}
	if s.Unread > 0 {
		lines = append(lines, oneOf(s.Unread, "byte")+" that came from there can be read here.")
	}

	self := slices.ContainsFunc(holders, func(h holder) bool { return h.p.PID == w.p.PID })
	others := slices.ContainsFunc(holders, func(h holder) bool { return h.p.PID != w.p.PID })
	switch {
	case self && !others && w.mode == 'w':
		advice = append(advice, "Here only the writer itself could do that: no other process has the other end.")
	case self && w.mode == 'r':
		advice = append(advice, "Close the end you do not use right after the start.")
	case len(holders) > 1 && w.mode == 'r':
		advice = append(advice, "More than one process or descriptor has the other end: closing one of them is not enough.")
	case others && w.mode == 'r':
		advice = append(advice, "Until then it waits for bytes: the other side must write, or say that it has written all.")
	}
	return lines, advice
}

// recvAdvice is what to know about reading from a connection, or writing.
func recvAdvice(mode byte) []string {
	switch mode {
	case 'r':
		return []string{
			"A reader sees end of file only when the other side ends its stream: by CloseWrite (shutdown(2) with",
			"SHUT_WR), or by closing every copy of its end.",
		}
	case 'w':
		return []string{"A write to a socket waits while the buffers are full, until the other side reads."}
	}
	return nil
}

// explainQueued is about a client whose connection nobody has accepted yet.
func (c *Case) explainQueued(w *wait, s, listener *procfs.SocketInfo) (lines, advice []string) {
	lines = []string{
		w.socketLine(s) + ".",
		"Nobody has accepted this connection yet: it waits in the queue of the listening socket.",
	}
	holders, unread := c.socketHolders(w, listener.Inode)
	lines = append(lines, openIn("The listening socket is", holders, unread, w.p.PID)...)
	return lines, []string{"The connection is there before the server knows of it: the server must call accept(2) for each client."}
}
