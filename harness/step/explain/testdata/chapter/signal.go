package chapter

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Notify waits for SIGUSR1 as one does in Go.
func Notify() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGUSR1)
	<-c
}

// Stop stops its own process, as a shell does on ^Z.
func Stop() { check(0, unix.Kill(os.Getpid(), unix.SIGSTOP)) }

// Ignore takes back what it asked for.
func Ignore() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGUSR1)
	signal.Ignore(unix.SIGUSR1)
	<-c
}

// Reap waits for one SIGCHLD for each child.
func Reap() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGCHLD)
	for range 2 {
		exec.Command("true").Start()
	}
	for range 2 {
		<-c
		unix.Wait4(-1, nil, 0, nil)
	}
	<-c
}

// Late starts to listen when its child has ended already, and its SIGCHLD is gone.
func Late() {
	// The kernel may give the signal to a thread that has to wait for a core. So
	// that the child has ended does not say that the signal has come.
	came := make(chan os.Signal, 1)
	signal.Notify(came, unix.SIGCHLD)
	cmd := exec.Command("true")
	check(0, cmd.Start())
	<-came
	signal.Stop(came)
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGCHLD)
	<-c
	cmd.Wait()
}

// Fetch waits for a signal in rt_sigtimedwait(2).
func Fetch(signals ...unix.Signal) {
	runtime.LockOSThread()
	set := sigset(signals...)
	check(0, unix.PthreadSigmask(unix.SIG_BLOCK, &set, nil))
	_, _, errno := unix.Syscall6(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&set)), 0, 0, 8, 0, 0)
	panic(errno)
}

// Suspend waits in rt_sigsuspend(2), with SIGUSR1 blocked.
func Suspend() {
	set := sigset(unix.SIGUSR1)
	unix.Syscall(unix.SYS_RT_SIGSUSPEND, uintptr(unsafe.Pointer(&set)), 8, 0)
}

func Pause() { unix.Pause() }

// SignalFD reads a signalfd.
func SignalFD(flags int, signals ...unix.Signal) {
	set := sigset(signals...)
	fd, err := unix.Signalfd(-1, &set, flags)
	check(0, err)
	f := os.NewFile(uintptr(fd), "signalfd")
	if flags&unix.SFD_NONBLOCK == 0 {
		check(unix.Read(fd, make([]byte, 128)))
	}
	check(f.Read(make([]byte, 128)))
}

// BareFetch does not tell the runtime that it blocks.
func BareFetch() {
	runtime.LockOSThread()
	set := sigset(unix.SIGUSR1)
	for errno := unix.EINTR; errno == unix.EINTR; { // the runtime sends SIGURG
		_, _, errno = syscall.RawSyscall6(unix.SYS_RT_SIGTIMEDWAIT, uintptr(unsafe.Pointer(&set)), 0, 0, 8, 0, 0)
	}
}

func sigset(signals ...unix.Signal) (set unix.Sigset_t) {
	for _, n := range signals {
		set.Val[0] |= 1 << (n - 1)
	}
	return set
}

// InBackground takes a terminal, and starts a child that reads from it in a group that is not
// the foreground's.
func InBackground(tty int) {
	check(unix.Setsid())
	check(0, unix.IoctlSetInt(tty, unix.TIOCSCTTY, 0))
	cmd := exec.Command("cat")
	cmd.Stdin = os.NewFile(uintptr(tty), "tty")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	check(0, cmd.Start())
	check(0, cmd.Wait())
}

// Everything asks for all signals, SIGQUIT as well, and waits for one.
func Everything() {
	c := make(chan os.Signal, 1)
	signal.Notify(c)
	for range c {
	}
}

// IgnoresQuit ignores SIGQUIT, and waits for a signal.
func IgnoresQuit() {
	signal.Ignore(unix.SIGQUIT)
	Fetch(unix.SIGUSR1)
}
