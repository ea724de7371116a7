package procfs

import (
	"slices"
	"strings"
)

// callOf finds the system call on a goroutine's stack: its number and its
// arguments, as far as the dump shows them.
func callOf(g *Goroutine) (number int, args []uint64, ok bool) {
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
		n, ok := f.arg(0)
		for i := 1; ok; i++ {
			a, more := f.arg(i)
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

// made reports whether the thread is in a call with these arguments. A
// descriptor is an int in C: the upper half of its register means nothing.
func (t *Thread) made(number int, args []uint64) bool {
	if t.Running || t.Number != number {
		return false
	}
	if onDescriptor[t.Syscall] {
		return t.fd() == int(int32(args[0]))
	}
	if t.Syscall == "waitid" && len(args) > 1 && int32(t.Args[1]) != int32(args[1]) {
		return false // another child
	}
	return t.Args[0] == args[0] // the others may have changed: a deadline, a length
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
