package procfs

// onQueue reports whether the wait is about a POSIX message queue.
func (w *wait) onQueue() bool { return false }

// explainQueue says how full a queue is and who has it open.
func (c *Case) explainQueue(w *wait) (lines, advice []string) { return nil, nil }
