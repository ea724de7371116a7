// Package screen shows results to a person.
//
// The rules: one screen, the next thing last. Colour only on a terminal and
// never with NO_COLOR, and it carries no meaning of its own: a sign and a word
// say the same. Every path is relative to where the reader stands. Nothing is wider
// than a terminal of 80 columns, or than a narrower one. What goes into a file or a
// pipe is text for programs too: long lines stay whole there.
package screen

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/verdict"
)

// Screen is where results are shown.
type Screen struct {
	w        io.Writer
	task     string
	terminal bool // what is written there can be cleared, and coloured
	color    bool
	ascii    bool // signs in ASCII: the terminal shows no others
	width    int  // what the screen is made for
	room     int  // where a long line is broken; 0 keeps it whole

	// Options are how the run was asked for, beside chapter, step and seed:
	// "impl=reference race=1". The command that replays it needs them.
	Options string

	// Verbose shows all that is known of a hang. Otherwise it is what fits into a
	// small window: the claim, who is blocked, and why.
	Verbose bool
}

// New returns a screen on a file. Task is how the reader calls go-task.
func New(f *os.File, task string) Screen {
	s := To(f, task)
	if !term.IsTerminal(int(f.Fd())) {
		return s
	}
	kind := os.Getenv("TERM")
	s.terminal = kind != "" && kind != "dumb"
	s.color = s.terminal && os.Getenv("NO_COLOR") == ""
	s.ascii = !inUTF8()
	s.room = page
	if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
		s.room = columns - 1 // some terminals begin a new line behind the last column
		s.width = min(page, max(s.room, narrowest))
	}
	return s
}

// To returns a screen that is no terminal.
func To(w io.Writer, task string) Screen { return Screen{w: w, task: task, width: page} }

const (
	page      = 78 // columns
	narrowest = 24
)

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
func (s Screen) Line(format string, args ...any) { s.write(fmt.Sprintf(format+"\n", args...)) }

// write is the one way to the terminal.
func (s Screen) write(text string) {
	if s.ascii {
		text = inASCII.Replace(text)
	}
	_, _ = io.WriteString(s.w, text)
}

// inUTF8 says whether the locale's characters are UTF-8.
func inUTF8() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := os.Getenv(name); locale != "" {
			locale = strings.ToLower(locale)
			return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
		}
	}
	return false
}

// inASCII has one character for one: columns stay where they are.
var inASCII = strings.NewReplacer("·", "-", "–", "-", "»", ">", "µ", "u", "…", "~", "×", "x", "│", "|", "─", "-",
	"✓", "+", "✗", "x", "⧖", "~", "♲", "&", "▼", "v")

// Result shows a chapter: the list of its steps, then the first one that did
// not pass in full, then what to do next.
func (s Screen) Result(r check.Result) {
	passed := fmt.Sprintf("%d of %d steps", r.Passed(), len(r.Steps))
	if r.Verdict == verdict.Broken {
		passed = "does not build"
	}
	s.Line("\n%s\n", s.ends(fmt.Sprintf("Chapter %d · %s", r.Chapter, r.Name), passed))
	if r.Verdict != verdict.Broken {
		for _, step := range r.Steps {
			s.step(step)
		}
	}
	if r.Message != "" && r.Verdict != verdict.Broken {
		s.Line("")
		s.Paragraph(r.Message)
	}
	if r.Note != "" {
		s.Line("")
		s.Paragraph(r.Note)
	}
	first, failed := r.First()
	if !failed {
		all := fmt.Sprintf("All %d steps pass.", len(r.Steps))
		if len(r.Steps) == 1 {
			all = fmt.Sprintf("Step %d passes.", r.Steps[0].Number)
		}
		s.Line("\n%s", s.paint(verdict.Pass, all))
		s.then(r)
		return
	}
	s.Failure(r, first)
}

// then says what there is to do when a chapter passes.
func (s Screen) then(r check.Result) {
	if len(r.Steps) == 1 || s.Options != "" {
		return // a step alone, or not the learner's own
	}
	for _, next := range []struct{ command, what string }{
		{"bench", "how fast it is, beside others"},
		{"solution", "your version beside the reference"},
	} {
		s.Line("%s", s.fits(fmt.Sprintf("  %-34s", fmt.Sprintf("%s %s chapter=%d", s.task, next.command, r.Chapter)), next.what))
	}
	s.Line("%s", s.fits(fmt.Sprintf("  %-34s", s.task), "what is next"))
}

// fits is two texts side by side, or the first one alone if there is no room for both.
func (s Screen) fits(left, right string) string {
	if utf8.RuneCountInString(left)+utf8.RuneCountInString(right) > s.width {
		return strings.TrimRight(left, " ")
	}
	return left + right
}

// step is one line of the list. A title that is too long goes on below its beginning.
func (s Screen) step(step check.Step) {
	word := string(step.Verdict)
	if step.Verdict == verdict.Pass {
		word = ""
	}
	sign := fmt.Sprintf("  %s %2d  ", signs[step.Verdict], step.Number)
	indent := utf8.RuneCountInString(sign)
	title := pack(strings.Fields(step.Title), " ", s.width-indent-len("  ")-len(word))
	for i, line := range title {
		if i == 0 {
			line = s.ends(sign+line, word)
		} else {
			line = strings.Repeat(" ", indent) + line
		}
		s.Line("%s", s.paint(step.Verdict, line))
	}
}

// ends puts one text at the left and one at the right end of a line.
func (s Screen) ends(left, right string) string {
	if right == "" {
		return left
	}
	room := s.width - utf8.RuneCountInString(left) - utf8.RuneCountInString(right)
	return left + strings.Repeat(" ", max(2, room)) + right
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
		s.claim(step.Verdict, fmt.Sprintf("Step %d %s", step.Number, endings[step.Verdict]), step.Title)
	}
	message, more := step.Message, 0
	if step.Verdict == verdict.Hung && !s.Verbose {
		message, more = brief(message)
	}
	s.text(message, s.room)
	if more > 0 {
		all := fmt.Sprintf("%s test chapter=%d step=%d verbose=1 %s", s.task, r.Chapter, step.Number, s.Options)
		s.Line("\n  … %d lines more: %s", more, strings.TrimSpace(all))
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
		s.Line("")
		s.Paragraph(text)
		return
	case verdict.Fault:
		s.Line("")
		s.Paragraph(notYours)
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
	s.beside(edit, hint)
}

// briefLines are as many lines as a hang's text has in a small window.
const briefLines = 15

// brief is the beginning of a hang's text: whole paragraphs, of which the first two, what
// the test was doing and who is blocked, are always there. It says how many lines are
// left out.
func brief(message string) (text string, more int) {
	paragraphs := strings.Split(strings.TrimRight(message, "\n"), "\n\n")
	shown, lines := 0, 0
	for _, p := range paragraphs {
		n := strings.Count(p, "\n") + 2 // with the empty line behind it
		if shown >= 2 && lines+n > briefLines+1 {
			break
		}
		shown++
		lines += n
	}
	for _, p := range paragraphs[shown:] {
		more += strings.Count(p, "\n") + 1
	}
	if more <= 2 { // to say that something is left out takes as much room
		return message, 0
	}
	return strings.Join(paragraphs[:shown], "\n\n"), more
}

// claim is what a step or a benchmark claims, behind how it ended.
func (s Screen) claim(v verdict.Verdict, ended, title string) {
	lines := pack(strings.Fields(ended+" "+title), " ", s.width)
	text := strings.Replace(strings.Join(lines, "\n"), ended, s.paint(v, ended), 1)
	s.Line("\n%s\n", text)
}

// beside is the last line: where to edit, and a command. They stand below each other
// where there is no room for both.
func (s Screen) beside(edit, command string) {
	room := s.room
	if room == 0 {
		room = page + 1
	}
	line := strings.TrimSpace(fmt.Sprintf("%-42s   %s", edit, command))
	if edit != "" && utf8.RuneCountInString(line) > room {
		line = edit + "   " + command
	}
	if edit != "" && command != "" && utf8.RuneCountInString(line) > room {
		line = edit + "\n" + command
	}
	s.Line("\n%s", line)
}

// Text shows lines that stay as they are where they fit.
func (s Screen) Text(text string) { s.indented("", text, s.room) }

// text shows what a test or the compiler said, in so many columns; 0 is as many as it
// takes.
func (s Screen) text(text string, room int) { s.indented("  ", text, room) }

func (s Screen) indented(by, text string, room int) {
	for line := range strings.Lines(strings.TrimRight(text, "\n")) {
		line = strings.TrimRight(line, " \t\n")
		if room == 0 || utf8.RuneCountInString(by+line) <= room {
			s.Line("%s", strings.TrimRight(by+line, " "))
			continue
		}
		indent := min(len(line)-len(strings.TrimLeft(line, " ")), room/2)
		for i, part := range broken(line, room-len(by), indent) {
			s.Line("%s%*s%s", by, min(i, 1)*indent, "", part)
		}
	}
}

// broken breaks a line at blanks, into lines of so many characters. All but the first
// are to be indented.
func broken(line string, room, indent int) (lines []string) {
	for rest := []rune(line); ; {
		at := room
		if len(lines) > 0 {
			at -= indent
		}
		if len(rest) <= at {
			return append(lines, string(rest))
		}
		for at > 0 && rest[at] != ' ' {
			at--
		}
		if strings.TrimSpace(string(rest[:at])) == "" { // one word is longer than the line
			for at = len(rest) - len([]rune(strings.TrimLeft(string(rest), " "))); at < len(rest) && rest[at] != ' '; {
				at++
			}
		}
		lines = append(lines, strings.TrimRight(string(rest[:at]), " "))
		rest = []rune(strings.TrimLeft(string(rest[at:]), " "))
		if len(rest) == 0 {
			return lines
		}
	}
}

// Paragraph writes a text as lines of the screen's width.
func (s Screen) Paragraph(text string) {
	s.Line("%s", strings.Join(pack(strings.Fields(text), " ", s.width), "\n"))
}

// hanging writes a text behind a word, in lines that begin below its beginning.
func (s Screen) hanging(word, text string) {
	n := utf8.RuneCountInString(word)
	s.Line("%s%s", word, strings.Join(pack(strings.Fields(text), " ", s.width-n), "\n"+strings.Repeat(" ", n)))
}

// pack lays items side by side into lines of so many characters.
func pack(items []string, between string, most int) (lines []string) {
	for _, item := range items {
		if n := len(lines) - 1; n >= 0 && utf8.RuneCountInString(lines[n]+between+item) <= most {
			lines[n] += between + item
			continue
		}
		lines = append(lines, item)
	}
	return lines
}
