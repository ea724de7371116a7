package screen

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"ipcworkbook/harness/judge/compare"
)

// Pair shows the code of a declaration in both versions: side by side where the terminal is wide
// enough for the longest line, or else one below the other.
func (s Screen) Pair(p compare.Pair, columns int) {
	s.Line("%s", strings.Repeat("─", min(columns, page)))
	left, right := side("yours", p.Yours), side("the reference", p.Another)
	half := (columns - 3) / 2
	if p.Yours == nil || p.Another == nil || longest(left) > half || longest(right) > half {
		s.Text(strings.Join(left, "\n"))
		s.Line("")
		s.Text(strings.Join(right, "\n"))
		return
	}
	for i := range max(len(left), len(right)) {
		a, b := "", ""
		if i < len(left) {
			a = left[i]
		}
		if i < len(right) {
			b = right[i]
		}
		s.Line("%s", strings.TrimRight(fmt.Sprintf("%s%s │ %s", a, strings.Repeat(" ", half-utf8.RuneCountInString(a)), b), " "))
	}
}

// side are the lines of one version, below a heading.
func side(whose string, p *compare.Part) []string {
	if p == nil {
		return []string{whose + ": nothing of this name"}
	}
	lines := []string{fmt.Sprintf("%s, %s:%d", whose, p.File, p.Line), ""}
	for line := range strings.Lines(p.Code()) {
		lines = append(lines, strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", "  "))
	}
	return lines
}

func longest(lines []string) int {
	n := 0
	for _, line := range lines {
		n = max(n, utf8.RuneCountInString(line))
	}
	return n
}

// Columns is how wide the screen is: as wide as a printed page where it is no terminal.
func (s Screen) Columns() int {
	if s.room > 0 {
		return s.room
	}
	return page
}

// To returns this screen with what it shows going to a pager.
func (s Screen) To(w io.Writer) Screen {
	s.w = w
	return s
}

// OnTerminal says that somebody sees the screen, who cannot scroll back for ever.
func (s Screen) OnTerminal() bool { return s.terminal }
