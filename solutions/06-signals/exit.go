package signals

import (
	"fmt"
	"os/exec"
	"syscall"
)

type Exit struct {
	PID    int
	Status syscall.WaitStatus
}

// ExitOf is how a command ended that was waited for.
func ExitOf(cmd *exec.Cmd) Exit {
	if cmd.ProcessState == nil {
		return Exit{}
	}
	return Exit{PID: cmd.ProcessState.Pid(), Status: cmd.ProcessState.Sys().(syscall.WaitStatus)}
}

func (e Exit) Signal() syscall.Signal {
	if !e.Status.Signaled() {
		return 0
	}
	return e.Status.Signal()
}

func (e Exit) Code() int {
	if sig := e.Signal(); sig != 0 {
		return 128 + int(sig)
	}
	return e.Status.ExitStatus()
}

func (e Exit) String() string {
	switch {
	case e.Signal() == 0:
		return fmt.Sprintf("exit status %d", e.Status.ExitStatus())
	case e.Status.CoreDump():
		return "killed by " + Name(e.Signal()) + " (core dumped)"
	}
	return "killed by " + Name(e.Signal())
}
