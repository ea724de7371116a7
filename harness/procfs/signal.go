package procfs

// onSignal reports whether the wait is for a signal.
func (w *wait) onSignal() bool { return false }

// explainSignal says where the signal went.
func (c *Case) explainSignal(w *wait) (lines, advice []string) { return nil, nil }
