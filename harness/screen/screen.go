// Package screen shows results to a person.
//
// The rules: one screen, the next thing last. Colour only on a terminal and
// never with NO_COLOR, and it carries no meaning of its own: a sign and a word
// say the same. Every path is relative to where the reader stands.
package screen

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"ipcworkbook/harness/check"
	"ipcworkbook/harness/verdict"
)

// Screen is where results are shown.
type Screen struct {
	w        io.Writer
	terminal bool
	color    bool
	task     string
	columns  int // of a terminal; 0 where it is none

	// Options are how the run was asked for, beside chapter, step and seed:
	// "impl=reference race=1". The command that replays it needs them.
	Options string
}

// New returns a screen on a file. Task is how the reader calls go-task.
func New(f *os.File, task string) Screen {
	s := Screen{w: f, task: task, terminal: term.IsTerminal(int(f.Fd()))}
	s.color = s.terminal && os.Getenv("NO_COLOR") == ""
	if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
		s.columns = columns
	}
	return s
}

// To returns a screen that is no terminal.
func To(w io.Writer, task string) Screen { return Screen{w: w, task: task} }

const width = 78

var signs = map[verdict.Verdict]string{
	verdict.Pass: "✓", verdict.Todo: "·", verdict.Wrong: "✗", verdict.Hung: "⧖", verdict.Crashed: "!",
	verdict.Residue: "♲", verdict.Unsupported: "–", verdict.Broken: "#", verdict.Fault: "?", verdict.Slow: "▼",
}

var colors = map[verdict.Verdict]string{
	verdict.Pass: "32", verdict.Todo: "2", verdict.Unsupported: "33", verdict.Fault: "35",
}

func (s Screen) paint(v verdict.Verdict, text string) string {
	if !s.color {
		return text
	}
	code := colors[v]
	if code == "" {
		code = "31"
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Line writes one line.
func (s Screen) Line(format string, args ...any) { fmt.Fprintf(s.w, format+"\n", args...) }

// Result shows a chapter: the list of its steps, then the first one that did
// not pass in full, then what to do next.
func (s Screen) Result(r check.Result) {
	passed := fmt.Sprintf("%d of %d steps", r.Passed(), len(r.Steps))
	heading := fmt.Sprintf("Chapter %d · %s", r.Chapter, r.Name)
	s.Line("\n%s%*s\n", heading, width-utf8.RuneCountInString(heading), passed)
	if r.Verdict != verdict.Broken {
		for _, step := range r.Steps {
			s.step(step)
		}
	}
	if r.Message != "" && r.Verdict != verdict.Broken {
		s.Line("\n%s", wrap(r.Message))
	}
	if r.Note != "" {
		s.Line("\n%s", wrap(r.Note))
	}
	first, failed := r.First()
	if !failed {
		all := fmt.Sprintf("All %d steps pass.", len(r.Steps))
		if len(r.Steps) == 1 {
			all = fmt.Sprintf("Step %d passes.", r.Steps[0].Number)
		}
		s.Line("\n%s", s.paint(verdict.Pass, all))
		return
	}
	s.Failure(r, first)
}

func (s Screen) step(step check.Step) {
	word := string(step.Verdict)
	if step.Verdict == verdict.Pass {
		word = ""
	}
	line := fmt.Sprintf("  %s %2d  %s", signs[step.Verdict], step.Number, step.Title)
	if pad := width - utf8.RuneCountInString(line) - len(word); word != "" && pad > 0 {
		line += strings.Repeat(" ", pad) + word
	} else if word != "" {
		line += "  " + word
	}
	s.Line("%s", s.paint(step.Verdict, line))
}

var endings = map[verdict.Verdict]string{
	verdict.Todo:        "is next:",
	verdict.Wrong:       "is wrong:",
	verdict.Hung:        "hung:",
	verdict.Crashed:     "crashed:",
	verdict.Residue:     "left something behind:",
	verdict.Unsupported: "cannot run on this machine:",
	verdict.Fault:       "met an error of the workbook itself, not yours:",
}

// Failure shows one step in full.
func (s Screen) Failure(r check.Result, step check.Step) {
	if r.Verdict == verdict.Broken {
		s.Line("%s\n", s.paint(verdict.Broken, "The package does not build:"))
	} else {
		s.Line("\n%s %s\n", s.paint(step.Verdict, fmt.Sprintf("Step %d %s", step.Number, endings[step.Verdict])), step.Title)
	}
	for line := range strings.Lines(step.Message) {
		if strings.TrimSpace(line) == "" {
			s.Line("")
			continue
		}
		s.Line("  %s", strings.TrimRight(line, "\n"))
	}
	if step.Seed != 0 {
		again := fmt.Sprintf("%s test chapter=%d step=%d seed=%d %s", s.task, r.Chapter, step.Number, step.Seed, s.Options)
		s.Line("\nAgain: %s", strings.TrimSpace(again))
	}
	switch step.Verdict {
	case verdict.Unsupported:
		text := "Nothing of yours is wrong here."
		if r.Verdict == verdict.Unsupported && r.Passed() > 0 {
			text += " All other steps pass."
		}
		s.Line("\n%s", text)
		return
	case verdict.Fault:
		s.Line("\nNothing of yours is wrong here. Please report this, with the lines above.")
		return
	}
	edit := ""
	if step.File != "" {
		edit = "Edit " + step.File
		if step.Line > 0 {
			edit += fmt.Sprintf(":%d", step.Line)
		}
	}
	hint := fmt.Sprintf("Hint: %s hint chapter=%d step=%d", s.task, r.Chapter, step.Number)
	if r.Verdict == verdict.Broken {
		hint = ""
	}
	s.Line("\n%s", strings.TrimRight(fmt.Sprintf("%-42s%s", edit, "   "+hint), " "))
}

// wrap breaks a text into lines of the screen's width.
func wrap(text string) string { return wrapTo(width, text) }

// hanging writes a text behind a word, in lines that begin below its beginning.
func (s Screen) hanging(word, text string) {
	n := utf8.RuneCountInString(word)
	s.Line("%s%s", word, strings.ReplaceAll(wrapTo(width-n, text), "\n", "\n"+strings.Repeat(" ", n)))
}

func wrapTo(width int, text string) string {
	var b strings.Builder
	n := 0
	for _, word := range strings.Fields(text) {
		if n > 0 && n+1+utf8.RuneCountInString(word) > width {
			b.WriteString("\n")
			n = 0
		} else if n > 0 {
			b.WriteString(" ")
			n++
		}
		b.WriteString(word)
		n += utf8.RuneCountInString(word)
	}
	return b.String()
}

// Paragraph writes a text as lines of the screen's width.
func (s Screen) Paragraph(text string) { s.Line("%s", wrap(text)) }
