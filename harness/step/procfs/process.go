package procfs

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/verdict"
)

// Relay is the role of a process of the lab's own that stands between two others
// and passes on what one of them writes.
const Relay = "the lab's relay"

// Process is what /proc says of one process at one moment.
type Process struct {
	PID    int
	Parent int

	// Role is what people call the process: the value of IPC_ROLE in its
	// environment, "the test" for the process that has IPC_CONTROL instead, and
	// the command's name for any other.
	Role string

	// Control is the descriptor over which the test gives its word to this
	// process: the value of IPC_CONTROL, -1 if that is absent or no number.
	Control int

	// Group is its process group. Foreground is the one of its controlling terminal, 0 if it
	// has no terminal.
	Group, Foreground int

	State  byte // of the first thread: R, S, D, T, Z, …
	Zombie bool // ended, and nobody has waited for it yet

	// Exiting says that its first thread runs no more of its program: the kernel closes what it
	// had open, or has done so.
	Exiting bool

	Threads []Thread
	Files   []File

	// FilesErr says why Files is not known. With nil it is complete.
	FilesErr error

	// Sockets are those of its network namespace, nil if it has none. NoPeers
	// says that the kernel tells no other ends of UNIX sockets here.
	Sockets []SocketInfo
	NoPeers bool

	// Maps is the memory that the process could share with others.
	Maps []Mapping

	Signals Signals
}

// Who reads only who a process is, and whether it has ended: all before Threads.
// It is an error only if there is no such process.
func Who(pid int) (Process, error) {
	s, err := readStat(procPath(pid, "stat"))
	if err != nil {
		return Process{}, fmt.Errorf("process %d: %w", pid, err)
	}
	role, control := role(pid, s.comm)
	if s.terminal == 0 {
		s.foreground = 0
	}
	return Process{
		PID:    pid,
		Parent: s.parent,
		Group:  s.group, Foreground: s.foreground,
		Role:    role,
		Control: control,
		State:   s.state,
		Zombie:  s.state == 'Z' || s.state == 'X',
		Exiting: s.exiting,
	}, nil
}

// Read reads what /proc says of a process now. It is an error only if there is
// no such process; what may not be read is left empty.
func Read(pid int) (Process, error) {
	p, err := Who(pid)
	if err != nil {
		return p, err
	}
	p.Signals = SignalsOf(pid)
	p.Threads = readThreads(pid)
	// The first thread of a Go program can end while the others go on. The
	// process is a zombie only if all of them are.
	for _, t := range p.Threads {
		if t.State != 'Z' && t.State != 'X' {
			p.Zombie = false
		}
	}
	if !p.Zombie {
		p.Files, p.FilesErr = readFiles(pid)
		p.Sockets, p.NoPeers = readSockets(pid, p.Files)
		p.Maps, _ = Maps(pid) // one that may not be read has none
		p.readFutexes()
	}
	return p, nil
}

// role never fails: a process that hides its environment still has a command.
func role(pid int, comm string) (role string, control int) {
	// Programs that a test starts inherit its environment, not its role.
	exe, _ := os.Readlink(procPath(pid, "exe"))
	if !strings.HasSuffix(strings.TrimSuffix(exe, " (deleted)"), ".test") {
		return comm, -1
	}
	line, _ := os.ReadFile(procPath(pid, "cmdline"))
	if _, name, is := strings.Cut(string(line), "\x00"+verdict.ArgProgram); is {
		name, _, _ = strings.Cut(name, "\x00")
		return name, -1
	}
	env, _ := os.ReadFile(procPath(pid, "environ"))
	vars := map[string]string{}
	for entry := range strings.SplitSeq(string(env), "\x00") {
		if name, value, ok := strings.Cut(entry, "="); ok {
			vars[name] = value
		}
	}
	value, isTest := vars["IPC_CONTROL"]
	control, err := strconv.Atoi(value)
	if err != nil {
		control = -1
	}
	switch {
	case vars["IPC_ROLE"] != "":
		return vars["IPC_ROLE"], control
	case isTest:
		return "the test", control
	}
	return comm, control
}

// File returns the process's file with that descriptor, or nil.
func (p *Process) File(fd int) *File {
	for i := range p.Files {
		if p.Files[i].FD == fd {
			return &p.Files[i]
		}
	}
	return nil
}

// Stopped reports whether a signal, or a debugger, has stopped the process.
func (p *Process) Stopped() bool { return p.State == 'T' || p.State == 't' }

// CatchesQUIT reports whether the process catches SIGQUIT: a Go program does, and
// answers with a dump. Any other would die of it, or does not care.
func (p *Process) CatchesQUIT() bool { return p.Signals.Caught.Has(unix.SIGQUIT) }

// IsGo reports whether the process is a Go program, as far as its signals tell: the runtime
// has a handler for SIGSEGV, and several threads.
func (p *Process) IsGo() bool {
	return p.Signals.Caught.Has(unix.SIGSEGV) && len(p.Threads) > 1
}

// ForceDump makes the runtime of a Go program dump, also when the program catches or ignores
// SIGQUIT. signal.Notify and signal.Ignore do not reach a SIGSEGV that looks as if the program
// itself had made it, and not as if kill(2) had sent it: so it does with the code of
// rt_sigqueueinfo(2). The runtime believes that it has crashed, and ends it.
func (p *Process) ForceDump(spinning bool) error {
	const queued = -1                                        // SI_QUEUE
	info := [32]int32{int32(unix.SIGSEGV), 0, queued, 4: -1} // siginfo_t, with an address that is none
	_, _, errno := unix.Syscall6(unix.SYS_RT_TGSIGQUEUEINFO, uintptr(p.PID), uintptr(p.DumpThread(spinning)),
		uintptr(unix.SIGSEGV), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return os.NewSyscallError("rt_tgsigqueueinfo", errno)
	}
	return nil
}

// DumpThread is the thread to send SIGQUIT to, with tgkill(2).
//
// The runtime dumps the stack of the thread that got the signal as it stands.
// Others it first asks to stop, and gives them 5 ms. One that sits in a
// RawSyscall, makes one call after the other, or gets no processor in that
// time, is "running on other thread; stack unavailable". So the signal goes to
// the thread that matters: the busiest one of a process that spins, and of any
// other one that is blocked.
func (p *Process) DumpThread(spinning bool) int {
	var busiest Thread
	for _, t := range p.Threads {
		if spinning && t.Running && t.CPU > busiest.CPU {
			busiest = t
		}
	}
	if busiest.TID != 0 {
		return busiest.TID
	}
	if blocked := p.BlockedThreads(); len(blocked) > 0 {
		return blocked[0].TID
	}
	return p.PID
}
