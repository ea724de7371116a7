package explain

// isStopped reports whether the process is stopped: then it is for nothing else.
func (w *wait) isStopped() bool { return w.p.Stopped() }

// explainStopped is about a process that a signal has stopped.
func (c *Case) explainStopped(*wait) (lines, advice []string) {
	return []string{"SIGSTOP, or the terminal, has stopped it. It does nothing until SIGCONT comes."},
		[]string{"A stopped process neither works nor ends. Another one must let it go on with SIGCONT, also if it stopped itself."}
}
