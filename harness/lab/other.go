package lab

import (
	"fmt"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
	"ipcworkbook/harness/verdict"
)

// Other is a process that the test has not started: a child of a role's, or an orphan. Its
// pidfd stands for that very process for ever (pidfd_open(2)), also when its pid is used again.
type Other struct {
	lab        *Lab
	what       string
	pid, pidfd int
}

// Other returns the process of the step that has this pid now. Whoever lost its parent is
// found too. It is killed at the end of the test if it is still there.
func (l *Lab) Other(what string, pid int) *Other {
	l.t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		l.fail(failure{Verdict: verdict.Wrong, Call: fmt.Sprintf("%s (pid %d)", what, pid),
			Detail: []string{"expected: a process that is there", "got:      " + err.Error()},
			Reason: "Somebody has waited for it already: who waits for any child (-1) steals its status."})
	}
	o := &Other{l, what, pid, fd}
	l.closers = append(l.closers, func() {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		unix.Close(fd)
	})
	return o
}

// PID returns the process's id.
func (o *Other) PID() int { return o.pid }

func (o *Other) name() string { return fmt.Sprintf("%s (pid %d)", o.what, o.pid) }

// Ends waits until the process has ended, whether its parent has waited for it or not. It
// fails the test when everything in the step sleeps and it has not. After a colon in why
// stands the likeliest reason.
func (o *Other) Ends(why string) {
	o.lab.t.Helper()
	o.lab.Until(why, Evidence{claim: o.name() + " has ended", look: func() (string, bool) {
		return "it is still there", o.hasEnded()
	}})
}

// hasEnded asks the pidfd, which is readable then.
func (o *Other) hasEnded() bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(o.pidfd), Events: unix.POLLIN}}, 0)
		if err != unix.EINTR {
			return n == 1
		}
	}
}

// reaped says that it has ended and that its parent has waited for it.
func (o *Other) reaped() bool { return o.hasEnded() && procfs.Reaped(o.pidfd) }
