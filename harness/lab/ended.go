package lab

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Dies lets a process end by a signal, or with any exit status: the test asks for that with
// [Process.Ended]. Else who waits for a process that has crashed is told of the crash.
func Dies() Handed { return Handed{begin: func(b *beginning) { b.dies = true }} }

// Ended waits for the end of the process and says how that was: "exit status 143", "killed by
// SIGTERM". However it ends, that is no failure.
func (p *Process) Ended() string {
	<-p.ended
	p.checked = true
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return "killed by " + unix.SignalName(status.Signal())
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

// Printed waits for the end of the process and returns what it has written to its standard
// output and its standard error, in the order in which that came.
func (p *Process) Printed() string {
	<-p.ended
	return string(p.output.Bytes())
}
