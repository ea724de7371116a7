package words

import (
	"regexp"
	"strings"
)

// varying is all that may differ between two runs of one command. Keep it
// small: what stands here is not proved.
var varying = []struct {
	pattern *regexp.Regexp
	instead string
}{
	// The kernel's numbers for processes and for what descriptors refer to.
	{regexp.MustCompile(`\bpid[ =]\d+`), "pid PID"},
	{regexp.MustCompile(`\bfd \d+`), "fd N"}, // more are open where more were inherited
	{regexp.MustCompile(`\b(pipe|socket):\[\d+\]`), "$1:[INODE]"},
	// Rates and durations. A column is as wide as its longest number, so the
	// blanks around a number differ with it.
	{regexp.MustCompile(` *\b\d[\d,]*(\.\d+)? ?([kKMGT]i?)?B/s *`), " RATE "},
	{regexp.MustCompile(` *\b\d[\d,]*(\.\d+)? ?messages/s *`), " RATE "},
	{regexp.MustCompile(` *\b(\d+h)?(\d+m)?\d[\d,]*(\.\d+)? ?(ns|µs|us|ms|s)\b *`), " DURATION "},
	// Random names, as os.MkdirTemp makes them.
	{regexp.MustCompile(`\b(workbook|ipc)-\d+-[0-9a-f]+\b`), "RANDOM"},
	{regexp.MustCompile(`\b[a-z]+[-.]\d{6,}(/t\d{6,})?\b`), "RANDOM"},
}

// normal replaces what differs from run to run by words.
func normal(lines []string) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		for _, v := range varying {
			line = v.pattern.ReplaceAllString(line, v.instead)
		}
		out[i] = strings.TrimSpace(line)
		// Blanks at the start mean something, unless a number stood there.
		if indent := len(lines[i]) - len(strings.TrimLeft(lines[i], " ")); !startsVarying(out[i]) {
			out[i] = strings.Repeat(" ", indent) + out[i]
		}
	}
	return out
}

func startsVarying(line string) bool {
	return strings.HasPrefix(line, "RATE") || strings.HasPrefix(line, "DURATION")
}

// machine is what the workbook says of a machine that refuses namespaces. It is
// true there only, and no part of what is shown.
var machine = regexp.MustCompile(`(?s)Steps run without namespaces of their own here \(.*?its\s+maker\.\n\n`)

// tidy removes what nobody sees: blanks at the ends of lines and empty lines at
// both ends.
func tidy(out string) []string {
	lines := strings.Split(machine.ReplaceAllString(out, ""), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t\r")
	}
	for len(lines) > 0 && lines[0] == "" {
		lines = lines[1:]
	}
	for len(lines) > 0 && lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}
