package supervisor

import (
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
	"ipcworkbook/harness/step/seccomp"
	"ipcworkbook/harness/verdict"
)

// answerSignals answers the filter's questions until nobody asks any more.
func (s *step) answerSignals() {
	for {
		n, err := seccomp.Next(s.guard.listener)
		if err != nil {
			return
		}
		// The test runs before the supervisor has been told its pid.
		<-s.guard.started
		if harm := s.harm(n); harm != "" {
			s.tried(n, harm)
			err = n.Refuse(s.guard.listener, unix.EPERM)
		} else {
			err = n.Pass(s.guard.listener)
		}
		if err != nil {
			return
		}
	}
}

// harm says whom a signal would reach that is not the caller's business, "" if nobody. All that
// it looks at are numbers: no other thread of the caller can change them meanwhile.
func (s *step) harm(n seccomp.Notification) string {
	caller := procfs.ProcessOf(int(n.Thread))
	if !procfs.SameNamespace(caller, "pid") {
		return "" // its numbers are those of a PID namespace of its own, and it reaches no other
	}
	call := calledBy(n)
	pid := int(int32(n.Args[call.pid]))
	switch {
	case call.number == unix.SYS_PIDFD_SEND_SIGNAL:
		if pid = procfs.PidfdOf(int(n.Thread), pid); pid <= 0 {
			return ""
		}
		return s.harmTo(pid)
	case pid > 0:
		return s.harmTo(procfs.ProcessOf(pid))
	case call.number != unix.SYS_KILL:
		return "" // the kernel refuses it
	case pid == -1:
		return "every process of the user"
	case pid == 0:
		pid, _ = unix.Getpgid(caller)
		return s.harmToGroup(pid)
	}
	return s.harmToGroup(-pid)
}

func (s *step) harmTo(pid int) string {
	switch {
	case pid == os.Getpid():
		return "the supervisor of the step"
	case pid == 0 || procfs.IsBelow(os.Getpid(), pid):
		return "" // nobody, or its own
	}
	p, err := procfs.Who(pid)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("a process outside of the step: %s (pid %d)", p.Role, pid)
}

func (s *step) harmToGroup(group int) string {
	members := procfs.Group(group)
	if slices.Contains(members, s.guard.leader) {
		return "the whole process group of the test: the test itself, and all that it has started"
	}
	for _, pid := range members {
		if harm := s.harmTo(pid); harm != "" {
			return harm
		}
	}
	return ""
}

func calledBy(n seccomp.Notification) signalCall {
	i := slices.IndexFunc(signalCalls, func(c signalCall) bool { return c.number == uint32(n.Number) })
	return signalCalls[i] // the filter asks for no others
}

// tried notes the first such call of a test.
func (s *step) tried(n seccomp.Notification, harm string) {
	g := &s.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.tried.Verdict != "" {
		return
	}
	call := calledBy(n)
	who := "a process"
	if p, err := procfs.Who(procfs.ProcessOf(int(n.Thread))); err == nil {
		who = fmt.Sprintf("%s (pid %d)", p.Role, p.PID)
	}
	g.tried = verdict.Finding{Verdict: verdict.Wrong, Message: fmt.Sprintf(
		"%s(%d, %s) of %s would have reached %s.\n"+
			"The workbook has refused it (EPERM), so nothing was hit.\n\n"+
			"A pid of -1 means every process that you may signal, 0 your own process group, and -n group n (kill(2)).\n"+
			"Which pid was meant? Check it before you hand it to the kernel.",
		call.name, int32(n.Args[call.pid]), procfs.SignalName(unix.Signal(n.Args[call.signal])), who, harm)}
}

// harmful is the finding about a call that was refused, if there was one.
func (s *step) harmful() (verdict.Finding, bool) {
	s.guard.mu.Lock()
	defer s.guard.mu.Unlock()
	return s.guard.tried, s.guard.tried.Verdict != ""
}

// release asks for nothing any more: a process can have one filter that asks, and the lab needs
// that. A signal that would have been asked for is ENOSYS then.
func (s *step) release() {
	if s.guard.listener != nil {
		s.guard.listener.Close()
	}
}
