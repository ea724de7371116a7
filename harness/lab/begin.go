package lab

import (
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/verdict"
)

// beginning is how a process starts, beside what is handed to it.
type beginning struct {
	blocked  []syscall.Signal
	group    bool
	terminal *Terminal
	prepare  preparation
	dies     bool // see Dies
}

// Blocked lets a process begin with these signals blocked in every thread: a thread inherits
// the mask of the one that made it, and execve(2) keeps it. So signalfd(2) and
// rt_sigtimedwait(2) get them there, and the Go runtime does not.
func Blocked(signals ...syscall.Signal) Handed {
	return Handed{begin: func(b *beginning) { b.blocked = append(b.blocked, signals...) }}
}

// Ignored lets a process begin with these signals ignored, as nohup(1) does: execve(2) keeps
// SIG_IGN. The Go runtime keeps it for SIGHUP and SIGINT, and for those without a handler of
// its own: SIGTSTP, SIGTTIN, SIGTTOU. For all others it installs its handler at the start
// (package os/signal).
func Ignored(signals ...syscall.Signal) Handed {
	return Handed{begin: func(b *beginning) { b.prepare.Ignored = append(b.prepare.Ignored, signals...) }}
}

// OwnGroup lets a process lead a process group of its own (setpgid(2)): the group's number is
// its pid. All others are in the group of the test.
func OwnGroup() Handed { return Handed{begin: func(b *beginning) { b.group = true }} }

// AsInit lets a process be the first one of a PID namespace of its own: its pid is 1 there,
// and /proc shows only that namespace (pid_namespaces(7)). For the test it has another pid,
// [Process.PID]. All that is in the namespace ends with it. Where the kernel refuses the step
// its namespaces the step is unsupported.
func AsInit() Handed { return Handed{begin: func(b *beginning) { b.prepare.Init = true }} }

// Setting lets a process begin in an IPC namespace of its own (ipc_namespaces(7)), where a number
// below /proc/sys is another one: "kernel/msgmax", "fs/mqueue/msg_max" and their like. Nobody else
// sees that number, and the process sees no queue, segment or semaphore of others. It is root there,
// in a user namespace of its own, and for the machine it stays who it is (user_namespaces(7)). So
// also a test of root's has a process that limits hold for. Where the kernel refuses any of it the
// step is unsupported.
func Setting(name string, value int) Handed {
	return Handed{begin: func(b *beginning) { b.prepare.Settings = append(b.prepare.Settings, setting{name, value}) }}
}

// OnTerminal lets a process lead a session of its own, whose controlling terminal this is.
// The role takes the terminal with c.File("terminal"). Its standard input and output are not
// the terminal.
func OnTerminal(t *Terminal) Handed {
	return Handed{name: terminalName, end: t.slave, begin: func(b *beginning) { b.terminal = t }}
}

const terminalName = "terminal"

// apply asks for all of it. Files are the numbers that the process gives to what it is handed.
func (b *beginning) apply(attr *syscall.SysProcAttr, files map[string]int) error {
	if b.terminal != nil { // it leads a group as well then
		attr.Setsid, attr.Setctty, attr.Ctty = true, true, files[terminalName]
	} else {
		attr.Setpgid = b.group
	}
	switch {
	case b.prepare.Init && len(b.prepare.Settings) > 0:
		return errors.New("AsInit and Setting do not go together")
	case len(b.prepare.Settings) > 0:
		launch.OwnSettings(attr)
	case b.prepare.Init && os.Getenv(verdict.EnvAlone) == "":
		return b.prepare.refused("the step itself has no namespaces of its own.")
	case b.prepare.Init:
		launch.OwnInit(attr)
	}
	return nil
}

// start starts the process. The thread that does so has the mask that the process inherits.
func (b *beginning) start(start func() error) error {
	if len(b.blocked) == 0 {
		return b.explained(start())
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set, before unix.Sigset_t
	for _, n := range b.blocked {
		set.Val[0] |= 1 << (uint(n) - 1)
	}
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, &before); err != nil {
		return os.NewSyscallError("pthread_sigmask", err)
	}
	err := start()
	if back := unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil); err == nil {
		err = back
	}
	return b.explained(err)
}

// explained tells a refused namespace from other errors.
func (b *beginning) explained(err error) error {
	if refused := []error{unix.EPERM, unix.ENOSPC, unix.EUSERS, unix.EINVAL, unix.EACCES}; b.prepare.namespace() &&
		slices.ContainsFunc(refused, func(r error) bool { return errors.Is(err, r) }) {
		return b.prepare.refused(err.Error())
	}
	return err
}

// noNamespace says that the process cannot have the namespace that the step needs.
type noNamespace string

func (e noNamespace) Error() string { return string(e) }

// preparation is what a process does before it is what it was started for: it changes itself,
// and executes the same program again, which inherits all of it.
type preparation struct {
	Ignored  []syscall.Signal `json:"ignored,omitempty"`
	Init     bool             `json:"init,omitempty"`
	Settings []setting        `json:"settings,omitempty"`
}

// setting is a number below /proc/sys.
type setting struct {
	Name  string `json:"name"`
	Value int    `json:"value"`
}

func (p preparation) empty() bool {
	return len(p.Ignored) == 0 && !p.namespace()
}

// namespace says whether the process needs one that the kernel may refuse.
func (p preparation) namespace() bool { return p.Init || len(p.Settings) > 0 }

// refused says what the process cannot have, and why.
func (p preparation) refused(why string) noNamespace {
	needs := "is the first one of a PID namespace"
	if len(p.Settings) > 0 {
		needs = "has an IPC namespace of its own, with /proc/sys/" + p.Settings[0].Name + " set to another number"
	}
	return noNamespace("This step needs a process that " + needs + ", and the kernel refuses that: " + why)
}

const envPrepare = "IPC_PREPARE"

// environment is what the process has to be started with.
func (p preparation) environment() ([]string, error) {
	if p.empty() {
		return nil, nil
	}
	text, err := json.Marshal(p)
	return []string{envPrepare + "=" + string(text)}, err
}
