package lab

import (
	"ipcworkbook/harness/verdict"
)

// SamePID starts a process that plays a role, as [Lab.Start] does, with the pid of one that has
// ended: the kernel gives a pid again, once its process was waited for. Where the step has no
// PID namespace of its own, or the kernel does not let the pid be chosen
// (/proc/sys/kernel/ns_last_pid), the step is unsupported.
func (l *Lab) SamePID(ended *Process, r *Role, handed ...Handed) *Process {
	l.t.Helper()
	<-ended.ended
	// A thread that starts in between takes the pid, and nobody has it when it has ended.
	for range 20 {
		a, err := ask(verdict.Event{Kind: verdict.LastPID, PID: ended.PID()})
		switch {
		case err != nil:
			l.Fault("asking the supervisor: %v", err)
		case a.Refused != "":
			l.Unsupported("This step needs a process with the pid of an earlier one, and no pid can be chosen here: %s.", a.Refused)
		}
		p := l.launch(r, handed)
		if p.PID() == ended.PID() {
			l.processes = append(l.processes, p)
			return p
		}
		p.Kill()
	}
	l.Fault("pid %d could not be had again", ended.PID())
	return nil
}
