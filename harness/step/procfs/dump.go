package procfs

import (
	"regexp"
	"strconv"
	"strings"
)

// Goroutine is one goroutine of a runtime dump.
type Goroutine struct {
	ID int

	// Wait is what the runtime says of it: "IO wait", "syscall", "chan receive",
	// "running", … without the time it waited and the like.
	Wait string

	// Locked says that it has a thread for itself (runtime.LockOSThread).
	Locked bool

	// Frames begins with the innermost call. It is empty for a goroutine that
	// ran on another thread while the dump was made: then the runtime prints
	// no stack.
	Frames []Frame

	// CreatedBy is the go statement. Its Func is empty for the main goroutine.
	CreatedBy Frame
}

// Frame is one call on a stack.
type Frame struct {
	Func string // "ipcworkbook/chapters/01-pipe.(*Reader).Recv"
	Args string // "0xc000012345, {0x0?, 0x0?, 0x0?}", or "..." if inlined
	File string
	Line int
}

var (
	// goroutine 7 gp=0xc000002380 m=3 mp=0xc000080008 [chan receive, 2 minutes, locked to thread]:
	headLine = regexp.MustCompile(`^goroutine (\d+)\b[^\[]*\[([^\]]*)\]:$`)
	// 	/home/me/my files/pipe.go:58 +0x33 fp=0xc00 sp=0xc00 pc=0x4aa
	fileLine = regexp.MustCompile(`^\t(.+):(\d+)(?: \+0x[0-9a-f]+)?(?: fp=\S+ sp=\S+ pc=\S+)?$`)
)

// ParseDump reads what the runtime prints on SIGQUIT, on a crash, or into
// debug.SetCrashOutput, in any of the styles of GOTRACEBACK. What is no stack,
// such as registers or output of the program, is skipped.
func ParseDump(dump []byte) []Goroutine {
	var all []Goroutine
	var g *Goroutine // that the lines belong to, nil outside of any
	var frame Frame  // whose file comes in the next line
	created := false

	for line := range strings.Lines(string(dump)) {
		line = strings.TrimRight(line, "\r\n")
		if m := headLine.FindStringSubmatch(line); m != nil {
			id, _ := strconv.Atoi(m[1])
			all = append(all, Goroutine{ID: id, Wait: waitReason(m[2]), Locked: strings.HasSuffix(m[2], ", locked to thread")})
			g = &all[len(all)-1]
			frame, created = Frame{}, false
			continue
		}
		if g == nil {
			continue
		}
		switch m := fileLine.FindStringSubmatch(line); {
		case line == "":
			g = nil
		case m != nil && frame.Func != "":
			frame.File = m[1]
			frame.Line, _ = strconv.Atoi(m[2])
			if created {
				g.CreatedBy = frame
			} else {
				g.Frames = append(g.Frames, frame)
			}
			frame, created = Frame{}, false
		case strings.HasPrefix(line, "created by "):
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "created by "), " in goroutine ")
			frame, created = Frame{Func: name}, true
		default:
			frame, created = parseCall(line), false
		}
	}
	return once(all)
}

// once keeps one of each goroutine. With GOTRACEBACK=crash every thread dumps
// in turn, so one that ran comes twice: at first with no stack or half of it.
// Goroutine 0 is the scheduler's, and every thread has its own.
func once(all []Goroutine) []Goroutine {
	var kept []Goroutine
	place := map[int]int{} // of each ID in kept
	for _, g := range all {
		i, twice := place[g.ID]
		switch {
		case !twice || g.ID == 0:
			place[g.ID] = len(kept)
			kept = append(kept, g)
		case len(g.Frames) > len(kept[i].Frames):
			kept[i] = g
		}
	}
	return kept
}

// waitReason drops ", 2 minutes", ", locked to thread" and "(scan)".
func waitReason(s string) string {
	s, _, _ = strings.Cut(s, ",")
	return strings.TrimSpace(strings.ReplaceAll(s, " (scan)", ""))
}

// parseCall reads "pkg/path.(*Type).Method(0x1, {0x2?, 0x3})". The arguments
// are the last pair of brackets, since names have brackets too. It returns a
// Frame without a name for a line that is no call.
func parseCall(line string) Frame {
	if !strings.HasSuffix(line, ")") || strings.HasPrefix(line, "\t") {
		return Frame{}
	}
	depth := 0
	for i := len(line) - 1; i > 0; i-- {
		switch line[i] {
		case ')':
			depth++
		case '(':
			if depth--; depth == 0 {
				return Frame{Func: line[:i], Args: line[i+1 : len(line)-1]}
			}
		}
	}
	return Frame{}
}

// Arg returns the n-th argument if the frame shows it. A question mark, which
// means that the value may be out of date, is accepted.
func (f Frame) Arg(n int) (uint64, bool) {
	args := strings.Split(f.Args, ", ")
	if n >= len(args) {
		return 0, false
	}
	v, err := strconv.ParseUint(strings.TrimSuffix(args[n], "?"), 0, 64)
	return v, err == nil
}
