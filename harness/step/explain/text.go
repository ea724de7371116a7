package explain

import (
	"fmt"
	"slices"
	"strings"
)

// text is the explanation as it grows: an opening line, the first paragraph with its
// advice, the other paragraphs, short lines together, and at last the other advice, each
// piece of it once. A small window shows no more than who is blocked first, and why.
type text struct {
	opening    string
	paragraphs [][]string
	shorts     []string
	cause      [][]string // the advice up to the first paragraph
	advice     [][]string
}

func (t *text) paragraph(lines []string) {
	if len(lines) > 0 {
		t.paragraphs = append(t.paragraphs, lines)
	}
}

func (t *text) short(s string) { t.shorts = append(t.shorts, s) }

func (t *text) advise(lines []string) {
	known := slices.ContainsFunc(slices.Concat(t.cause, t.advice), func(a []string) bool { return slices.Equal(a, lines) })
	switch {
	case len(lines) == 0 || known:
	case len(t.paragraphs) <= 1:
		t.cause = append(t.cause, lines)
	default:
		t.advice = append(t.advice, lines)
	}
}

func (t *text) String() string {
	first := min(1, len(t.paragraphs))
	blocks := slices.Concat(t.paragraphs[:first], t.cause, t.paragraphs[first:], [][]string{t.shorts}, t.advice)
	var b strings.Builder
	b.WriteString(t.opening)
	for _, lines := range blocks {
		for i, line := range lines {
			if i == 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "\n  %s", line)
		}
	}
	return b.String()
}
