// Package signals sends signals and waits for them, and keeps the children that end with one.
//
// There is a part for each thing that a program does with signals:
//
//   - to send one: [Send], [SendGroup], [SendThread], [Queue]
//   - to wait as Go does: [Listener]
//   - to wait as the kernel does, with a number and the sender: [Inbox]
//   - to hold a process that cannot become another one: [Process]
//   - to end in order: [Drain]
//   - to have children: [Output], [Reaper], [Supervisor], [InGroup], [Foreground]
//
// # Who owns the signals
//
// Go's runtime installs a handler for nearly every signal when the program starts, before the
// first line of yours. So much of what the manuals say of C is otherwise here; the lesson tells
// what. A [Listener] asks the runtime (package os/signal). An [Inbox] goes around it. That is
// possible where the process was started with the signal blocked: then the runtime's handler
// never runs.
//
// # Numbers
//
// Signals 1 to 31 are the standard ones: one of a kind is pending, or none. From 32 to
// [MaxSignal] they are real-time ones: each is kept, with its number and its sender. C libraries
// keep some of them for themselves. What programs in C call SIGRTMIN is 34 then. Go's runtime
// leaves 34 to the C library too: it kills a Go program, and no channel gets it. So for a Go
// program they begin with [MinReal].
//
// The kernel reads 32 bits of a pid and of a signal. And to it some pids are many: 0 is the
// caller's own group, -1 is every process that the caller may signal, and a pid below that
// is a group. So a mistake in a number ends the shell that you sit at, or all that is yours.
// No function of this package lets such a number through to the kernel:
//
//   - a pid, a thread's number or a group has to be from 2 to 1<<31-1, else [ErrPID]. Process 1
//     is refused as well, and group 1: to the kernel that would be -1;
//   - a signal has to be from 1 to MaxSignal, else [ErrSignal]. 0 asks whether a process is there;
//     the answer is old when it comes, and a [Process] knows better.
//
// # All functions
//
// Errors are wrapped, and compared with errors.Is. They name the signal and the process. An
// error of the kernel keeps its number: ESRCH, there is no such process; EPERM, it belongs to
// another user (kill(2)). What was closed returns os.ErrClosed, in every method and for a
// second Close too. A call that waits does so without using the processor, it survives
// signals (EINTR), and it ends with its context's error, or with
// os.ErrDeadlineExceeded. os.ErrClosed comes before the error of a context.
//
// What is there comes before a time that is over: where a signal has come already, it is returned,
// also if the context is done or the deadline has passed.
//
// All may be used by several goroutines at once, apart from the receiving of one Inbox.
//
// Every descriptor is close-on-exec. When something was closed none is left, and no goroutine.
package signals

import (
	"context"
	"errors"
	"syscall"
	"time"

	"ipcworkbook/harness/todo"
)

const (
	MaxSignal = 64 // the highest signal
	MinReal   = 35 // the lowest real-time signal that a Go program can receive
)

var (
	// ErrPID is returned for a number that is not one of a single process, thread or group.
	ErrPID = errors.New("not the number of one process, or of one group")
	// ErrSignal is returned for a number that no signal has, and where a signal is one that
	// the function cannot do anything with.
	ErrSignal = errors.New("no such signal")
	// ErrValue is returned for a number that has no room in a signal.
	ErrValue = errors.New("a signal carries 32 bits")
	// ErrNotBlocked is returned for an Inbox of a signal that some thread does not block.
	ErrNotBlocked = errors.New("the signal is not blocked in every thread")
	// ErrDraining is returned for new work while the program shuts down.
	ErrDraining = errors.New("shutting down: no new work")
	// ErrGrace is returned where something was given time to end, and did not.
	ErrGrace = errors.New("the time for a clean end is over")
)

// Send sends a signal to a process: kill(2). It returns when the signal is pending there, and
// nobody learns when it is delivered, or whether. One to this process itself is allowed, unless it
// is process 1.
//
// ErrPID and ErrSignal come first, in this order, before the kernel sees the numbers; then ESRCH
// and EPERM. A process that has ended and that nobody has waited for still takes signals.
func Send(pid int, sig syscall.Signal) error {
	return todo.Err("Send")
}

// SendGroup sends a signal to every process of a group, and to nobody else: kill(2) with a
// negative number. The errors are those of Send. The caller's own group is ErrPID: who signals
// it signals himself. A process may move to another group (setpgid(2)), so look each time.
func SendGroup(pgid int, sig syscall.Signal) error {
	return todo.Err("SendGroup")
}

// SendThread sends a signal to one thread of a process: tgkill(2). The handler still belongs to
// the process, but as long as the thread blocks the signal no other one gets it. A thread that
// is not of that process is ESRCH: the kernel looks at both numbers. Other errors are those of
// Send.
func SendThread(pid, tid int, sig syscall.Signal) error {
	return todo.Err("SendThread")
}

// Queue sends a signal with a number: sigqueue(3), which is rt_sigqueueinfo(2). Of a real-time
// signal each one is kept, in order. Of a standard one only the first is, with its number, until
// it is delivered. The number has 32 bits with a sign: another one is ErrValue, the last of
// the three that are looked at before the kernel is called.
//
// The kernel takes the sender's pid and user from the caller's siginfo_t (sigaction(2)) and does not
// check them: they are those of this process here (getpid(2), getuid(2)), and the code is SI_QUEUE.
//
// If too many signals are queued, for all processes of the receiver's user, the error is EAGAIN.
// Its text names the limit, RLIMIT_SIGPENDING, and says how many are queued and how many may be,
// both as the receiver has them (SigQ in /proc/PID/status): "120 of 120".
func Queue(pid int, sig syscall.Signal, value int) error {
	return todo.Err("Queue")
}

// Name is how people call a signal: "SIGTERM"; "SIGRTMIN" for 34 and "SIGRTMIN+3" for 37;
// "signal 32" for a number without a name, whatever it is.
func Name(sig syscall.Signal) string {
	return "todo: " + todo.Err("Name").Error()
}

// Listener receives signals as a Go program usually does, from the runtime (os/signal). It
// says which signal came, and no more: there is no number and no sender.
type Listener struct{}

// Listen makes a Listener for some signals. From then on they have no other effect on the
// process: it does not end at SIGTERM any more.
//
// A signal that the process ignores when Listen is called stays ignored, and Wait will not
// return it. Who started the program has decided that (nohup(1)), or the program itself by
// signal.Ignore. What the starter has decided Go can see for SIGHUP and SIGINT only.
//
// Without any signal it is ErrSignal, and so it is for those that a Go program cannot catch:
// SIGKILL and SIGSTOP, and 32 to 34. To name a signal twice is to name it once.
func Listen(sigs ...syscall.Signal) (*Listener, error) {
	return nil, todo.Err("Listen")
}

// Wait waits for one of the signals, and takes it. One that came while nobody waited is kept.
// Several of one kind may have become one. But one of each kind is kept, however many of the
// others came before and were not taken, and one that comes again and again does not hide the
// others: each has its turn. Several may wait at once, each with its own context.
func (l *Listener) Wait(ctx context.Context) (syscall.Signal, error) {
	return 0, todo.Err("Listener.Wait")
}

// Close ends a Wait. The signals have their usual effect again, unless another Listener has
// them too. What came and was not taken is lost.
func (l *Listener) Close() error {
	return todo.Err("Listener.Close")
}

// Info is a signal as the kernel keeps it.
type Info struct {
	Signal syscall.Signal
	Value  int  // the number, if Queued
	PID    int  // the sender; 0 if it is of another PID namespace
	UID    int  // the sender's user
	Queued bool // it was sent by Queue, or by sigqueue(3): its code is SI_QUEUE, and no other
}

// Inbox receives signals from the kernel, with what they carry: signalfd(2).
type Inbox struct{}

// OpenInbox makes an Inbox for some signals. They have to be blocked in every thread of the
// process. Go has no call for that: a thread that does not block the signal would get it, and
// the runtime's handler would run. So the process was started that way, and its threads have
// their masks from their starter. OpenInbox looks at every thread and returns ErrNotBlocked if
// there is one that does not block all of the signals. It names the signal. If it cannot look, that
// error is returned, and there is no Inbox. Other errors are those of Listen. What was sent before,
// and is pending, is for the Inbox.
//
// Some signals Go's runtime unblocks in every thread, whatever the process began with: those that
// an instruction raises, such as SIGSEGV, and SIGCHLD, SIGPROF and SIGURG. No Inbox is for them:
// they are ErrNotBlocked.
func OpenInbox(sigs ...syscall.Signal) (*Inbox, error) {
	return nil, todo.Err("OpenInbox")
}

// Recv waits for a signal and takes it. If several are pending the lowest number comes first,
// and of one real-time signal the one that was sent first.
func (b *Inbox) Recv() (Info, error) {
	return Info{}, todo.Err("Inbox.Recv")
}

// RecvUntil is Recv with a deadline; the zero time.Time is none. With one that has passed it takes what
// is there, and does not wait.
func (b *Inbox) RecvUntil(deadline time.Time) (Info, error) {
	return Info{}, todo.Err("Inbox.RecvUntil")
}

// SyscallConn gives access to the signalfd: it is readable while one of the signals is pending.
func (b *Inbox) SyscallConn() (syscall.RawConn, error) {
	return nil, todo.Err("Inbox.SyscallConn")
}

// Close ends a Recv. Signals that are pending stay so, and the signals stay blocked.
func (b *Inbox) Close() error {
	return todo.Err("Inbox.Close")
}

// Process is a process that was found by its pid once and stays the same from then on: a pidfd
// (pidfd_open(2)). A pid may belong to somebody else a moment later.
type Process struct{}

// Open opens a process. One that nobody has waited for yet is still there. ErrPID comes before
// the kernel's errors: ESRCH, and EMFILE if there is no descriptor left.
func Open(pid int) (*Process, error) {
	return nil, todo.Err("Open")
}

// PID is the number that the process was opened by.
func (p *Process) PID() int {
	return 0
}

// Signal sends it a signal: pidfd_send_signal(2). ErrSignal comes first, also after Close. Once the
// process has ended it is ESRCH: if nobody has waited for it yet, and if another process has its
// number by now.
func (p *Process) Signal(sig syscall.Signal) error {
	return todo.Err("Process.Signal")
}

// Ended reports whether the process has ended by now, also if nobody has waited for it yet. After
// Close it is false.
func (p *Process) Ended() bool {
	return false
}

// Wait waits until the process has ended. It need not be a child, and it is not reaped: whoever
// is its parent still gets its status.
func (p *Process) Wait(ctx context.Context) error {
	return todo.Err("Process.Wait")
}

// SyscallConn gives access to the pidfd: it is readable once the process has ended.
func (p *Process) SyscallConn() (syscall.RawConn, error) {
	return nil, todo.Err("Process.SyscallConn")
}

// Close ends a Wait. The process goes on.
func (p *Process) Close() error {
	return todo.Err("Process.Close")
}

// Drain ends a program in order: at a signal no new work begins, and what is in flight is
// finished.
type Drain struct{}

// NewDrain makes a Drain. The first one of these signals begins the shutdown, the second one,
// whichever it is, ends the process at once, also if a Listener has it too. SIGHUP, SIGINT and SIGTERM
// do it by their default action, so that the parent sees "killed by SIGTERM". At all others, and as
// process 1, which has no default actions, it ends with the status 128 plus the signal's number: a Go
// program does nothing at SIGUSR1 by default, is stopped by SIGTSTP, and makes status 2 of SIGQUIT. Two
// that are sent before the first one was delivered are one: see Draining.
//
// grace is how long work may take from the first signal on; a negative one is EINVAL. Other
// errors are those of Listen, and what is ignored stays ignored as there.
func NewDrain(grace time.Duration, sigs ...syscall.Signal) (*Drain, error) {
	return nil, todo.Err("NewDrain")
}

// Begin says that work begins. Its end is told by calling end; to call it again does no harm.
// Once the shutdown has begun it is ErrDraining, and after Close os.ErrClosed.
func (d *Drain) Begin() (end func(), err error) {
	return nil, todo.Err("Drain.Begin")
}

// Draining is closed when the shutdown begins. Work that can be cut short looks here. A signal
// that is sent later is a second one.
func (d *Drain) Draining() <-chan struct{} {
	return nil
}

// Signal is the signal that began the shutdown, or 0.
func (d *Drain) Signal() syscall.Signal {
	return 0
}

// Wait waits for the shutdown, and then until all work has ended: nil, and the program ends with
// 0. If that takes longer than grace it is ErrGrace, and the text says how much has not ended. All
// this counts from the signal, and not from the call of Wait: where all work has ended in time it is
// nil, also when grace is over. Several may wait.
func (d *Drain) Wait() error {
	return todo.Err("Drain.Wait")
}

// Close gives the signals their usual effect again. It ends a Wait for the shutdown; once that has
// begun Wait goes on, and one that is called later waits for the work, too.
func (d *Drain) Close() error {
	return todo.Err("Drain.Close")
}
