package signals

import (
	"os/exec"
	"syscall"
	"time"

	"ipcworkbook/harness/todo"
)

// Exit is how a child ended.
type Exit struct {
	PID    int
	Status syscall.WaitStatus
}

// ExitOf is how a command ended that was waited for. The zero Exit is for one that was not.
func ExitOf(cmd *exec.Cmd) Exit {
	return Exit{}
}

// Signal is the signal that killed it, or 0.
func (e Exit) Signal() syscall.Signal {
	return 0
}

// Code is the exit status as a shell has it: 128 plus the signal's number if one killed it.
func (e Exit) Code() int {
	return -1
}

// String says it in words: "exit status 3", "killed by SIGKILL", "killed by SIGSEGV (core dumped)".
func (e Exit) String() string {
	return "todo: " + todo.Err("Exit.String").Error()
}

// Output runs a command and returns all that it has written to its standard output. Nothing of
// that is lost, however much it is, and whenever the command ends.
//
// A process that the command has left behind may have the output open for hours. Output waits
// for it no longer than delay, counted from the command's end. 0 and less are no wait, and what
// the command itself has written is whole then too. If the output is still open the error is
// exec.ErrWaitDelay, and what has come is returned with it. How long the command ran does not count.
//
// A command that did not end with status 0 is an *exec.ExitError, which counts more, with all
// output too. cmd.Stdout has to be nil, else it is EINVAL and nothing is started. A cmd.Stderr that
// is no *os.File is read by os/exec: how long that waits for its end is up to cmd.WaitDelay, and
// delay may begin after it.
func Output(cmd *exec.Cmd, delay time.Duration) ([]byte, error) {
	return nil, todo.Err("Output")
}

// Reaper waits for children that nobody else waits for. A process that ends leaves its children
// to the next one above that is a subreaper, or to process 1. Such an orphan stays a zombie
// until it is waited for. With a Reaper this process is a subreaper (PR_SET_CHILD_SUBREAPER,
// prctl(2)).
//
// Package os/exec waits for its children too, and each status can be had only once. So commands
// are started and waited for with the Reaper's methods; all other children are orphans.
type Reaper struct{}

// NewReaper makes the process's reaper; a second one is EBUSY until Close has returned. For each orphan
// that was reaped it calls orphan, if that is not nil, one at a time; orphan may call all methods
// but Close. What had ended before is reaped too.
func NewReaper(orphan func(Exit)) (*Reaper, error) {
	return nil, todo.Err("NewReaper")
}

// Start starts a command that Wait will be called for. It may end before Start returns.
func (r *Reaper) Start(cmd *exec.Cmd) error {
	return todo.Err("Reaper.Start")
}

// Wait is cmd.Wait for a command that Start has started: the status is there, in cmd.ProcessState,
// and so is the error. It works after Close, too, also if there is a new Reaper by then. A command
// that was not started is an error.
func (r *Reaper) Wait(cmd *exec.Cmd) error {
	return todo.Err("Reaper.Wait")
}

// Close ends the reaping, and returns when no call of orphan is under way. The process is a
// subreaper only if it was one before. A second Close is os.ErrClosed at once, also while the first
// one waits.
func (r *Reaper) Close() error {
	return todo.Err("Reaper.Close")
}

// Policy is what a Supervisor goes by.
type Policy struct {
	// The pause before a worker is started again: First, then twice the last one, up to Most.
	First, Most time.Duration
	// A worker that ran at least so long, from its last start on, begins with First again, and all
	// doubles from there. 0 is never. A start that fails is no run.
	Healthy time.Duration
	// Reaper starts the workers and waits for them, if it is not nil.
	Reaper *Reaper
	// Tell is told of what happens, if it is not nil, one Event at a time, those of one worker in
	// order. It may call all methods but Stop, so Add may return before its worker was told of.
	Tell func(Event)
}

// Event is what happened to a worker.
type Event struct {
	Worker string
	PID    int           // its process; 0 if there was none
	Ended  bool          // it ended; else it was started, if Err is nil
	Exit   Exit          // how it ended
	Pause  time.Duration // how long it takes until it is started again; 0 if it will not be
	Err    error         // it could not be started again
}

// State is one worker at this moment.
type State struct {
	Worker   string
	PID      int // 0 if it does not run
	Restarts int // how often it was started again
}

// Supervisor keeps workers running.
//
// Each worker leads a process group of its own, so Ctrl-C at a terminal reaches the supervisor
// alone. When a worker has ended, what is left of its group is killed, before the worker is
// started again and before anybody is told of its end.
type Supervisor struct{}

// NewSupervisor makes a Supervisor without workers. First has to be more than 0, Most not less
// than First, and Healthy not negative, else it is EINVAL.
func NewSupervisor(p Policy) (*Supervisor, error) {
	return nil, todo.Err("NewSupervisor")
}

// Add starts a worker, and starts it again whenever it ends, however that is. command makes a new
// command for each start; it must not call a method of the Supervisor. If the first start fails
// its error is returned, and there is no such worker. A name that is there is EEXIST; after Stop
// it is os.ErrClosed, whatever the name.
func (s *Supervisor) Add(name string, command func() *exec.Cmd) error {
	return todo.Err("Supervisor.Add")
}

// Signal sends a signal to each worker that runs, not to its group: SIGHUP, to read its settings
// again. Where no worker runs it returns nil, also after Stop. A number that is no signal is
// ErrSignal.
func (s *Supervisor) Signal(sig syscall.Signal) error {
	return todo.Err("Supervisor.Signal")
}

// State returns all workers, in the order of Add.
func (s *Supervisor) State() []State {
	return nil
}

// Stop ends the workers for good, the last one first, each when the one before has ended: SIGTERM
// to its group, SIGCONT for one that is stopped (to others it does no harm), and if that does not help
// within grace, SIGKILL to the group. Each worker has grace for itself; 0 and less are no time. The
// error is ErrGrace, with the names of those that were killed: who waits for its next start is not. No
// pause is waited for, and from the call on no worker is started again, also one that ends by itself
// before its turn.
// While it stops, Signal and State work; a second Stop is os.ErrClosed.
func (s *Supervisor) Stop(grace time.Duration) error {
	return todo.Err("Supervisor.Stop")
}

// InGroup makes a command lead a process group of its own from its first moment on; the group has
// the process's number. It is called before the command is started, and keeps what else
// cmd.SysProcAttr says. A SysProcAttr that other commands have too is not changed. A command with
// Setsid leads a session and so a group already: setpgid(2) of it would be EPERM.
func InGroup(cmd *exec.Cmd) {}

// Foreground makes a process group of this session the terminal's foreground group
// (tcsetpgrp(3)): Ctrl-C reaches it, and only it may read. The caller may be in the background,
// which the kernel answers with SIGTTOU, and that stops a process: Foreground works all the same,
// and leaves the process's handling of SIGTTOU as it was. Errors: ErrPID; ENOTTY if this is not
// the session's terminal; ESRCH if there is no such group, EPERM if it is in another session.
func Foreground(tty syscall.Conn, pgid int) error {
	return todo.Err("Foreground")
}
