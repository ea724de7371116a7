package procfs

// onSocket reports whether the wait is about a socket.
func (w *wait) onSocket() bool { return false }

// explainSocket says who is at the other end of a socket.
func (c *Case) explainSocket(w *wait) (lines, advice []string) { return nil, nil }
