package doctor

import (
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// terminals looks whether a step gets a terminal of its own (pty(7)).
func (m Machine) terminals() Finding {
	f := finding("terminals for steps", "Ctrl-C as a keystroke, chapter 6", "all steps without a terminal")
	f.Found = "possible"
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		f.but(Lacking, fmt.Sprintf("/dev/ptmx: %v", err), "mount -t devpts devpts /dev/pts -o ptmxmode=666 && ln -s pts/ptmx /dev/ptmx, as root")
		return f
	}
	unix.Close(fd)
	return f
}

// pids looks whether a step may choose the pid of a process, in its own PID namespace.
func (m Machine) pids() Finding {
	f := finding("a pid used again", "what a pidfd is for, chapters 6 and 7", "all but one step")
	if f.Found = "possible"; !exists(filepath.Join(m.Proc, "sys/kernel/ns_last_pid")) {
		f.but(Less, "no kernel.ns_last_pid", "a kernel with CONFIG_CHECKPOINT_RESTORE")
	}
	return f
}

// signals looks what keeps a step's signals from other programs, beside a PID namespace.
func (m Machine) signals() Finding {
	f := finding("a bound for signals", "a step that signals others", "everything: a filter of seccomp(2) does it, and slower")
	const version = 1 // LANDLOCK_CREATE_RULESET_VERSION
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, version)
	f.Found = fmt.Sprintf("Landlock %d", abi)
	switch {
	case errno != 0:
		f.but(Less, fmt.Sprintf("no Landlock: %v", errno), "Linux 6.12, and landlock in the kernel's lsm=")
	case abi < 6:
		f.but(Less, f.Found+" has none", "Linux 6.12")
	}
	return f
}
