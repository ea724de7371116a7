package screen_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/desk/doctor"
	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/gauge"
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

// allMechanisms has one that is far ahead, and one that lacks all but one work.
func allMechanisms() gauge.Side {
	of := func(seconds float64) gauge.Measure {
		return gauge.Measure{Median: seconds, Ratio: 1e-6 / seconds, RatioLow: 0.9e-6 / seconds, RatioHigh: 1.1e-6 / seconds}
	}
	works := []gauge.SideWork{{Name: "64 B", Size: 64}, {Name: "1 KiB", Size: 1 << 10}, {Name: "64 KiB", Size: 64 << 10}, {Name: "there and back", Size: 1}}
	r := gauge.Side{Works: works, Rounds: 10, Notes: []string{strings.Repeat("a note ", 20)}, Partial: "Stopped after 3 of 10 rounds."}
	for name, seconds := range map[string]float64{"pipe": 1e-6, "socket, packets": 3.62e-6, "ring in memory": 78e-9} {
		m := gauge.SideMechanism{Name: name, Chapter: 1, Code: gauge.Reference, StartUp: 3e-3, Measured: map[string]gauge.Measure{}}
		for _, w := range works {
			m.Measured[w.Name] = of(seconds)
		}
		r.Mechanisms = append(r.Mechanisms, m)
	}
	slices.SortFunc(r.Mechanisms, func(a, b gauge.SideMechanism) int { return strings.Compare(a.Name, b.Name) })
	r.Mechanisms = append(r.Mechanisms, gauge.SideMechanism{Name: "signal", Chapter: 6, Code: gauge.Yours,
		Measured: map[string]gauge.Measure{"there and back": of(9e-6)}, Lacks: map[string]string{"64 B": "no bytes", "1 KiB": "no bytes", "64 KiB": "no bytes"}})
	return r
}

// All mechanisms: the fastest first, in the table and in the chart, and who has no figure last.
func TestAllMechanismsOnTheScreen(t *testing.T) {
	locale(t, "C.UTF-8")
	text := onTerminal(t, 80, func(f *os.File) { screen.New(f, "task").Side(allMechanisms()) })
	require.Regexp(t, `(?s)Not complete.*ring in memory .*pipe .*socket, packets .*signal .*n/a .*9.00 µs.*Messages of 1 KiB.*ring in memory .*» .*pipe .*socket, packets`, text)
	require.Contains(t, text, "signal: no bytes")
	require.Contains(t, text, "Whose code, by chapter: yours 6; reference 1.")
	require.NotRegexp(t, `(?s)Messages of 1 KiB.*signal +[█#]`, text, "a bar of what was not measured")
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
	s.Side(allMechanisms())
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
