package screen_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/verify"
)

// A row says how it was proven: now and how long that took, or in an earlier run; and what
// is unstable is not called proven.
func TestRowsOfTheLaws(t *testing.T) {
	proven := time.Date(2026, 11, 28, 21, 10, 0, 0, time.Local)
	for _, c := range []struct {
		row   verify.Row
		words []string
		not   string
	}{
		{verify.Row{Chapter: "01-pipe", Law: 3, What: "a", Saw: "step 1 wrong", Took: 2 * time.Second}, []string{"✓ 01-pipe", "3 rejects a", "step 1 wrong   2.00 s"}, "kept"},
		{verify.Row{Chapter: "01-pipe", Law: 3, What: "a", Saw: "step 1 wrong", Kept: proven}, []string{"✓ 01-pipe", "kept 2026-11-28 21:10"}, " s\n"},
		{verify.Row{Chapter: "01-pipe", Law: 3, What: "a", Saw: "step 1 wrong", Unstable: true, Problem: "unstable: with seed 1 it fails"}, []string{"✗ 01-pipe", "unstable\n", "with seed 1 it fails"}, "✓"},
		{verify.Row{Chapter: "01-pipe", Law: 2, What: "a", Skipped: "no C compiler"}, []string{"– 01-pipe", "skipped: no C compiler"}, "✓"},
	} {
		var b strings.Builder
		screen.To(&b, "task").Law(c.row)
		for _, word := range c.words {
			require.Contains(t, b.String(), word)
		}
		require.NotContains(t, b.String(), c.not)
	}
	var b strings.Builder
	screen.To(&b, "task").Plan(verify.Plan{Rows: 460})
	require.Equal(t, "460 rows are to be proven.\n\n", b.String())
	b.Reset()
	screen.To(&b, "task").Plan(verify.Plan{Rows: 1})
	require.Equal(t, "1 row is to be proven.\n\n", b.String())
	b.Reset()
	screen.To(&b, "task").Plan(verify.Plan{Rows: 460, Kept: 459, Last: 16 * time.Minute})
	require.Contains(t, strings.ReplaceAll(b.String(), "\n", " "), "459 of them were proven on this machine for the same files, and are kept; all of them took 16 min the last time.")
}

// Of hundreds of rows those that fail are out of sight at the end: they are shown once more.
func TestWhatFailedAtTheEnd(t *testing.T) {
	var rows []verify.Row
	for range 20 {
		rows = append(rows, verify.Row{Chapter: "01-pipe", Law: 3, What: "holds", Saw: "step 1 wrong"})
	}
	shown := func() string {
		var b strings.Builder
		screen.To(&b, "task").Failed(rows)
		return b.String()
	}
	require.Empty(t, shown())
	for range 7 {
		rows = append(rows, verify.Row{Chapter: "02-file", Law: 4, What: "other/plain", Problem: "step 3 hung:\nthe reason"})
	}
	text := shown()
	require.NotContains(t, text, "holds\n")
	require.Equal(t, 7, strings.Count(text, "Again: task verify row='02-file/other/plain'"))
	require.Equal(t, 5, strings.Count(text, "        the reason\n"))
	rows = rows[17:]
	require.Empty(t, shown(), "so few are still on the screen")
}
