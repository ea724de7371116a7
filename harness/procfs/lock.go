package procfs

// onLock reports whether the wait is for a file lock.
func (w *wait) onLock() bool { return false }

// explainLock says who holds the lock.
func (c *Case) explainLock(w *wait) (lines, advice []string) { return nil, nil }
