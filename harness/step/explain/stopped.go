package explain

import "fmt"

// isStopped reports whether the process is stopped: then it is for nothing else.
func (w *wait) isStopped() bool { return w.p.Stopped() }

// explainStopped is about a process that a signal has stopped.
func (c *Case) explainStopped(w *wait) (lines, advice []string) {
	lines = []string{"SIGSTOP, or the terminal, has stopped it. It does nothing until SIGCONT comes."}
	if w.p.Foreground > 0 && w.p.Group != w.p.Foreground {
		return append(lines, fmt.Sprintf("It is in process group %d, and the terminal's foreground is group %d.", w.p.Group, w.p.Foreground)), []string{
			"Who reads from its terminal in the background gets SIGTTIN, and who changes the terminal there SIGTTOU: both stop it.",
			"tcsetpgrp(3) puts a group into the foreground; then SIGCONT lets it go on. A shell's fg does both.",
		}
	}
	return lines, []string{"A stopped process neither works nor ends. Another one must let it go on with SIGCONT, also if it stopped itself."}
}
