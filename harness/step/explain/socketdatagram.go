package explain

import "ipcworkbook/harness/step/procfs"

// explainRecvFrom says who could send a datagram to this socket.
func (c *Case) explainRecvFrom(w *wait, s *procfs.SocketInfo) (lines, advice []string) {
	line := w.socketLine(s) + "."
	if s.Unread == 0 {
		line += " No datagram waits in it."
	}
	lines = []string{line}
	advice = []string{"There is no end of file between datagram sockets: it waits until somebody sends a datagram."}
	switch {
	case s.Connected && s.Peer != 0:
		lines[0] += " It takes them from its other end only."
		holders, unread := c.socketHolders(w, s.Peer)
		lines = append(lines, openIn("Its other end, "+w.endOf(s.Peer).Target+", is", holders, unread, w.p.PID)...)
	case s.Connected && s.IsUnix():
		lines = append(lines, "Its other end is closed, and it takes datagrams from there only: none can come any more.")
		advice = []string{"There is no end of file between datagram sockets: the sender must say with a datagram that it was the last."}
	case s.Connected:
		lines[0] += " It takes them from " + s.Remote + " only."
	case s.Name == "":
		lines = append(lines, "It has no address (bind(2)), so nobody can send to it.")
		advice = []string{"A client that wants an answer needs an address too: call bind(2) before it sends."}
	default:
		lines = append(lines, c.placeLines(w, s)...)
		lines = append(lines, c.senders(w, s)...)
		if place := placeAdvice[s.Place]; place != nil {
			advice = place
		}
	}
	return lines, advice
}

// senders are the sockets that are connected to this one.
func (c *Case) senders(w *wait, s *procfs.SocketInfo) []string {
	if w.p.NoPeers {
		return nil
	}
	var lines []string
	for i := range w.p.Sockets {
		from := &w.p.Sockets[i]
		if from.Peer != s.Inode || from.Type != s.Type || from.Inode == 0 {
			continue
		}
		holders, _ := c.socketHolders(w, from.Inode)
		lines = append(lines, list(holders, w.p.PID)...)
	}
	if len(lines) == 0 {
		return []string{"No socket is connected to it. A process that sends with sendto(2) need not be."}
	}
	return append([]string{"Connected to it is"}, lines...)
}

// explainSendTo says whose queue is full.
func (c *Case) explainSendTo(w *wait, s *procfs.SocketInfo) (lines, advice []string) {
	lines = []string{w.socketLine(s) + "."}
	advice = []string{"The kernel keeps a few datagrams for a receiver. After that a send waits until the receiver takes one out."}
	to := w.p.OtherEnd(s)
	if w.t != nil && w.t.To != nil {
		to = w.p.SocketAt(w.t.To)
		lines[0] += " It sends to " + w.t.To.Name + "."
	}
	if to == nil || to.Inode == 0 {
		return append(lines, "The receiver there is not known."), advice
	}
	holders, unread := c.socketHolders(w, to.Inode)
	sentence := "The receiver, " + w.endOf(to.Inode).Target + ", is"
	receives := func(v *wait) bool { return v.onSocket() && v.mode != 'w' && v.file.Inode == to.Inode }
	if len(holders) > 0 && c.nobodyWaits(holders, receives) {
		sentence = "Nobody receives. " + sentence
	}
	return append(lines, openIn(sentence, holders, unread, w.p.PID)...), advice
}
