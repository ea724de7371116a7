package screen_test

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/desk/screen"
)

// rounds runs through three rounds of two benchmarks.
func rounds(p *screen.Progress) {
	left := 120 * time.Second
	for _, name := range []string{"Transfer/1KiB", "Transfer/64KiB"} {
		for round := range 3 {
			for _, who := range []string{"yours", "reference", "python"} {
				p.Step(fmt.Sprintf("round %d of 3 · %s · %s", round+1, name, who), left)
				left -= 6 * time.Second
			}
		}
	}
}

// drawn is every line that a terminal of so many columns showed, and what stood
// there in the end. A line that does not fit or that goes to a second one fails.
func drawn(t *testing.T, columns int, run func(*screen.Progress)) (lines []string, end string) {
	t.Helper()
	text := onTerminal(t, columns, func(f *os.File) { run(screen.NewProgress(f, 18)) })
	require.NotContains(t, text, "\n", "a second line")

	cells, at := make([]rune, columns), 0
	for text != "" {
		if rest, ok := strings.CutPrefix(text, "\x1b[K"); ok {
			clear(cells[at:])
			lines, text = append(lines, shownIn(cells)), rest
			continue
		}
		r, n := utf8.DecodeRuneInString(text)
		text = text[n:]
		if r == '\r' {
			at = 0
			continue
		}
		require.GreaterOrEqual(t, r, ' ', "a control character in %q", lines)
		require.Less(t, at, columns-1, "the last column is written to after %q", shownIn(cells))
		cells[at] = r
		at++
	}
	require.Equal(t, 0, at, "where the cursor is in the end")
	return lines, shownIn(cells)
}

func shownIn(cells []rune) string {
	return strings.TrimRight(strings.ReplaceAll(string(cells), "\x00", " "), " ")
}

func TestProgressIsOneLineThatGoesAway(t *testing.T) {
	for columns, want := range map[int][]string{
		80: {"[              ] round 1 of 3 · Transfer/1KiB · yours · about 2 min left", "[███████       ] round 1 of 3 · Transfer/64KiB · yours · about 66 s left"},
		60: {"[        ] round 1 of 3 · Transfer/1KiB · yours · 2 min", "[████    ] round 1 of 3 · Transfer/64KiB · yours · 66 s"},
		40: {"round 1 of 3 · Transfer/1KiB · yours", "round 1 of 3 · Transfer/64KiB · yours"},
		20: {"round 1 of 3 · Tra…", "round 1 of 3 · Tra…"},
		1:  {"", ""},
	} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			locale(t, "C.UTF-8")
			lines, end := drawn(t, columns, func(p *screen.Progress) { rounds(p); p.Done(); p.Done() })
			require.Len(t, lines, 18+1, "each step, and the end")
			assert.Equal(t, want[0], lines[0])
			assert.Equal(t, want[1], lines[9])
			assert.Empty(t, end)
		})
	}
}

func TestProgressFollowsTheTerminalsWidth(t *testing.T) {
	locale(t, "C.UTF-8")
	ours, theirs, err := pty.Open()
	require.NoError(t, err)
	defer ours.Close()
	defer theirs.Close()
	read := func() string {
		text := make([]byte, 1024)
		n, err := ours.Read(text)
		require.NoError(t, err)
		return string(text[:n])
	}
	p := screen.NewProgress(theirs, 2)
	for _, columns := range []uint16{80, 30} {
		require.NoError(t, pty.Setsize(theirs, &pty.Winsize{Rows: 24, Cols: columns}))
		p.Step("round 1 of 1 · Transfer/1KiB · reference", time.Second)
		require.Less(t, utf8.RuneCountInString(strings.Trim(read(), "\r\x1b[K")), int(columns))
	}
}

func TestProgressInALocaleWithoutUTF8IsASCII(t *testing.T) {
	locale(t, "C")
	lines, _ := drawn(t, 80, func(p *screen.Progress) { rounds(p); p.Done() })
	require.Equal(t, "[#######       ] round 1 of 3 - Transfer/64KiB - yours - about 66 s left", lines[9])
}

func TestNothingIsShownAfterTheEnd(t *testing.T) {
	locale(t, "C.UTF-8")
	lines, end := drawn(t, 80, func(p *screen.Progress) { p.Done(); rounds(p) })
	require.Empty(t, lines)
	require.Empty(t, end)
}

// A log gets a line for each benchmark, and no control characters.
func TestProgressInALog(t *testing.T) {
	locale(t, "C.UTF-8")
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	p := screen.NewProgress(w, 18)
	rounds(p)
	p.Done()
	require.NoError(t, w.Close())
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "Transfer/1KiB: about 2 min left in all\nTransfer/64KiB: about 66 s left in all\n", string(text))
}

// A terminal that cannot go back in a line gets what a log gets.
func TestProgressOnADumbTerminal(t *testing.T) {
	locale(t, "C.UTF-8")
	t.Setenv("TERM", "dumb")
	got := onTerminal(t, 40, func(f *os.File) {
		p := screen.NewProgress(f, 18)
		rounds(p)
		p.Done()
	})
	require.Equal(t, "Transfer/1KiB: about 2 min left in all\r\nTransfer/64KiB: about 66 s left in all\r\n", got)
}
