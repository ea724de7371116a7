package procfs

// onSystemV reports whether the wait is about a System V queue or semaphore.
func (w *wait) onSystemV() bool { return false }

// explainSystemV says what is in the queue, or what the semaphore is at.
func (c *Case) explainSystemV(w *wait) (lines, advice []string) { return nil, nil }
