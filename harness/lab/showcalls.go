package lab

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ShowCalls makes every thread of this process ask the test before a call that looks
// at a file or changes one, from now on and for good: see [Calls].
func (c *Child) ShowCalls() error {
	to := c.File(callsName)
	defer to.Close()
	var line int
	if err := control(c.line.f, func(fd int) error { line = fd; return nil }); err != nil {
		return err
	}
	listener, err := installFilter(line)
	if err != nil {
		// The test says that this machine cannot do it.
		return sendListener(to, -1, err.Error())
	}
	// Nobody answers yet, so from here on only calls that are not shown.
	defer unix.Close(listener)
	return sendListener(to, listener, "")
}

// installFilter makes a filter that asks, and returns its listener. The calls of the
// line to the test are left out: they are the lab's.
func installFilter(line int) (listener int, err error) {
	equal := func(k uint32, yes, no int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jt: uint8(yes), Jf: uint8(no)}
	}
	give := func(action uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: action}
	}
	// What the filter sees is struct seccomp_data, which begins in the notification
	// with the number. Both architectures are little-endian: the low half comes first.
	var data notification
	base := unsafe.Offsetof(data.nr)
	program := []unix.SockFilter{load(0)}
	left := len(shownCalls)
	for nr := range shownCalls {
		program = append(program, equal(uint32(nr), left, 0))
		left--
	}
	program = append(program,
		give(unix.SECCOMP_RET_ALLOW),
		load(uint32(unsafe.Offsetof(data.args)-base)),
		equal(uint32(line), 0, 1),
		give(unix.SECCOMP_RET_ALLOW),
		give(unix.SECCOMP_RET_USER_NOTIF))
	// All threads get it. And a call that waits for its answer is not interrupted by
	// the signals with which the runtime takes a goroutine its turn (Linux 5.19).
	return setFilter(program, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH|
		unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
}

// sendListener sends the listener, or why there is none.
func sendListener(to *os.File, listener int, problem string) error {
	var rights []byte
	if problem == "" {
		rights = unix.UnixRights(listener)
	}
	return control(to, func(fd int) error {
		return os.NewSyscallError("sendmsg", unix.Sendmsg(fd, []byte(problem+"\n"), rights, nil, 0))
	})
}

// receiveListener is the test's side of sendListener.
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
		return nil, "", errors.Join(err, errNoMoreCalls)
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
