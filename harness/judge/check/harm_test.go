package check_test

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/verdict"
)

// What a step's processes have as descriptors 0, 1 and 2, and what is in /dev, is nobody
// else's. Code that takes them for its own changes nothing of the machine, also for root.
// Where the kernel refuses namespaces only the descriptors are kept apart.
func TestASolutionCannotHurtTheMachine(t *testing.T) {
	const descriptors = `	for _, fd := range []int{0, 1, 2, -1} {
		unix.Fchmod(fd, 0o606)
		unix.Fchown(fd, 1, 1)
		unix.Ftruncate(fd, 0)
		unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		unix.FcntlInt(uintptr(fd), unix.F_SETFL, unix.O_NONBLOCK|unix.O_APPEND)
		unix.Shutdown(fd, unix.SHUT_RDWR)
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1)
	}
	os.Chmod("/dev/stdin", 0o606)
	for fd := range 3 {
		unix.Close(fd)
	}
`
	const paths = `	for _, path := range []string{"/dev/null", "/dev/zero", "/dev/tty"} {
		os.Chmod(path, 0o606)
		os.Chown(path, 1, 1)
	}
`
	before := machine(t)
	for _, path := range devices {
		info, err := os.Stat(path)
		require.NoError(t, err)
		owner := info.Sys().(*syscall.Stat_t)
		t.Cleanup(func() { // where it was changed nevertheless
			os.Chmod(path, info.Mode())
			os.Chown(path, int(owner.Uid), int(owner.Gid))
		})
	}
	in := func(place, calls string) trial {
		return trial{reference(t, overlay.Edit{File: "pipe.go", Old: place, New: place + calls}), []int{2}}
	}
	results := runLike(t, nil, in(inNew, descriptors), in(inSend, descriptors))
	if launch.Refused() == "" {
		results = append(results, runLike(t, nil, in(inNew, paths))...)
	}
	for _, r := range results {
		require.NotEqual(t, verdict.Broken, r.Verdict, r.Message)
		require.NotEqual(t, verdict.Fault, r.Verdict, r.Steps[0].Message)
	}
	require.Equal(t, before, machine(t))
}

var devices = []string{"/dev/null", "/dev/zero", "/dev/tty"}

// machine is what such code could change: the devices, and this process's own descriptors.
func machine(t *testing.T) (all []string) {
	t.Helper()
	for _, path := range devices {
		var s unix.Stat_t
		require.NoError(t, unix.Stat(path, &s))
		all = append(all, fmt.Sprintf("%s %o %d:%d", path, s.Mode, s.Uid, s.Gid))
	}
	for fd := range 3 {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		var s unix.Stat_t
		require.NoError(t, unix.Fstat(fd, &s))
		all = append(all, fmt.Sprintf("descriptor %d %o %d %v", fd, s.Mode, flags, err))
	}
	return all
}
