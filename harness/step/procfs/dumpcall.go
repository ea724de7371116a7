package procfs

import (
	"slices"
	"strings"
)

// Call finds the system call on a goroutine's stack: its number and its
// arguments, as far as the dump shows them.
func (g *Goroutine) Call() (number int, args []uint64, ok bool) {
	for _, f := range g.Frames {
		pkg, name, _ := strings.Cut(f.Func[strings.LastIndexByte(f.Func, '/')+1:], ".")
		switch pkg {
		case "syscall", "unix", "linux": // internal/runtime/syscall/linux
		case "runtime":
			continue
		default:
			return 0, nil, false
		}
		if !strings.Contains(strings.ToLower(name), "syscall") {
			continue
		}
		// What RawSyscall shows is left over from other calls.
		if strings.Contains(f.Args, "?") {
			continue
		}
		n, ok := f.Arg(0)
		for i := 1; ok; i++ {
			a, more := f.Arg(i)
			if !more {
				break
			}
			args = append(args, a)
		}
		if len(args) > 0 {
			return int(n), args, true
		}
	}
	return 0, nil, false
}

// InPoller reports whether a goroutine waits until a descriptor is ready. One
// that is about to go on is "runnable", but still there.
func (g *Goroutine) InPoller() bool {
	return g.Wait == "IO wait" || slices.ContainsFunc(g.Frames, func(f Frame) bool { return f.Func == pollWait })
}

// PollerCall names the call that a goroutine in the poller would like to make. The
// mode is the one that [Process.PolledBy] tells.
func (g *Goroutine) PollerCall(mode byte) string {
	for _, f := range g.Frames {
		switch f.Func {
		case "internal/poll.(*FD).Accept":
			return "accept"
		case "net.(*netFD).connect":
			return "connect"
		}
		if name, ok := strings.CutPrefix(f.Func, "internal/poll.(*FD)."); ok {
			switch {
			case strings.HasPrefix(name, "ReadFrom"), strings.HasPrefix(name, "ReadMsg"):
				return "receive"
			case strings.HasPrefix(name, "WriteTo"), strings.HasPrefix(name, "WriteMsg"):
				return "send"
			}
		}
	}
	if mode == 'w' {
		return "write"
	}
	return "read"
}

// Calls reports whether a function of that name is on the stack. A closure is
// named after the function that it stands in.
func (g *Goroutine) Calls(name string) bool {
	for _, f := range g.Frames {
		if rest, ok := strings.CutPrefix(f.Func, name); ok && (rest == "" || rest[0] == '.') {
			return true
		}
	}
	return false
}
