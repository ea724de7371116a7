package procfs

// onChild reports whether the wait is for the end of a child.
func (w *wait) onChild() bool { return false }

// explainChild says what became of the child.
func (c *Case) explainChild(w *wait) (lines, advice []string) { return nil, nil }
