package supervisor

import (
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// OnCore calls a function that starts a process, so that this process is kept on
// one core: a thread hands the cores on which it may run to what it starts. With a
// number below 0 it only calls the function.
func OnCore(number int, start func() error) error {
	if number < 0 {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	one.Set(number)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	err := start()
	if back := unix.SchedSetaffinity(0, &before); err == nil && back != nil {
		return os.NewSyscallError("sched_setaffinity", back)
	}
	return err
}
