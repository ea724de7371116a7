package screen

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/verdict"
)

// barWidth is how many signs the bar of a chapter has.
const barWidth = 10

// Chapter writes one line of the list of chapters. The bar is for the eye: it says
// nothing that the figures do not say, and a screen reader is spared it, as is a
// narrow terminal.
func (s Screen) Chapter(number int, title string, passed, steps int, state string) {
	bar, room, far := "", 28, fmt.Sprintf("%2d of %2d steps", passed, steps)
	if s.width < page {
		if s.width < 50 {
			far = strings.TrimSuffix(far, " steps")
		}
		room = max(8, s.width-len("  10    "+far+"  edited since"))
	} else if s.terminal && steps > 0 {
		full := passed * barWidth / steps
		bar = "[" + strings.Repeat("#", full) + strings.Repeat(".", barWidth-full) + "]  "
	}
	title = cut(title, room)
	line := fmt.Sprintf("  %2d  %s%s  %s%s  %s", number, title,
		strings.Repeat(" ", room-utf8.RuneCountInString(title)), bar, far, state)
	line = strings.TrimRight(line, " ")
	if passed == steps {
		line = s.paint(verdict.Pass, line)
	}
	s.Line("%s", line)
}

// Hint shows a step's hint of a level from 1. What the run has found out comes first.
func (s Screen) Hint(c book.Chapter, step book.Step, level int, found check.Step) {
	s.Paragraph(fmt.Sprintf("Chapter %d, step %d: %s", c.Number, step.Number, step.Title))
	s.Line("")
	s.cause(found)
	s.Line("Hint %d of %d:\n", level, len(step.Hints))
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
	text, more := brief(strings.TrimSpace(step.Message))
	if more > 0 {
		text += "\n\n…"
	}
	s.text(text, s.room)
	s.Line("")
	s.Paragraph(whereToBegin[step.Verdict])
	s.Line("")
}

// whereToBegin leads from what was seen to the mend, without the answer.
var whereToBegin = map[verdict.Verdict]string{
	verdict.Hung: "Begin at the line that is named there. What does it wait for, which process could bring that, and what keeps " +
		"that process from it?",
	verdict.Crashed: "Begin at the first line that is yours. Which value was another one than you thought, and where did it come from?",
	verdict.Residue: "Begin where it is made. Follow each way out of that function, and out of the one that calls it: " +
		"on which one does nobody close it, wait for it or remove it?",
}

// Early shows the step that was run before all others, while those still run.
func (s Screen) Early(c book.Chapter, step check.Step) {
	chapter, still := fmt.Sprintf("Chapter %d · %s", c.Number, c.Name), "the other steps still run"
	if utf8.RuneCountInString(chapter+"  "+still) > s.width {
		still = ""
	}
	s.Line("\n%s", s.ends(chapter, still))
	if step.Verdict == verdict.Pass {
		s.claim(verdict.Pass, fmt.Sprintf("Step %d passes now:", step.Number), step.Title)
		return
	}
	s.Failure(check.Result{Chapter: c.Number, Name: c.Name, Verdict: step.Verdict}, step)
}
