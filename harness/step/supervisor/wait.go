package supervisor

import (
	"os/exec"
	"time"
)

// Wait is cmd.Wait for a process at which somebody looks by /proc. Its end is told while its
// last thread still tidies away what /proc knew of it. Who reaps it at that moment, on the
// same core, turns in the kernel until that thread has its turn again: a millisecond and
// more, and a tenth of all that a step cost. So it is reaped a moment later.
func Wait(cmd *exec.Cmd) error {
	// Without a pidfd it is waited for as usual.
	_ = cmd.Process.WithHandle(func(pidfd uintptr) {
		waitFor(int(pidfd))
		time.Sleep(moment)
	})
	return cmd.Wait()
}

const moment = 100 * time.Microsecond
