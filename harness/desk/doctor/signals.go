package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

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
