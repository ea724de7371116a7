package screen_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/desk/doctor"
	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/verify"
	"ipcworkbook/harness/verdict"
)

// long is a chapter with a title and a message that are wider than most terminals.
func long() check.Result {
	title := "a claim of so many words that it needs more than the room of one line"
	return check.Result{Chapter: 3, Name: "socket", Verdict: verdict.Wrong, Note: strings.Repeat("a note ", 20), Steps: []check.Step{
		{Number: 1, Title: title, Verdict: verdict.Pass},
		{Number: 12, Title: title, Verdict: verdict.Wrong, File: "chapters/03-socket/socket.go", Line: 120,
			Message: "Recv()\n  expected: hello\n  got:      " + strings.Repeat("many words ", 20)},
	}}
}

// everything is what a learner sees in a day.
func everything(s screen.Screen) {
	s.Result(long())
	for v := range steps {
		s.Result(result(v))
	}
	s.Early(book.Chapter{Number: 3, Name: "socket"}, long().Steps[0])
	s.Early(book.Chapter{Number: 3, Name: "socket"}, long().Steps[1])
	s.Plan(verify.Plan{Rows: 460, Kept: 120, Last: 17 * time.Minute})
	s.Chapter(1, "pipe", 12, 12, "done")
	s.Chapter(10, "a chapter with a title that is long", 3, 12, "edited since")
	s.Doctor([]doctor.Finding{
		{Name: "Go", State: doctor.Good, Found: "1.26", For: "builds your code and its tests"},
		{Name: "temporary files", State: doctor.Lacking, Found: "nowhere", For: "programs and files of a step", Without: "nothing", Mend: "export TMPDIR=DIR, a folder that is yours, with a short path"},
	})
	s.Hint(book.Chapter{Number: 1}, book.Step{Number: 1, Title: "a title", Hints: []string{strings.Repeat("a hint ", 30)}}, 1, check.Step{})
}

// Nothing is wider than the terminal, if only its words are not. The last column stays
// free.
func TestNarrowTerminals(t *testing.T) {
	locale(t, "C.UTF-8")
	for _, columns := range []int{80, 60, 50, 40} {
		text := onTerminal(t, columns, func(f *os.File) { everything(screen.New(f, "task")) })
		for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r", ""), "\n") {
			words := strings.Fields(line)
			if strings.Contains(line, "task test") || strings.Contains(line, "task hint") || len(words) == 1 {
				continue // a command that is typed as it stands, or a long path
			}
			require.Less(t, utf8.RuneCountInString(line), columns, "in %d columns: %q", columns, line)
		}
		require.NotContains(t, text, "\x1b", "NO_COLOR is set")
	}
}

// A program that reads what comes out of a pipe finds each line of a message whole.
func TestAPipeGetsWholeLines(t *testing.T) {
	require.Contains(t, shown(t, long()), strings.Repeat("many words ", 19)+"many words\n")
}

// A terminal without UTF-8 gets signs in ASCII, and one that can do nothing gets plain
// lines.
func TestPlainTerminals(t *testing.T) {
	in := func(locale, kind string) string {
		t.Setenv("LC_ALL", locale)
		return onTerminal(t, 80, func(f *os.File) {
			t.Setenv("TERM", kind)
			t.Setenv("NO_COLOR", "")
			s := screen.New(f, "task")
			s.Clear()
			s.Status("Checking chapter 1 · pipe …")
			everything(s)
		})
	}
	text := in("C", "xterm")
	for _, r := range text {
		require.Less(t, r, rune(utf8.RuneSelf), "%q", text)
	}
	require.Contains(t, in("C.UTF-8", "xterm"), "\x1b[31m")
	text = in("C.UTF-8", "dumb")
	require.Contains(t, text, "✓")
	require.NotContains(t, text, "\x1b", "of a terminal that can only write")
	require.Contains(t, text, fmt.Sprintf("Checking chapter %d", 1))
}
