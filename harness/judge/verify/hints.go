package verify

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/overlay"
)

// leastHints is how many hints a step has: a general one, and one that says more.
const leastHints = 2

// codeLine is from how many characters on a line of the reference is its code. A
// shorter one, as "return err", is everybody's.
const codeLine = 24

// hints proves that each step has its hints, and that none gives the answer.
func hints(c book.Chapter, reference overlay.Impl) (saw, problem string) {
	files, err := reference.Read()
	if err != nil {
		return "", err.Error()
	}
	n := 0
	for _, s := range c.Steps {
		n += len(s.Hints)
		if len(s.Hints) < leastHints {
			problem += fmt.Sprintf("step %d (%s) has %d hints, and %d is the least\n", s.Number, s.Test, len(s.Hints), leastHints)
		}
		for i, hint := range s.Hints {
			if line := codeIn(hint, files); line != "" {
				problem += fmt.Sprintf("step %d (%s), hint %d has the reference's code: %s\n", s.Number, s.Test, i+1, line)
			}
		}
	}
	return fmt.Sprintf("%d hints", n), problem
}

// codeIn is a line of these files that stands in a hint, or "".
func codeIn(hint string, files map[string][]byte) string {
	hint = strings.Join(strings.Fields(hint), " ")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for line := range strings.Lines(string(files[name])) {
			line = strings.Join(strings.Fields(line), " ")
			if utf8.RuneCountInString(line) >= codeLine && !strings.HasPrefix(line, "//") && strings.Contains(hint, line) {
				return line
			}
		}
	}
	return ""
}
