package lab

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/verdict"
)

// Adversity is what a relay does beside passing bytes on.
type Adversity func(*Lab, *relayed)

// relayed is what a relay is told.
type relayed struct {
	Sizes  []int `json:"sizes"` // of pieces, beside those of no special size
	Cut    bool  `json:"cut"`   // end after Limit bytes
	Limit  int   `json:"limit"`
	Socket bool  `json:"socket"`

	victim *Process
}

// Around makes pieces frequent that are as large as these sizes, or one byte
// smaller or larger: of a header, say, where a mistake is likely.
func Around(sizes ...int) Adversity {
	return func(_ *Lab, r *relayed) {
		for _, s := range sizes {
			r.Sizes = append(r.Sizes, max(1, s-1), s, s+1)
		}
	}
}

// KillAfter makes the relay kill a process by SIGKILL once n bytes have gone
// through, and end. What the process had written beyond them is lost: the other
// side sees n bytes and then the end. Process.Wait returns an error then.
func KillAfter(n int, victim *Process) Adversity {
	return func(l *Lab, r *relayed) {
		r.Cut, r.Limit, r.victim = true, n, victim
		victim.doomed.Store(true)
	}
}

// Relay puts a process between the two ends of a pipe, of a FIFO or of an
// AF_UNIX stream socket. It takes one end, which is closed here, and returns
// another for its place: what is read there comes in pieces whose sizes and
// pauses follow from the seed. The next piece is passed on only when the last
// one has been read completely, so no read returns more than a piece. (On a
// socket two may come together, but seldom.)
//
//	r, w := open(l)
//	r = pipe.NewReader(l.Relay(r, lab.Around(pipe.HeaderSize)))
//
// The end of the stream goes through, and the death of a side: who writes to a
// relay whose reader is gone gets EPIPE. Descriptors that are sent over a socket
// (SCM_RIGHTS) do not. The relay sleeps when it has nothing to do, and the lab
// ends it with the test.
func (l *Lab) Relay(end interface {
	conn
	Close() error
}, adversities ...Adversity) *os.File {
	l.t.Helper()
	l.useSeed()
	how := relayed{Sizes: []int{1}}
	for _, a := range adversities {
		a(l, &how)
	}
	ours, theirs, err := l.ends(end, &how)
	if err != nil {
		l.Fault("making a relay: %v", err)
	}
	l.closers = append(l.closers, func() { ours.Close() })
	text, err := json.Marshal(how)
	if err != nil {
		l.Fault("making a relay: %v", err)
	}
	handed := []Handed{HandOver("end", end), HandOver("other", theirs), Tell("how", string(text))}
	if how.victim != nil {
		// The number of a process may be another's by then, a pidfd is not.
		pidfd, err := unix.PidfdOpen(how.victim.PID(), 0)
		if err != nil {
			l.Fault("pidfd_open(%d): %v", how.victim.PID(), err)
		}
		handed = append(handed, HandOver("victim", os.NewFile(uintptr(pidfd), "pidfd")))
	}
	p := l.launch(relay, handed)
	l.closers = append(l.closers, func() { l.endRelay(p) })
	return ours
}

// ends makes the connection behind the relay: one end for the test and one for
// the relay. The test's own waits, or does not, as the end that it replaces.
func (l *Lab) ends(end conn, how *relayed) (ours, theirs *os.File, err error) {
	var st unix.Stat_t
	var domain, kind int
	err = control(end, func(fd int) error {
		if err := unix.Fstat(fd, &st); err != nil {
			return os.NewSyscallError("fstat", err)
		}
		if st.Mode&unix.S_IFMT == unix.S_IFSOCK {
			domain, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
			kind, _ = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
		}
		return nil
	})
	if err != nil {
		l.fail(wrongEnd(err))
	}
	var fds [2]int
	flags := l.statusFlags(end)
	access := flags & unix.O_ACCMODE
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFIFO && access != unix.O_RDWR:
		err = os.NewSyscallError("pipe2", unix.Pipe2(fds[:], unix.O_CLOEXEC))
	case domain == unix.AF_UNIX && kind == unix.SOCK_STREAM:
		how.Socket = true
		fds, err = unix.Socketpair(domain, kind|unix.SOCK_CLOEXEC, 0)
		err = os.NewSyscallError("socketpair", err)
	default:
		err = fmt.Errorf("there is none for %s, open for %s", l.Target(end), l.Access(end))
	}
	if err != nil {
		return nil, nil, err
	}
	if access == unix.O_WRONLY {
		fds[0], fds[1] = fds[1], fds[0]
	}
	if flags&unix.O_NONBLOCK != 0 {
		err = os.NewSyscallError("fcntl", unix.SetNonblock(fds[0], true))
	}
	return os.NewFile(uintptr(fds[0]), "relayed"), os.NewFile(uintptr(fds[1]), "behind the relay"), err
}

// endRelay ends a relay with the test. That it failed is never the learner's
// error, and more important than what the test saw because of it.
func (l *Lab) endRelay(p *Process) {
	select {
	case <-p.ended:
	default:
		p.Kill()
	}
	if p.err != nil && !p.killed {
		l.failures = append([]failure{{Verdict: verdict.Fault, Call: "the relay", Detail: []string{p.err.Error()}}}, l.failures...)
		l.t.Fail()
	}
}
