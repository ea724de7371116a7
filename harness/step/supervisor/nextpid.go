package supervisor

import (
	"fmt"
	"os"
)

// nextPID lets the next process of the step's PID namespace have this pid, if it is free. It
// says why that cannot be. An ordinary user's step has no right to do that itself.
func (s *step) nextPID(pid int) (refused string) {
	if !s.spec.Alone {
		return "the step has no PID namespace of its own, and the pids are those of the whole machine"
	}
	if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", fmt.Appendf(nil, "%d", pid-1), 0); err != nil {
		return err.Error()
	}
	return ""
}
