package procfs

// onFutex reports whether the wait is about a futex of the program's own.
func (w *wait) onFutex() bool { return false }

// explainFutex says what the futex holds and who holds the lock.
func (c *Case) explainFutex(w *wait) (lines, advice []string) { return nil, nil }
