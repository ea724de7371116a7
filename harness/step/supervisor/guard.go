package supervisor

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/step/seccomp"
	"ipcworkbook/harness/verdict"
)

// A step can send signals to its own processes, and to nobody else. Two things bound it, and
// one of them is there on most machines:
//
//   - its PID namespace, where all others have no number (pid_namespaces(7));
//   - a scope of Landlock (landlock(7), Linux 6.12): whoever is not in the step gives EPERM. That
//     holds for kill(2), for pidfds and for SIGIO.
//
// Beside them a filter asks the supervisor before a call that looks as if it would hit others:
// one to a process group, to every process, to the supervisor itself or to an older process. So
// it can be said what the step tried to do. Where neither of the two bounds is there the filter
// asks before every signal to somebody, and is the bound itself.
type guard struct {
	landlock bool
	all      bool     // it asks before every signal
	listener *os.File // nil if nobody can be asked

	started chan struct{} // closed when leader is known, or the test could not be started
	leader  int           // the pid of the test, which leads a group

	mu    sync.Mutex
	tried verdict.Finding // the first call that was refused
}

// restrict sets the guard for this thread, and so for what it starts. It does nothing to
// the other threads of the supervisor: nothing in the step can signal those then.
func (s *step) restrict() error {
	g := &s.guard
	g.started = make(chan struct{})
	scoped := scopeSignals()
	g.landlock = scoped == nil
	g.all = !g.landlock && !s.spec.Alone
	if !g.all && s.measures() {
		return nil // what is measured makes no calls that are asked for; it is bounded all the same
	}
	flags := uintptr(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW)
	program := g.filter(os.Getpid())
	listener, err := seccomp.Set(program, flags|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
	if err != nil {
		listener, err = seccomp.Set(program, flags) // before Linux 5.19, or without the right to
	}
	if err != nil && seccomp.NoNewPrivileges() == nil {
		listener, err = seccomp.Set(program, flags)
	}
	if err == nil {
		err = unix.SetNonblock(listener, true)
	}
	if err != nil {
		if g.all {
			return fmt.Errorf("nothing keeps the signals of a step from other programs here: it has no PID namespace, Landlock says %w, and a filter says %w", scoped, err)
		}
		return nil // it is bounded, but nobody tells what it tried to do
	}
	g.listener = os.NewFile(uintptr(listener), "signals of the step")
	go s.answerSignals()
	return nil
}

// measures says that what runs is a benchmark or a peer.
func (s *step) measures() bool { return s.spec.Program || s.spec.Core > 0 }

// scopeSignals puts this thread and what it starts into a domain of Landlock, out of which no
// signal comes.
func scopeSignals() error {
	attr := unix.LandlockRulesetAttr{Scoped: unix.LANDLOCK_SCOPE_SIGNAL}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return os.NewSyscallError("landlock_create_ruleset", errno)
	}
	defer unix.Close(int(fd))
	for range 2 {
		if _, _, errno = unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != unix.EPERM {
			break
		}
		if err := seccomp.NoNewPrivileges(); err != nil {
			return err
		}
	}
	if errno != 0 {
		return os.NewSyscallError("landlock_restrict_self", errno)
	}
	return nil
}

// signalCall is one that sends a signal, with the places of pid and signal among its
// arguments.
type signalCall struct {
	number      uint32
	name        string
	pid, signal int
}

var signalCalls = []signalCall{
	{unix.SYS_KILL, "kill", 0, 1},
	{unix.SYS_TKILL, "tkill", 0, 1},
	{unix.SYS_TGKILL, "tgkill", 0, 2},
	{unix.SYS_RT_SIGQUEUEINFO, "rt_sigqueueinfo", 0, 1},
	{unix.SYS_RT_TGSIGQUEUEINFO, "rt_tgsigqueueinfo", 0, 2},
	{unix.SYS_PIDFD_SEND_SIGNAL, "pidfd_send_signal", 0, 1},
}

// filter asks for signals. Signal 0 is none, and SIGURG is what the Go runtime sends to its own
// threads all the time: programs ignore it. All others are asked for where the pid is not
// positive, or not above that of the supervisor.
func (g *guard) filter(supervisor int) []unix.SockFilter {
	allow, ask, refuse := seccomp.Give(unix.SECCOMP_RET_ALLOW), seccomp.Give(unix.SECCOMP_RET_USER_NOTIF), seccomp.Give(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM))
	program := []unix.SockFilter{seccomp.Load(0)}
	about := func(number uint32, what ...unix.SockFilter) {
		program = append(program, seccomp.Test(unix.BPF_JEQ, number, 0, len(what)))
		program = append(program, what...)
	}
	for _, c := range signalCalls {
		byFile := c.number == unix.SYS_PIDFD_SEND_SIGNAL
		if byFile && g.landlock {
			continue
		}
		what := []unix.SockFilter{
			seccomp.Argument(c.signal),
			seccomp.Test(unix.BPF_JEQ, 0, 1, 0),
			seccomp.Test(unix.BPF_JEQ, uint32(unix.SIGURG), 0, 1),
			allow,
		}
		if !g.all && !byFile {
			what = append(what,
				seccomp.Argument(c.pid),
				seccomp.Test(unix.BPF_JGE, 1<<31, 2, 0),
				seccomp.Test(unix.BPF_JGT, uint32(supervisor), 0, 1),
				allow)
		}
		about(c.number, append(what, ask)...)
	}
	if !g.landlock {
		// SIGIO goes to whomever F_SETOWN names. Nobody gets it where no descriptor asks for it.
		about(unix.SYS_FCNTL,
			seccomp.Argument(1),
			seccomp.Test(unix.BPF_JEQ, unix.F_NOTIFY, 4, 0),
			seccomp.Test(unix.BPF_JEQ, unix.F_SETLEASE, 3, 0),
			seccomp.Test(unix.BPF_JEQ, unix.F_SETFL, 0, 3),
			seccomp.Argument(2),
			seccomp.Test(unix.BPF_JSET, unix.O_ASYNC, 0, 1),
			refuse, allow)
		const fioasync = 0x5452 // ioctl_tty(2); the same on both architectures
		about(unix.SYS_IOCTL, seccomp.Argument(1), seccomp.Test(unix.BPF_JEQ, fioasync, 0, 1), refuse, allow)
	}
	return append(program, allow)
}

// onThread calls a function that starts the step, on a thread of its own that stays: the
// parent-death signal of what it starts is bound to that thread, and so is the guard. It is not
// the first thread: that one is what a signal to the supervisor is checked against, and it is in
// no domain.
func (s *step) onThread(start func() error) error {
	done := make(chan error)
	var run func()
	run = func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			go run() // on another one, since this one is taken
			select {}
		}
		err := s.restrict()
		if err == nil && s.spec.Alone && os.Getuid() != 0 {
			err = launch.DropCapabilities()
		}
		if err == nil {
			err = start()
		}
		done <- err
		select {}
	}
	go run()
	return <-done
}
