package words

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// document is a Markdown file, taken apart. Lines count from 1.
type document struct {
	file     string // relative to the root
	lines    []string
	fences   []fence
	outputs  []output
	texts    []text
	headings []string
	problems []problem
}

// fence is a block of code.
type fence struct {
	line, end int // of the opening and the closing line
	indent    string
	mark      string // ``` or longer, or ~~~
	lang      string
	body      []string
	shown     bool // it stands in an output comment
}

// output is a fence that shows what a command prints.
type output struct {
	line    int // of the comment
	command string
	exit    int
	fence   fence
}

// text is a paragraph, a list item, a row of a table or a heading.
type text struct {
	line int
	body string
}

var (
	fenceLine   = regexp.MustCompile("^([ \t]*)(`{3,}|~{3,})[ \t]*([^`]*)$")
	hiddenFence = regexp.MustCompile("^\\s*(>|[-*+]\\s|\\d+[.)]\\s)[\\s>]*(```|~~~)")
	outputLine  = regexp.MustCompile(`^<!-- output(?: exit=(\d+))?: (.+) -->$`)
	headingLine = regexp.MustCompile(`^ {0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*$`)
	underline   = regexp.MustCompile(`^(=+|-{2,})\s*$`)
	newText     = regexp.MustCompile(`^\s*([-*+]\s|\d+[.)]\s|\||>)`)
	listItem    = regexp.MustCompile(`^\s*([-*+]|\d+[.)])\s`)
)

const endLine = "<!-- end -->"

func read(root, file string) (*document, error) {
	b, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		return nil, err
	}
	return parse(file, string(b)), nil
}

// parser goes through the lines once.
type parser struct {
	*document
	at      int      // the index of the current line
	open    *output  // the output comment that has not ended
	full    bool     // it has its fence
	pending []string // lines of the current text
	first   int      // the line of the first of them
	inList  bool
}

func parse(file, content string) *document {
	p := &parser{document: &document{file: file, lines: strings.Split(content, "\n")}}
	for ; p.at < len(p.lines); p.at++ {
		line := p.lines[p.at]
		trimmed := strings.TrimSpace(line)
		switch {
		case fenceLine.MatchString(line):
			p.flush()
			p.fence()
		case strings.HasPrefix(trimmed, "<!--") && (!strings.Contains(trimmed, "-->") || strings.HasSuffix(trimmed, "-->")):
			p.flush()
			p.comment(trimmed)
		default:
			p.text(line, trimmed)
		}
	}
	p.flush()
	if p.open != nil {
		p.wrong(p.open.line, "this output has no %s after its fence", endLine)
	}
	return p.document
}

func (d *document) wrong(line int, format string, args ...any) {
	d.problems = append(d.problems, problem{line, fmt.Sprintf(format, args...)})
}

// fence reads from the opening line to the closing one.
func (p *parser) fence() {
	m := fenceLine.FindStringSubmatch(p.lines[p.at])
	f := fence{line: p.at + 1, indent: m[1], mark: m[2], shown: p.open != nil}
	if words := strings.Fields(m[3]); len(words) > 0 {
		f.lang = words[0]
	}
	for p.at++; p.at < len(p.lines); p.at++ {
		line := p.lines[p.at]
		if t := strings.TrimSpace(line); len(t) >= len(f.mark) && strings.Trim(t, f.mark[:1]) == "" {
			break
		}
		f.body = append(f.body, strings.TrimPrefix(line, f.indent))
	}
	f.end = p.at + 1
	if p.at == len(p.lines) {
		p.wrong(f.line, "this fence never ends: close it with %s", f.mark)
		return
	}
	p.fences = append(p.fences, f)
	switch {
	case p.open != nil && p.full:
		p.wrong(f.line, "a second fence in one output: write %s before it", endLine)
	case p.open != nil:
		p.open.fence, p.full = f, true
	case f.lang == "":
		p.wrong(f.line, "this fence has no language: write sh for commands, go for code; what a command prints stands between <!-- output: COMMAND --> and %s", endLine)
	case f.lang == "text" || f.lang == "console":
		p.wrong(f.line, "nobody can write this %s block anew: put <!-- output: COMMAND --> before it and %s after it, then run task words; a drawing has the language diagram", f.lang, endLine)
	}
}

// comment reads a comment to its end. It is a marker, or not for the reader.
func (p *parser) comment(trimmed string) {
	line := p.at + 1
	word, _, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(trimmed, "<!--")), " ")
	switch {
	case trimmed == endLine:
		switch {
		case p.open == nil:
			p.wrong(line, "this ends no output")
		case !p.full:
			p.wrong(p.open.line, "this output has no fence: put an empty one (```text, ```) before its %s and run task words", endLine)
		default:
			p.outputs = append(p.outputs, *p.open)
		}
		p.open = nil
	case strings.TrimRight(word, ":") == "output":
		m := outputLine.FindStringSubmatch(trimmed)
		if m == nil {
			p.wrong(line, "write it on one line as <!-- output: COMMAND --> or <!-- output exit=1: COMMAND -->")
			return
		}
		if p.open != nil {
			p.wrong(p.open.line, "this output has no %s after its fence", endLine)
		}
		exit, _ := strconv.Atoi(m[1])
		p.open, p.full = &output{line: line, command: m[2], exit: exit}, false
	default:
		for !strings.Contains(p.lines[p.at], "-->") {
			if p.at++; p.at == len(p.lines) {
				p.wrong(line, "this comment never ends: close it with -->")
				return
			}
		}
	}
}

func (p *parser) text(line, trimmed string) {
	if trimmed == "" {
		p.flush()
		return
	}
	n := p.at + 1
	if p.open != nil {
		p.wrong(n, "only a fence may stand between <!-- output: … --> and %s", endLine)
	}
	if hiddenFence.MatchString(line) {
		p.wrong(n, "a fence in a quotation or on the line of a list item is not checked: give it lines of its own")
	}
	indented := strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "\t")
	if indented && !p.inList && len(p.pending) == 0 {
		p.wrong(n, "a block made by indentation is not checked: use a fence (```sh for commands)")
		return
	}
	switch {
	case listItem.MatchString(line):
		p.inList = true
	case line == strings.TrimLeft(line, " \t") && len(p.pending) == 0:
		p.inList = false
	}
	if m := headingLine.FindStringSubmatch(line); m != nil {
		p.flush()
		p.headings = append(p.headings, m[1])
		p.add(line)
		p.flush()
		return
	}
	if underline.MatchString(line) && len(p.pending) == 1 && !newText.MatchString(p.pending[0]) {
		p.headings = append(p.headings, strings.TrimSpace(p.pending[0]))
		p.flush()
		return
	}
	if newText.MatchString(line) {
		p.flush()
	}
	p.add(line)
}

func (p *parser) add(line string) {
	if len(p.pending) == 0 {
		p.first = p.at + 1
	}
	if strings.HasPrefix(strings.TrimSpace(line), "|") {
		line = strings.ReplaceAll(line, `\|`, "|") // as GitHub does in a table
	}
	p.pending = append(p.pending, line)
}

func (p *parser) flush() {
	if len(p.pending) > 0 {
		p.texts = append(p.texts, text{p.first, strings.Join(p.pending, "\n")})
	}
	p.pending = nil
}

// replace puts a new body into a fence and returns the lines of the file.
// Fences are replaced from the last to the first: the lines before stay.
func (d *document) replace(f fence, body []string) {
	lang := f.lang
	if lang == "" {
		lang = "text"
	}
	mark := f.mark
	for _, line := range body {
		// Output may hold a fence itself: ours is longer then.
		for t := strings.TrimSpace(line); strings.HasPrefix(t, mark); {
			mark += mark[:1]
		}
	}
	block := []string{f.indent + mark + lang}
	for _, line := range body {
		if line != "" {
			line = f.indent + line
		}
		block = append(block, line)
	}
	block = append(block, f.indent+mark)
	d.lines = slices.Replace(d.lines, f.line-1, f.end, block...)
}
