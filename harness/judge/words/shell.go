package words

import (
	"fmt"
	"strings"
)

// call is one simple command of a shell text.
type call struct {
	line  int // counted from 0
	words []string
}

// lexer splits shell text into simple commands. It knows quotes, comments,
// continued lines, operators, redirections, here-documents and $(…), which is
// what a README may hold; it expands nothing.
type lexer struct {
	s     string
	i     int
	line  int
	calls []call
	words []string
	first int // the line of the first word
	word  strings.Builder
	some  bool // a word has begun
	skip  bool // the next word is the target of a redirection
	here  bool // and the end of a here-document
	ends  []string
	// functions that the text defines
	functions map[string]bool
}

// lex returns the simple commands in a text, without calls of functions: their
// bodies are there too. To the functions that are known it adds those that the text
// defines.
func lex(s string, functions map[string]bool) ([]call, error) {
	l := &lexer{s: s, functions: functions}
	err := l.all()
	var calls []call
	for _, c := range l.calls {
		c.words = command(c.words)
		if len(c.words) > 0 && !l.functions[c.words[0]] {
			calls = append(calls, c)
		}
	}
	return calls, err
}

// command returns what is left without the words that may stand before a command.
func command(words []string) []string {
	for len(words) > 0 && (keywords[words[0]] || assignment.MatchString(words[0])) {
		words = words[1:]
	}
	if len(words) > 0 && (words[0] == "for" || words[0] == "case") {
		return nil
	}
	return words
}

func (l *lexer) all() error {
	for l.i < len(l.s) {
		if err := l.next(); err != nil {
			return err
		}
	}
	l.endCall()
	if len(l.ends) > 0 {
		return fmt.Errorf("the here-document never ends: no line %q", l.ends[0])
	}
	return nil
}

func (l *lexer) next() error {
	c := l.s[l.i]
	l.i++
	switch c {
	case '\n':
		l.endCall()
		l.line++
		return l.heredocs()
	case ' ', '\t', '\r':
		l.endWord()
	case '#':
		if l.some {
			l.put(c)
			break
		}
		for l.i < len(l.s) && l.s[l.i] != '\n' {
			l.i++
		}
	case '\\':
		if l.i == len(l.s) {
			return fmt.Errorf(`it ends with \`)
		}
		if l.s[l.i] == '\n' {
			l.line++
		} else {
			l.put(l.s[l.i])
		}
		l.i++
	case '\'', '"':
		return l.quoted(c)
	case '$':
		if l.i < len(l.s) && l.s[l.i] == '(' {
			l.i++
			return l.substitution()
		}
		l.put(c)
	case '<', '>':
		l.redirection(c)
	case '(':
		if l.some && len(l.words) == 0 && l.i < len(l.s) && l.s[l.i] == ')' {
			l.functions[l.word.String()] = true // name() { …; }
		}
		l.endCall()
	case ';', '|', ')':
		l.endCall()
	case '&':
		if l.i < len(l.s) && l.s[l.i] == '>' {
			break // &> is a redirection
		}
		l.endCall()
	default:
		l.put(c)
	}
	return nil
}

func (l *lexer) put(c byte) {
	if !l.some && len(l.words) == 0 {
		l.first = l.line
	}
	l.some = true
	l.word.WriteByte(c)
}

func (l *lexer) endWord() {
	if !l.some {
		return
	}
	word := l.word.String()
	l.word.Reset()
	l.some = false
	switch {
	case l.here:
		l.ends = append(l.ends, strings.TrimPrefix(word, "-"))
	case !l.skip:
		l.words = append(l.words, word)
	}
	l.skip, l.here = false, false
}

func (l *lexer) endCall() {
	l.endWord()
	if len(l.words) > 0 {
		l.calls = append(l.calls, call{l.first, l.words})
	}
	l.words = nil
	l.skip, l.here = false, false
}

func (l *lexer) quoted(quote byte) error {
	begun := l.line
	l.mark()
	for l.i < len(l.s) {
		c := l.s[l.i]
		l.i++
		switch {
		case c == quote:
			return nil
		case c == '\n':
			l.line++
		case c == '\\' && quote == '"' && l.i < len(l.s):
			c = l.s[l.i]
			l.i++
		case c == '$' && quote == '"' && l.i < len(l.s) && l.s[l.i] == '(':
			l.i++
			if err := l.substitution(); err != nil {
				return err
			}
			continue
		}
		l.put(c)
	}
	return fmt.Errorf("the quotation mark in line %d of it has no partner", begun+1)
}

// mark begins a word that may stay empty.
func (l *lexer) mark() {
	if !l.some && len(l.words) == 0 {
		l.first = l.line
	}
	l.some = true
}

// substitution reads $(…) after its opening and reads the commands in it too.
func (l *lexer) substitution() error {
	l.mark()
	begun, line, depth := l.i, l.line, 1
	for ; l.i < len(l.s); l.i++ {
		switch l.s[l.i] {
		case '(':
			depth++
		case ')':
			depth--
		case '\n':
			l.line++
		}
		if depth > 0 {
			continue
		}
		inner := &lexer{s: l.s[begun:l.i], functions: l.functions}
		err := inner.all()
		for _, c := range inner.calls {
			l.calls = append(l.calls, call{line + c.line, c.words})
		}
		l.i++
		l.word.WriteString("$()")
		return err
	}
	return fmt.Errorf("$( in line %d of it has no )", line+1)
}

// redirection reads the operator; its target is the next word.
func (l *lexer) redirection(c byte) {
	if strings.Trim(l.word.String(), "0123456789") == "" {
		l.word.Reset() // 2> is one operator
		l.some = false
	}
	l.endWord()
	op := string(c)
	for l.i < len(l.s) && strings.IndexByte("<>&|", l.s[l.i]) >= 0 {
		op += string(l.s[l.i])
		l.i++
	}
	l.skip = true
	l.here = op == "<<"
}

// heredocs passes over the here-documents that the last line began.
func (l *lexer) heredocs() error {
	for len(l.ends) > 0 && l.i < len(l.s) {
		line, rest, _ := strings.Cut(l.s[l.i:], "\n")
		l.i = len(l.s) - len(rest)
		l.line++
		if strings.TrimLeft(line, "\t") == l.ends[0] {
			l.ends = l.ends[1:]
		}
	}
	return nil
}
