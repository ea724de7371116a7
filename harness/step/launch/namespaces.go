package launch

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"unsafe"

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
	own(attr, unix.CLONE_NEWPID|unix.CLONE_NEWIPC|unix.CLONE_NEWNS)
}

// OwnInit asks for a PID namespace whose first process is the one that is started, and for
// mounts of its own. That process calls [BecomeInit].
func OwnInit(attr *syscall.SysProcAttr) { own(attr, unix.CLONE_NEWPID|unix.CLONE_NEWNS) }

// OwnSettings asks for an IPC namespace whose settings the process may change: these belong to the
// root of the user namespace that owns it, whatever capabilities others have. So the process is
// root of one, also where it is root already: that of the machine may do more than limits allow.
func OwnSettings(attr *syscall.SysProcAttr) {
	attr.Cloneflags = unix.CLONE_NEWUSER | unix.CLONE_NEWIPC
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
}

func own(attr *syscall.SysProcAttr, namespaces uintptr) {
	attr.Cloneflags = namespaces
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		return
	}
	attr.Cloneflags |= unix.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: gid, HostID: gid, Size: 1}}
	attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
}

// BecomeInit finishes what [OwnInit] began: /proc shows the new namespace, and an ordinary
// user has no capabilities again. It concerns this thread, and what that executes.
func BecomeInit() error {
	if err := MountProc(); err != nil {
		return err
	}
	if os.Getuid() == 0 {
		return nil
	}
	return DropCapabilities()
}

// MountProc makes the mounts of this process's namespace its own, and mounts /proc anew: an
// old one shows the processes of the old namespace.
func MountProc() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	return nil
}

// DropCapabilities gives up the right to mount. It concerns this thread, which
// is the one that starts the step: capabilities belong to threads, and a new
// process gets those of the thread that made it.
func DropCapabilities() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl PR_CAP_AMBIENT_CLEAR_ALL", err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if _, _, e := syscall.RawSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none)), 0); e != 0 {
		return os.NewSyscallError("capset", e)
	}
	return nil
}
