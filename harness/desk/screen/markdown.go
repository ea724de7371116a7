package screen

import (
	"regexp"
	"strings"
)

var (
	listItem  = regexp.MustCompile(`^(\s*(?:[-*+]|\d+[.)])\s+)(.*)$`)
	fenceMark = regexp.MustCompile("^\\s*(```|~~~)")
	linked    = regexp.MustCompile(`\[([^\]]+)\]\([^)]*\)`)
	strong    = regexp.MustCompile(`\*\*([^*]+)\*\*`)
)

// Markdown shows a part of a lesson as a terminal can: its paragraphs in lines of the
// screen's width, code as it stands, and no comments. It knows what lessons are made of,
// and is no Markdown parser.
func (s Screen) Markdown(text string) {
	var paragraph []string
	head := ""
	flush := func() {
		if len(paragraph) > 0 {
			s.hanging(head, plain(strings.Join(paragraph, " ")))
		}
		paragraph, head = nil, ""
	}
	inCode, empty := false, true
	for line := range strings.Lines(strings.TrimSpace(text)) {
		line = strings.TrimRight(line, "\n")
		switch m := listItem.FindStringSubmatch(line); {
		case fenceMark.MatchString(line):
			flush()
			inCode = !inCode
		case inCode:
			s.indented("    ", line+"\n", s.room)
			empty = false
		case strings.TrimSpace(line) == "":
			flush()
			if !empty {
				s.Line("")
			}
			empty = true
		case strings.HasPrefix(line, "<!--") || strings.HasPrefix(line, "<details>") || line == "</details>":
			flush()
		case strings.HasPrefix(line, "|"):
			flush()
			s.indented("  ", plain(line), s.room)
			empty = false
		case m != nil:
			flush()
			head, paragraph, empty = m[1], []string{m[2]}, false
		default:
			paragraph, empty = append(paragraph, strings.TrimSpace(line)), false
		}
	}
	flush()
}

// plain is a text without the marks that a terminal does not show: a link is its text.
func plain(text string) string {
	return strong.ReplaceAllString(linked.ReplaceAllString(text, "$1"), "$1")
}
