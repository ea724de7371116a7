package launch

import (
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/verdict"
)

var refused atomic.Pointer[string]

// Refused says why steps get no namespaces here. It is empty as long as the
// kernel has not refused.
func Refused() string {
	if why := os.Getenv(verdict.EnvTogether); why != "" {
		return verdict.EnvTogether + " is set"
	}
	if why := refused.Load(); why != nil {
		return *why
	}
	return ""
}

func refuse(why string) { refused.Store(&why) }

// isolate asks for namespaces: PID, so that every process of the step is found
// and dies with its first one; IPC, for queues, semaphores and segments; mount,
// because /proc, /dev/shm and the file system of the queues show those of one
// namespace, and have to be mounted anew (pid_namespaces(7), ipc_namespaces(7)).
//
// An ordinary user may do that in a user namespace only (user_namespaces(7)).
// There he stays who he is: a step that ran as a make-believe root would be
// allowed what the learner's own program is not. So the supervisor needs the
// right to mount as an ambient capability (capabilities(7)), and gives it up
// before it starts the step.
func isolate(attr *syscall.SysProcAttr) {
	attr.Cloneflags = unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWNS
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		return
	}
	attr.Cloneflags |= unix.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
	attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
}
