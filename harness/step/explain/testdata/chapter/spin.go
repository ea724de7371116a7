package chapter

import (
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Default never waits, because of its default case.
func Default(c chan int) {
	for {
		select {
		case <-c:
			return
		default:
		}
	}
}

func Gosched(done *atomic.Bool) {
	for !done.Load() {
		runtime.Gosched()
	}
}

// Shared waits until somebody else writes into the file that it has mapped.
func Shared(fd int) {
	mem, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	check(0, err)
	for atomic.LoadUint32((*uint32)(unsafe.Pointer(&mem[0]))) == 0 {
	}
}

// Sleepy looks, sleeps, and looks again.
func Sleepy(done *atomic.Bool) {
	for !done.Load() {
		time.Sleep(50 * time.Millisecond)
	}
}

// SleepyRaw does so in a system call.
func SleepyRaw(fd int) {
	for {
		n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 50)
		if n > 0 {
			return
		}
	}
}

// Hasty asks without a pause whether its child is gone.
func Hasty() {
	cmd := exec.Command("true")
	check(0, cmd.Start())
	pid := uintptr(cmd.Process.Pid)
	for {
		if _, _, errno := syscall.Syscall(syscall.SYS_KILL, pid, 0, 0); errno != 0 {
			return
		}
	}
}

// SpinWrite writes again and again. The descriptor does not block.
func SpinWrite(fd int) {
	b := make([]byte, 4096)
	for {
		syscall.Syscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), 4096)
	}
}
