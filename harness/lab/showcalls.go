package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/seccomp"
)

// ShowCalls makes every thread of this process ask the test before a call that looks
// at a file or changes one, from now on and for good: see [Calls].
func (c *Child) ShowCalls() error { return c.show(installFilter) }

// ShowAllCalls makes this thread ask the test before each of its calls, whichever it is, so
// that they can be counted ([Calls.Passed]). The goroutine has to be locked to it
// (runtime.LockOSThread). What the runtime does on it by itself is left out.
func (c *Child) ShowAllCalls() error { return c.show(installFullFilter) }

func (c *Child) show(install func(line int, p *packet) (listener int, err error)) error {
	to := c.File(callsName)
	defer to.Close()
	var line int
	if err := control(c.line.f, func(fd int) error { line = fd; return nil }); err != nil {
		return err
	}
	// Until the test has the listener nobody answers. So this thread sends it at once: in Go's
	// scheduler it may yield, which is a call like others, and nothing would go on.
	var old unix.Sigset_t
	all := unix.Sigset_t{}
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &old); err != nil {
		return os.NewSyscallError("rt_sigprocmask", err)
	}
	p := newPacket()
	var listener int
	var err error
	for range 200 {
		err = control(to, func(fd int) (err error) {
			if listener, err = install(line, p); err == nil {
				p.send(fd, listener)
			}
			return err
		})
		if !errors.Is(err, unix.EBUSY) {
			break
		}
		anotherAsks()
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil); err != nil {
		return os.NewSyscallError("rt_sigprocmask", err)
	}
	if err != nil {
		// The test says that this machine cannot do it.
		return sendProblem(to, err.Error())
	}
	unix.Close(listener)
	return p.err
}

// anotherAsks waits a moment, since a process can have one filter that asks. The supervisor has
// closed its own. But where somebody on the machine just reads what /proc/PID/fdinfo says of that
// one, the kernel keeps it for as long. A filter of a container's stays, and this ends.
var anotherAsks = func() { time.Sleep(5 * time.Millisecond) }

// installFilter makes a filter that asks, and returns its listener. The calls of the
// line to the test are left out: they are the lab's.
func installFilter(line int, _ *packet) (listener int, err error) {
	equal := func(k uint32, yes, no int) unix.SockFilter { return seccomp.Test(unix.BPF_JEQ, k, yes, no) }
	program := []unix.SockFilter{
		seccomp.Load(0),
		equal(unix.SYS_FUTEX, 0, 4),
		seccomp.Argument(1),
		seccomp.Test(unix.BPF_JSET, futexPrivate, 0, 1),
		seccomp.Give(unix.SECCOMP_RET_ALLOW),
		seccomp.Give(unix.SECCOMP_RET_USER_NOTIF),
	}
	left := len(shownCalls)
	for nr := range shownCalls {
		program = append(program, equal(uint32(nr), left, 0))
		left--
	}
	program = append(program,
		seccomp.Give(unix.SECCOMP_RET_ALLOW),
		seccomp.Argument(0),
		equal(uint32(line), 0, 1),
		seccomp.Give(unix.SECCOMP_RET_ALLOW),
		seccomp.Give(unix.SECCOMP_RET_USER_NOTIF))
	// All threads get it. And a call that waits for its answer is not interrupted by
	// the signals with which the runtime takes a goroutine its turn.
	listener, err = setFilter(program, asks|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
	if errors.Is(err, unix.EINVAL) { // before Linux 5.19: see asIfKillable
		listener, err = setFilter(program, asks)
	}
	return listener, err
}

// ofTheRuntime are calls that Go makes on any thread: for memory, for a thread more, after a
// signal, and to look for what can run. One of them may come before anybody answers.
var ofTheRuntime = []uint32{
	unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_CLONE, unix.SYS_RT_SIGPROCMASK, unix.SYS_SIGALTSTACK,
	unix.SYS_RT_SIGRETURN, unix.SYS_EPOLL_PWAIT,
	// What sends signals: the supervisor watches over that.
	unix.SYS_KILL, unix.SYS_TKILL, unix.SYS_TGKILL, unix.SYS_RT_SIGQUEUEINFO, unix.SYS_RT_TGSIGQUEUEINFO, unix.SYS_PIDFD_SEND_SIGNAL,
}

// installFullFilter makes the same for all calls of this thread, but that which sends the packet.
func installFullFilter(line int, p *packet) (listener int, err error) {
	program := []unix.SockFilter{seccomp.Load(0)}
	for i, nr := range ofTheRuntime {
		program = append(program, seccomp.Test(unix.BPF_JEQ, nr, len(ofTheRuntime)-i+8, 0))
	}
	program = append(program,
		seccomp.Test(unix.BPF_JEQ, unix.SYS_SENDMSG, 0, 2),
		seccomp.Argument(1),
		seccomp.Test(unix.BPF_JEQ, uint32(uintptr(unsafe.Pointer(&p.header))), 6, 3),
		seccomp.Test(unix.BPF_JEQ, unix.SYS_FUTEX, 0, 2),
		seccomp.Argument(1),
		seccomp.Test(unix.BPF_JSET, futexPrivate, 3, 2),
		seccomp.Argument(0),
		seccomp.Test(unix.BPF_JEQ, uint32(line), 1, 0), // the lab's
		seccomp.Give(unix.SECCOMP_RET_USER_NOTIF),
		seccomp.Give(unix.SECCOMP_RET_ALLOW),
	)
	listener, err = setFilterHere(program, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
	if errors.Is(err, unix.EINVAL) {
		listener, err = setFilterHere(program, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER)
	}
	return listener, err
}

const asks = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH

// killable reports whether a call that waits for its answer can be made to wait through
// every signal but a deadly one (SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19). It
// asks for a filter that is none. A kernel that knows the flags looks at it: EFAULT.
var killable = sync.OnceValue(func() bool {
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		asks|unix.SECCOMP_FILTER_FLAG_TSYNC|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, 0)
	return errno == unix.EFAULT
})

// asIfKillable is the environment of a process that shows its calls. Where a signal may
// interrupt a call that is held, the call begins anew and is asked for twice. So there the
// runtime sends none of its own. It comes last: of two settings that one counts.
func asIfKillable() []string {
	if killable() {
		return nil
	}
	settings := "asyncpreemptoff=1"
	if others := os.Getenv("GODEBUG"); others != "" {
		settings = others + "," + settings
	}
	return []string{"GODEBUG=" + settings}
}

// packet has a listener in it. It is made before there is one: then nothing is left to do but to
// send it.
type packet struct {
	text   [1]byte
	rights []byte
	vector unix.Iovec
	header unix.Msghdr
	err    error
}

func newPacket() *packet {
	p := &packet{text: [1]byte{'\n'}, rights: unix.UnixRights(-1)}
	p.vector.Base = &p.text[0]
	p.vector.SetLen(len(p.text))
	p.header.Iov, p.header.Control = &p.vector, &p.rights[0]
	p.header.SetIovlen(1)
	p.header.SetControllen(len(p.rights))
	return p
}

func (p *packet) send(to, listener int) {
	binary.NativeEndian.PutUint32(p.rights[unix.CmsgLen(0):], uint32(listener))
	if _, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(to), uintptr(unsafe.Pointer(&p.header)), 0); errno != 0 {
		p.err = os.NewSyscallError("sendmsg", errno)
	}
}

// sendProblem says why there is no listener.
func sendProblem(to *os.File, problem string) error {
	return control(to, func(fd int) error {
		return os.NewSyscallError("sendmsg", unix.Sendmsg(fd, []byte(problem+"\n"), nil, nil, 0))
	})
}

// receiveListener is the test's side of both.
func receiveListener(from *os.File) (listener *os.File, problem string, err error) {
	text, rights := make([]byte, 512), make([]byte, unix.CmsgSpace(4))
	var n, m int
	err = control(from, func(fd int) (err error) {
		for {
			if n, m, _, _, err = unix.Recvmsg(fd, text, rights, unix.MSG_CMSG_CLOEXEC); err != unix.EINTR {
				return os.NewSyscallError("recvmsg", err)
			}
		}
	})
	if err != nil || n == 0 {
		return nil, "", errors.Join(err, seccomp.ErrNoMore)
	}
	if m == 0 {
		return nil, string(text[:n-1]), nil
	}
	messages, err := unix.ParseSocketControlMessage(rights[:m])
	if err != nil {
		return nil, "", err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, "", fmt.Errorf("one listener was expected, and %d descriptors came: %w", len(fds), err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil { // for the poller
		return nil, "", err
	}
	return os.NewFile(uintptr(fds[0]), "listener"), "", nil
}
