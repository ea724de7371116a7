package verify

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/book"
)

// What the book says of a chapter's mistakes is held against the stub and the solutions.
func TestTheMatrixOfMistakes(t *testing.T) {
	const stub = "package tiny\n\ntype T struct{}\n\nfunc New() T { return T{} }\n\nfunc (T) Do() {}\n\nfunc (T) own() {}\n\nfunc help() {}\n"
	const whole = "\"T.Do\" = [\"01-a\"]\nnone = [{ of = [\"New\"], why = \"It does nothing.\" }]\n"
	for name, c := range map[string]struct {
		first string // of the first kind's table; the others are whole
		want  string // a line of the problem; "" if there is none
	}{
		"whole":                    {whole, ""},
		"an empty cell":            {"none = [{ of = [\"New\"], why = \"x\" }]\n", "[memory] T.Do is empty (memory that is handed out): name a known-wrong solution, or say why there is none"},
		"a function twice":         {whole + "New = [\"01-a\"]\n", "[memory] New is there twice"},
		"no solution named":        {strings.Replace(whole, "\"01-a\"", "", 1), "[memory] T.Do names no solution"},
		"a solution that is not":   {strings.Replace(whole, "01-a", "01-b", 1), `[memory] T.Do: there is no known-wrong solution "01-b"`},
		"no reason":                {strings.Replace(whole, "It does nothing.", " ", 1), "[memory] none of New: why?"},
		"a function that is not":   {whole + "\"T.own\" = [\"01-a\"]\n", "[memory] T.own: the stub declares no such function"},
		"a function that is not 2": {strings.Replace(whole, `["New"]`, `["New", "help"]`, 1), "[memory] help: the stub declares no such function"},
	} {
		t.Run(name, func(t *testing.T) {
			var mistakes strings.Builder
			for i, kind := range book.Kinds {
				table := whole
				if i == 0 {
					table = c.first
				}
				mistakes.WriteString("[" + kind.Name + "]\n" + table)
			}
			chapters, err := book.In(fstest.MapFS{
				"01-tiny.toml":          {Data: []byte("number = 1\nname = \"tiny\"\ntitle = \"tiny\"\n")},
				"01-tiny.txtar":         {Data: []byte("-- tiny.go --\n" + stub)},
				"01-tiny.mistakes.toml": {Data: []byte(mistakes.String())},
			})
			require.NoError(t, err)
			require.Len(t, chapters, 1)
			saw, problem := matrix(chapters[0], []string{"01-a"})
			require.Equal(t, c.want, problem)
			require.Contains(t, saw, "shown")
		})
	}
	_, problem := matrix(book.Chapter{Sealed: map[string][]byte{"tiny.go": []byte(stub)}}, nil)
	require.Equal(t, 2*len(book.Kinds), strings.Count(problem, " is empty ("), "a chapter that says nothing")

	// What is misspelt is told at once.
	for text, want := range map[string]string{
		"[memroy]\n": "no kind of mistakes \"memroy\"",
		"[memory]\nnone = [{ off = [\"New\"] }]\n":   "off",
		"[memory]\nNew = \"01-a\"\n":                 "[memory] New",
		"[memory]\nnone = \"nothing to say here\"\n": "[memory] none",
	} {
		_, err := book.In(fstest.MapFS{
			"01-tiny.toml":          {Data: []byte("number = 1\nname = \"tiny\"\ntitle = \"tiny\"\n")},
			"01-tiny.txtar":         {Data: []byte("-- tiny.go --\n" + stub)},
			"01-tiny.mistakes.toml": {Data: []byte(text)},
		})
		require.ErrorContains(t, err, want)
	}
}
