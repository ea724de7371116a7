package lab

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Ended waits for the end of the process and says how that was: "exit status 143", "killed by
// SIGTERM". For a role that ends itself, or that a signal should end: however it ends, that is
// no failure.
func (p *Process) Ended() string {
	<-p.ended
	p.checked = true
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return "killed by " + unix.SignalName(status.Signal())
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}
