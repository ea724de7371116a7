package words

import (
	"regexp"
	"strings"
)

// span is something within a text: `code`, or the target of a link.
type span struct {
	line int
	text string
}

var (
	inlineComment = regexp.MustCompile(`(?s)<!--.*?-->`)
	inlineLink    = regexp.MustCompile(`\]\(\s*(<[^>\n]*>|[^\s()]*(?:\([^\s()]*\)[^\s()]*)*)(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)`)
	definition    = regexp.MustCompile(`(?m)^ {0,3}\[[^\]^][^\]]*\]:\s*(\S+)`)
	attribute     = regexp.MustCompile(`(?:href|src)="([^"]*)"`)
)

// inline returns the code spans and the link targets of a text.
func (t text) inline() (codes, links []span) {
	body := inlineComment.ReplaceAllStringFunc(t.body, blank)
	codes, rest := t.codes(body)
	for _, kind := range []*regexp.Regexp{inlineLink, definition, attribute} {
		for _, m := range kind.FindAllStringSubmatchIndex(rest, -1) {
			target := strings.Trim(rest[m[2]:m[3]], "<>")
			links = append(links, span{t.lineAt(rest, m[2]), target})
		}
	}
	return codes, links
}

// codes returns the code spans, and the body without what stands in them: a
// link that is shown as code is no link.
func (t text) codes(body string) (codes []span, rest string) {
	out := []byte(body)
	for i := 0; i < len(body); {
		switch {
		case body[i] == '\\':
			i += 2
		case body[i] == '`':
			n := backticks(body[i:])
			end := closing(body, i+n, n)
			if end < 0 {
				i += n
				continue
			}
			code := strings.Join(strings.Fields(body[i+n:end]), " ")
			codes = append(codes, span{t.lineAt(body, i), code})
			copy(out[i+n:end], blank(body[i+n:end]))
			i = end + n
		default:
			i++
		}
	}
	return codes, string(out)
}

// backticks counts the backticks at the start of s.
func backticks(s string) int { return len(s) - len(strings.TrimLeft(s, "`")) }

// closing finds the next run of exactly n backticks.
func closing(s string, from, n int) int {
	for i := from; i < len(s); {
		if s[i] != '`' {
			i++
			continue
		}
		k := backticks(s[i:])
		if k == n {
			return i
		}
		i += k
	}
	return -1
}

func (t text) lineAt(body string, offset int) int {
	return t.line + strings.Count(body[:offset], "\n")
}

// blank keeps the length and the lines of s and nothing else.
func blank(s string) string {
	b := []byte(s)
	for i := range b {
		if b[i] != '\n' {
			b[i] = 'x'
		}
	}
	return string(b)
}
