package explain

import (
	"fmt"
	"slices"
	"strings"
)

// text is the explanation as it grows: an opening line, paragraphs, short
// lines together, and at last the advice, each piece of it once.
type text struct {
	opening    string
	paragraphs [][]string
	shorts     []string
	advice     [][]string
}

func (t *text) paragraph(lines []string) {
	if len(lines) > 0 {
		t.paragraphs = append(t.paragraphs, lines)
	}
}

func (t *text) short(s string) { t.shorts = append(t.shorts, s) }

func (t *text) advise(lines []string) {
	known := slices.ContainsFunc(t.advice, func(a []string) bool { return slices.Equal(a, lines) })
	if len(lines) > 0 && !known {
		t.advice = append(t.advice, lines)
	}
}

func (t *text) String() string {
	blocks := append(slices.Clone(t.paragraphs), t.shorts)
	blocks = append(blocks, t.advice...)
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
