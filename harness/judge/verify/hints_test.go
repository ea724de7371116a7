package verify

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/overlay"
)

func TestHintsAreThereAndGiveNoAnswer(t *testing.T) {
	reference := overlay.Memory("reference", map[string][]byte{"pipe.go": []byte(
		"package pipe\n\n// One call makes a pipe, with its flags.\nfunc f() error {\n\terr := unix.Pipe2(p[:], unix.O_CLOEXEC)\n\treturn err\n}\n")})
	for name, c := range map[string]struct {
		hints   []string
		problem string
	}{
		"enough":                {[]string{"Read pipe(2).", "One call makes a pipe, with its flags. Then return err."}, ""},
		"one":                   {[]string{"Read pipe(2)."}, "has 1 hints"},
		"the answer":            {[]string{"Read pipe(2).", "Write `err := unix.Pipe2(p[:], unix.O_CLOEXEC)`."}, "hint 2 has the reference's code"},
		"the answer, two lines": {[]string{"Read pipe(2).", "err := unix.Pipe2(p[:],\n  unix.O_CLOEXEC)"}, "hint 2 has the reference's code"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problem := hints(book.Chapter{Steps: []book.Step{{Number: 1, Test: "TestA", Hints: c.hints}}}, reference)
			if c.problem == "" {
				require.Empty(t, problem)
				return
			}
			require.Contains(t, problem, c.problem)
		})
	}
}
