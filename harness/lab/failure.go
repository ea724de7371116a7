package lab

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"ipcworkbook/harness/todo"
	"ipcworkbook/harness/verdict"
)

// failure is what a learner is told: what was called, what was expected, what
// came, and the likeliest reason, in that order.
type failure struct {
	Verdict verdict.Verdict
	Call    string   // what was called
	Detail  []string // what was expected and what came
	Reason  string   // the likeliest reason
	Beside  []string // what else happened: processes that ended with an error
	At      string   // the test's own line
	File    string   // the learner's line, if it is known
	Line    int
}

func (f failure) finding() verdict.Finding {
	if reason := f.fromError(); reason != "" {
		f.Reason = reason
	}
	text := f.text()
	found := verdict.Finding{Verdict: f.Verdict, Message: text, File: f.File, Line: f.Line}
	if e, ok := todo.In(text); ok && f.Verdict == verdict.Wrong {
		found.Verdict, found.File, found.Line = verdict.Todo, e.File, e.Line
	}
	return found
}

func (f failure) text() string {
	var b strings.Builder
	fmt.Fprint(&b, f.Call)
	if f.At != "" {
		fmt.Fprintf(&b, "   (%s)", f.At)
	}
	for _, d := range f.Detail {
		fmt.Fprint(&b, "\n  ", strings.ReplaceAll(d, "\n", "\n  "))
	}
	for _, beside := range f.Beside {
		fmt.Fprint(&b, "\n  ", strings.ReplaceAll(beside, "\n", "\n  "))
	}
	if f.Reason != "" {
		first, size := utf8.DecodeRuneInString(f.Reason)
		fmt.Fprintf(&b, "\n\n%c%s", unicode.ToUpper(first), f.Reason[size:])
	}
	return b.String()
}

// A failure of testify is a list of labelled sections:
//
//	\tError:      \tNot equal:
//	\t            \texpected: "a"
//	\tMessages:   \tRecv(): was one Read taken for one message?
var (
	section = lazily(`^\t([A-Z][A-Za-z ]*):\s*\t(.*)$`)
	more    = lazily(`^\t {4,}\t(.*)$`)
)

// lazily compiles a pattern when it is asked for. A step starts many processes, and most
// of them end without a failure.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// plain are the one-line failures of testify that a step may show, and how they
// are said here. Group 0 of want is nothing but the words before it.
var plain = []struct {
	testify   func() *regexp.Regexp
	expected  string
	want, got int // groups
}{
	{lazily(`^Should be zero, but was ()(.*)$`), "0", 1, 2},
	{lazily(`^Should not be zero, but was ()(.*)$`), "more than 0", 1, 2},
	{lazily(`^Should be true()()$`), "true", 1, 2},
	{lazily(`^Expected nil, but got: ()&?(\*?[\w.]+)\{.*$`), "nil", 1, 2},
	{lazily(`^Should NOT be empty, but was ()(.*)$`), "something", 1, 2},
	{lazily(`^Error (".*") does not contain (".*")$`), "an error with the text ", 2, 1},
	{lazily(`^"(.*)" is not less than "(.*)"$`), "less than ", 2, 1},
	{lazily(`^"(.*)" is not greater than or equal to "(.*)"$`), "at least ", 2, 1},
	{lazily(`^(.*) should not contain (".*")$`), "something without ", 2, 1},
}

// alike says what two errors of the same text have apart.
const alike = "It has the same words, and yet it is another error: errors.Is does not find the expected one in it.\n" +
	"Return that very error, or wrap it with %w."

const (
	maxLines = 14  // of detail
	maxLine  = 160 // bytes of one of them
)

// parse turns a failure of testify into one of ours.
func parse(text string) failure {
	sections := map[string][]string{}
	label := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if m := section().FindStringSubmatch(line); m != nil {
			label = m[1]
			sections[label] = []string{m[2]}
		} else if m := more().FindStringSubmatch(line); m != nil && label != "" {
			sections[label] = append(sections[label], m[1])
		}
	}
	f := failure{Verdict: verdict.Wrong}
	if len(sections) == 0 {
		f.Call = strings.TrimSpace(text)
		return f
	}
	f.Call, f.Reason, _ = strings.Cut(strings.Join(sections["Messages"], "\n"), ": ")
	f.Detail = detail(sections["Error"])
	if first := strings.Join(sections["Error"], "\n"); strings.HasPrefix(first, "Target error should be in err chain:") {
		f.compareErrors()
	}
	return f
}

// compareErrors gives the reason for two errors that read alike and are not.
func (f *failure) compareErrors() {
	if len(f.Detail) != 2 {
		return
	}
	_, want, _ := strings.Cut(f.Detail[0], ":")
	_, came, _ := strings.Cut(f.Detail[1], ":")
	if sameWords(came, strings.Trim(want, ` "`)) {
		f.Reason = alike
	}
}

// sameWords says that the text of an error has all the words of another one, and none before them
// that makes them mean something else: "unexpected EOF" is not "EOF".
func sameWords(came, want string) bool {
	for from := 0; want != ""; from += len(want) {
		at := strings.Index(came[from:], want)
		if at < 0 {
			break
		}
		from += at
		if before := strings.TrimRight(came[:from], ` "(`); before == "" || strings.HasSuffix(before, ":") || strings.HasSuffix(before, "\n") {
			return true
		}
	}
	return false
}

// detail says in two lines what testify says in its own way, where it can.
func detail(lines []string) []string {
	if len(lines) == 0 {
		return nil
	}
	first, rest := strings.TrimSpace(lines[0]), lines[1:]
	var out []string
	switch {
	case first == "Received unexpected error:":
		out = append(out, "expected: no error")
		for i, line := range rest {
			out = append(out, map[bool]string{true: "got:      ", false: "          "}[i == 0]+line)
		}
	case first == "An error is expected but got nil.":
		out = []string{"expected: an error", "got:      no error"}
	case strings.HasPrefix(first, "Expected error with ") && strings.HasSuffix(first, " in chain but got nil."):
		want := strings.TrimSuffix(strings.TrimPrefix(first, "Expected error with "), " in chain but got nil.")
		out = []string{"expected: " + want, "got:      no error"}
	case strings.HasPrefix(first, "Target error should be in err chain:"),
		strings.HasPrefix(first, "Expected error with"):
		out = got(rest)
	case first == "Not equal:":
		out = got(cutDiff(rest))
	default:
		out = append([]string{first}, cutDiff(rest)...)
		for _, p := range plain {
			if m := p.testify().FindStringSubmatch(first); m != nil {
				out = []string{"expected: " + p.expected + m[p.want], "got:      " + m[p.got]}
			}
		}
	}
	for i, line := range out {
		if len(line) > maxLine {
			out[i] = line[:maxLine] + fmt.Sprintf("… (%d bytes more)", len(line)-maxLine)
		}
	}
	if len(out) > maxLines {
		out = append(out[:maxLines], "…")
	}
	return out
}

// whole puts lines that are known as a whole in the place of those that were cut.
func (f *failure) whole(text string) {
	for i, line := range f.Detail {
		label, start := "", line
		if came, ok := strings.CutPrefix(line, "got:      "); ok {
			label, start = "got:      ", came
		}
		start, _, cut := strings.Cut(start, "… (")
		if !cut {
			continue
		}
		for known := range strings.Lines(text) {
			if strings.HasPrefix(known, start) {
				f.Detail[i] = label + strings.TrimSuffix(known, "\n")
			}
		}
	}
}

// got calls what came by one name, whatever testify calls it.
func got(lines []string) []string {
	var out []string
	for _, line := range lines {
		if strings.HasPrefix(line, "\t") {
			continue // errors inside the one that came: its text has them
		}
		for _, name := range []string{"actual  : ", "in chain: "} {
			if rest, ok := strings.CutPrefix(line, name); ok {
				line = "got:      " + rest
			}
		}
		if strings.TrimSpace(line) != "" {
			out = append(out, line)
		}
	}
	return out
}

func cutDiff(lines []string) []string {
	for i, line := range lines {
		if strings.HasPrefix(line, "Diff:") {
			return lines[:i]
		}
	}
	return lines
}
