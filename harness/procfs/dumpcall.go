package procfs

import (
	"slices"
	"strings"
)

// callOf finds the system call on a goroutine's stack: its number and its first
// argument.
func callOf(g *Goroutine) (number, fd int, ok bool) {
	for _, f := range g.Frames {
		pkg, name, _ := strings.Cut(f.Func[strings.LastIndexByte(f.Func, '/')+1:], ".")
		switch pkg {
		case "syscall", "unix", "linux": // internal/runtime/syscall/linux
		case "runtime":
			continue
		default:
			return 0, 0, false
		}
		if !strings.Contains(strings.ToLower(name), "syscall") {
			continue
		}
		// What RawSyscall shows is left over from other calls.
		if strings.Contains(f.Args, "?") {
			continue
		}
		n, ok1 := f.arg(0)
		a, ok2 := f.arg(1)
		if ok1 && ok2 {
			return int(n), int(int32(a)), true
		}
	}
	return 0, 0, false
}

// inPoller reports whether a goroutine waits until a descriptor is ready. One
// that is about to go on is "runnable", but still there.
func (g *Goroutine) inPoller() bool {
	return g.Wait == "IO wait" || slices.ContainsFunc(g.Frames, func(f Frame) bool { return f.Func == pollWait })
}

// pollerCall names the call that a goroutine in the poller would like to make.
func pollerCall(g *Goroutine, mode byte) string {
	for _, f := range g.Frames {
		switch f.Func {
		case "internal/poll.(*FD).Accept":
			return "accept"
		case "net.(*netFD).connect":
			return "connect"
		}
	}
	if mode == 'w' {
		return "write"
	}
	return "read"
}
