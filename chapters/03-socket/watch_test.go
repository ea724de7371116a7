package socket_test

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/lab"
)

// changes says what happens to the attributes of files in a folder (inotify(7)).
type changes struct {
	l  *lab.Lab
	fd int
}

// watchAttributes begins to watch. A chmod(2) is an event, and so a moment in which a
// file had other permissions can be seen afterwards.
func watchAttributes(l *lab.Lab, folder string) changes {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	require.NoError(l, err, "inotify_init1()")
	_, err = unix.InotifyAddWatch(fd, folder, unix.IN_ATTRIB)
	require.NoError(l, err, "inotify_add_watch()")
	return changes{l, fd}
}

// seen returns the names of the files that were changed, and ends the watch.
func (c changes) seen() []string {
	defer unix.Close(c.fd)
	var names []string
	buf := make([]byte, 1<<16)
	n, err := unix.Read(c.fd, buf)
	if err == unix.EAGAIN {
		return nil
	}
	require.NoError(c.l, err, "reading from inotify")
	for buf = buf[:n]; len(buf) > 0; {
		length := binary.NativeEndian.Uint32(buf[12:])
		name := buf[unix.SizeofInotifyEvent:][:length]
		names = append(names, string(bytes.TrimRight(name, "\x00")))
		buf = buf[unix.SizeofInotifyEvent+length:]
	}
	return names
}

// refuseUmask makes umask(2) fail in this process from now on (seccomp(2)).
func refuseUmask() error {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
		allow = 0x7fff0000
		errno = 0x00050000
	)
	program := []unix.SockFilter{
		{Code: load}, // the number of the system call
		{Code: equal, K: unix.SYS_UMASK, Jf: 1},
		{Code: ret, K: errno | uint32(unix.EPERM)},
		{Code: ret, K: allow},
	}
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	runtime.LockOSThread() // for both calls
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	const setFilter, everyThread = 1, 1
	_, _, e := unix.Syscall(unix.SYS_SECCOMP, setFilter, everyThread, uintptr(unsafe.Pointer(&filter)))
	if e != 0 {
		return e
	}
	return nil
}
