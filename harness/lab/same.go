package lab

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"ipcworkbook/harness/verdict"
)

// SameBytes asserts that the bytes that came are those that were sent. It shows
// the first place where they are not, since nobody can read 200000 bytes. What
// was called is formatted as by [fmt.Sprintf]; after a colon stands the likeliest
// reason.
func (l *Lab) SameBytes(sent, got []byte, what string, args ...any) {
	if bytes.Equal(sent, got) {
		return
	}
	expected := "no bytes"
	if len(sent) > 0 {
		expected = "the " + count(len(sent), "byte") + " that were sent"
	}
	call, reason, _ := strings.Cut(fmt.Sprintf(what, args...), ": ")
	l.fail(failure{Verdict: verdict.Wrong, Call: call, Reason: reason,
		Detail: []string{"expected: " + expected, "got:      " + Difference(sent, got)}})
}

// Difference says in what the bytes that came differ from those that were sent.
func Difference(sent, got []byte) string {
	same := 0
	for same < min(len(sent), len(got)) && sent[same] == got[same] {
		same++
	}
	switch {
	case same < len(sent) && same < len(got):
		return fmt.Sprintf("%s, the first other one at %d: %02x instead of %02x", count(len(got), "byte"), same, got[same], sent[same])
	case same < len(got):
		return fmt.Sprintf("%s: all of them, and %d more", count(len(got), "byte"), len(got)-same)
	case same == 0:
		return "no bytes"
	}
	return fmt.Sprintf("only the first %d of them", same)
}

// count says how many things there are: no bytes, 1 byte, 2 bytes.
func count(n int, thing string) string {
	switch n {
	case 0:
		return "no " + thing + "s"
	case 1:
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Numbers are the whole numbers in an error's text. A name may have any number in it by chance: so
// those of the names that the text has are left out.
func Numbers(err error, names ...string) (all []int) {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, name := range names {
		text = strings.ReplaceAll(text, name, " ")
	}
	for _, digits := range strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' }) {
		if n, err := strconv.Atoi(digits); err == nil {
			all = append(all, n)
		}
	}
	return all
}
