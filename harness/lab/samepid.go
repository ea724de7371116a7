package lab

import (
	"ipcworkbook/harness/verdict"
)

// SamePID starts a process that plays a role, as [Lab.Start] does, with the pid of one of several
// that have ended, and returns which: the kernel gives a pid again, once its process was waited
// for. Any thread that starts in between may take a pid, and keep it; so there should be several.
// Where the step has no PID namespace of its own, or the kernel does not let the pid be chosen
// (/proc/sys/kernel/ns_last_pid), the step is unsupported.
func (l *Lab) SamePID(ended []*Process, r *Role, handed ...Handed) (again *Process, of int) {
	l.t.Helper()
	for _, p := range ended {
		<-p.ended
	}
	for try := range 5 * len(ended) {
		of = try % len(ended)
		ended := ended[of]
		l.NextPID(ended.PID())
		p := l.launch(r, handed)
		if p.PID() == ended.PID() {
			l.processes = append(l.processes, p)
			return p, of
		}
		p.Kill()
	}
	l.Fault("none of %d pids could be had again", len(ended))
	return nil, 0
}

// NextPID lets the next process or thread of the step have this pid, if it is free. Another thread
// may be quicker, so ask who has got it, and try again. Where SamePID is unsupported this is, too.
func (l *Lab) NextPID(pid int) {
	l.t.Helper()
	a, err := ask(verdict.Event{Kind: verdict.LastPID, PID: pid})
	switch {
	case err != nil:
		l.Fault("asking the supervisor: %v", err)
	case a.Refused != "":
		l.Unsupported("This step needs a process with the pid of an earlier one, and no pid can be chosen here: %s.", a.Refused)
	}
}
