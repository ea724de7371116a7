package screen

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"ipcworkbook/harness/book"
	"ipcworkbook/harness/check"
	"ipcworkbook/harness/verdict"
)

// barWidth is how many signs the bar of a chapter has.
const barWidth = 15

// Chapter writes one line of the list of chapters. The bar is for the eye: it says
// nothing that the figures do not say, and a screen reader is spared it.
func (s Screen) Chapter(number int, title string, passed, steps int, state string) {
	if n := utf8.RuneCountInString(title); n > 28 {
		title = string([]rune(title)[:27]) + "…"
	}
	bar := ""
	if s.terminal && steps > 0 {
		full := passed * barWidth / steps
		bar = "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "]  "
	}
	line := fmt.Sprintf("  %2d  %s%s  %s%2d of %2d steps  %s", number, title,
		strings.Repeat(" ", max(0, 28-utf8.RuneCountInString(title))), bar, passed, steps, state)
	line = strings.TrimRight(line, " ")
	if passed == steps {
		line = s.paint(verdict.Pass, line)
	}
	s.Line("%s", line)
}

// Hint shows a step's hint of a level from 1. What the run has found out comes first.
func (s Screen) Hint(step book.Step, level int, found check.Step) {
	s.Line("Step %d: %s. Hint %d of %d:\n", step.Number, step.Title, level, len(step.Hints))
	s.cause(found)
	s.Paragraph(step.Hints[level-1])
}

// cause shows what a run has found out about a step, where that is more than a hint
// can know: who waits for whom, what was left behind, where the program crashed.
func (s Screen) cause(step check.Step) {
	why := map[verdict.Verdict]string{
		verdict.Hung:    "The last run hung, and this is what was seen:",
		verdict.Crashed: "The last run crashed:",
		verdict.Residue: "The last run left something behind:",
	}[step.Verdict]
	if why == "" {
		return
	}
	s.Line("%s\n", why)
	lines := strings.Split(strings.TrimSpace(step.Message), "\n")
	for i, line := range lines {
		if i == causeLines {
			s.Line("  …")
			break
		}
		s.Line("%s", strings.TrimRight("  "+line, " "))
	}
	s.Line("")
}

// causeLines are as many as tell the cause. The whole text is what task test shows.
const causeLines = 9
