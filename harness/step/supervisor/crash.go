package supervisor

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/procfs"
	"ipcworkbook/harness/verdict"
)

// crashed explains a test binary that ended on its own: before its tests, in the
// middle of one, or after one with a status that its verdict does not explain.
func (s *step) crashed() (verdict.Finding, bool) {
	if s.ready && s.phase == "" && s.report.Code <= 1 {
		return verdict.Finding{}, false
	}
	ended := "--- FAIL: " + s.phase + " "
	if s.phase != "" && s.report.Code == 1 && bytes.Contains(s.outs.Bytes(), []byte(ended)) {
		// The test came to its end and could not say how.
		return verdict.Finding{Verdict: verdict.Crashed, Message: lostLine}, true
	}
	place := "The test's process"
	switch {
	case !s.ready:
		place = "The test's process, before any test ran (in an init function or a package variable),"
	case s.phase == "":
		place = "The test's process, after the test,"
	}
	return Crash(place, s.report.Code, s.errs.Bytes(), s.spec.Dir), true
}

// Crash says how a process of the step ended on its own, and where. Status is
// the exit status, 128+n for signal n; stderr is what the process wrote; folder
// is the chapter's. The panic and the learner's frames come first.
func Crash(who string, status int, stderr []byte, folder string) verdict.Finding {
	f := verdict.Finding{Verdict: verdict.Crashed, Message: crashText(who, status, stderr, folder)}
	f.File, f.Line = crashPlace(stderr, folder)
	return f
}

func crashText(who string, status int, stderr []byte, folder string) string {
	text := string(stderr)
	var b strings.Builder
	head, rest, found := crashHead(text)
	switch {
	case found && strings.Contains(head, "out of memory"), strings.Contains(text, "cannot allocate memory"):
		fmt.Fprintf(&b, "%s ran out of memory: %d MiB are allowed (RLIMIT_DATA).\nIs a length trusted that nobody checked?", who, maxData>>20)
	case found && strings.Contains(head, "unexpected call to os.Exit(0)"):
		fmt.Fprintf(&b, "%s called os.Exit(0) in the middle of a test.", who)
	case found && strings.Contains(head, "netpoll"):
		fmt.Fprintf(&b, "%s ended: %s\nThe Go runtime lost a descriptor of its own.\n"+
			"Does your code close descriptors that it did not open? Close only what is yours.", who, head)
	case found && damaged(head, text):
		fmt.Fprintf(&b, "%s ended: %s\nIts memory is damaged: something wrote behind the end of a variable.\n"+
			"Was the kernel given a pointer to a struct or a slice that is smaller than what it writes there?", who, head)
	case found:
		fmt.Fprintf(&b, "%s ended: %s", who, head)
	case status > 128:
		fmt.Fprintf(&b, "%s was killed by %s.", who, signalText(status-128))
		if isSent(unix.Signal(status - 128)) {
			b.WriteString("\nA signal for which nobody has asked (signal.Notify) ends a program.\n" +
				"The workbook has not sent it. Which process of the step did, and was that pid meant?")
		}
	default:
		fmt.Fprintf(&b, "%s ended by itself with exit status %d.\nDoes your code call os.Exit or log.Fatal? A package returns errors and lets its user decide.", who, status)
	}
	b.WriteString(framesText(procfs.ParseDump([]byte(rest)), folder))
	return b.String()
}

// damaged says that the runtime found a stack or a heap that no Go code can have left so, or
// that the processor went on at an address where there is no code.
func damaged(head, text string) bool {
	at := faultAt.FindStringSubmatch(text)
	return at != nil && at[1] == at[2] || strings.Contains(head, "unknown caller pc") || strings.Contains(head, "bad pointer in Go heap")
}

var faultAt = regexp.MustCompile(`\[signal SIG\w+: .* addr=(0x[0-9a-f]+) pc=(0x[0-9a-f]+)\]`)

// framesText shows the stack of the goroutine that crashed: the learner's frames
// first, those of the workbook, the test runner and the runtime last.
func framesText(all []procfs.Goroutine, folder string) string {
	if len(all) == 0 {
		return ""
	}
	// The first one is the goroutine that crashed; with GOTRACEBACK=all the
	// others follow.
	crashed := all[0]
	for _, g := range all {
		if len(learnerFrames(g, folder)) > 0 {
			crashed = g
			break
		}
	}
	var b strings.Builder
	again := 0
	frames := learnerFrames(crashed, folder)
	if len(frames) > 0 {
		b.WriteString("\n\nYour code and the test, innermost first:")
	}
	for i, f := range frames {
		if i+1 < len(frames) && f.Func == frames[i+1].Func && f.Line == frames[i+1].Line {
			again++
			continue
		}
		fmt.Fprintf(&b, "\n  %s:%d  %s", f.File, f.Line, f.Func)
		if again > 10 {
			fmt.Fprintf(&b, "\n  … and the same line %d times more: does it call itself without end?", again)
		}
		again = 0
	}
	var rest []procfs.Frame
	for _, f := range crashed.Frames {
		if !strings.HasPrefix(f.File, folder+"/") {
			rest = append(rest, f)
		}
	}
	for i, f := range rest {
		switch {
		case i == 0:
			b.WriteString("\n\nAround it, the workbook, the test runner and the runtime:")
		case i == mostFrames:
			fmt.Fprintf(&b, "\n  … and %d more", len(rest)-i)
			return b.String()
		}
		fmt.Fprintf(&b, "\n  %s  (%s:%d)", filepath.Base(f.Func), filepath.Base(f.File), f.Line)
	}
	return b.String()
}

// mostFrames is how many frames are shown that are not the learner's.
const mostFrames = 6

// crashHead finds the line with which the runtime announces a crash.
func crashHead(text string) (head, rest string, found bool) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			_, rest, _ = strings.Cut(text, line)
			// testing recovers a panic and panics again; that is no news.
			head, _, _ = strings.Cut(strings.TrimSpace(line), " [recovered")
			return head, rest, true
		}
	}
	return "", "", false
}

func learnerFrames(g procfs.Goroutine, folder string) []procfs.Frame {
	var frames []procfs.Frame
	for _, f := range g.Frames {
		if strings.HasPrefix(f.File, folder+"/") {
			frames = append(frames, f)
		}
	}
	return frames
}

// crashPlace returns the innermost frame of the learner's own code in a crash.
func crashPlace(stderr []byte, folder string) (file string, line int) {
	_, rest, found := crashHead(string(stderr))
	if !found {
		return "", 0
	}
	for _, g := range procfs.ParseDump([]byte(rest)) {
		for _, f := range learnerFrames(g, folder) {
			if !strings.HasSuffix(f.File, "_test.go") {
				return f.File, f.Line
			}
		}
	}
	return "", 0
}

// signalText names a signal as a learner looks it up.
func signalText(n int) string {
	return procfs.SignalName(unix.Signal(n))
}

// isSent reports whether a signal is one that comes from another process or from code that
// means to send it: no fault, and no limit, is told so.
func isSent(n unix.Signal) bool {
	switch n {
	case unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2:
		return true
	}
	return n >= 32
}
