package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const program = `package main

import "fmt"

func main() {
	fmt.Println(named(1))
	falls()
	fmt.Println(loops(3))
}

func named(n int) (text string, err error) {
	defer func() { text += "." }()
	text, err = fmt.Sprint(n), nil
	return
}

func falls() {
	fmt.Println("falls")
}

func loops(n int) int {
out:
	for {
		for i := range n {
			if i == 1 {
				break out
			}
		}
	}
	return n
}

type kept struct{ n int }
`

// Every variant does in company what it does alone.
func TestMergedVariantsDoWhatTheyDo(t *testing.T) {
	type edits []string // old, new, old, new
	variant := func(e edits) map[string][]byte {
		text := program
		for i := 0; i < len(e); i += 2 {
			require.Equal(t, 1, strings.Count(text, e[i]), e[i])
			text = strings.Replace(text, e[i], e[i+1], 1)
		}
		return map[string][]byte{"main.go": []byte(text)}
	}
	m, err := merge(variant(nil))
	require.NoError(t, err)
	all := []struct {
		edits
		prints string
	}{
		{nil, "1. <nil> falls 3"},
		{edits{"text, err = fmt.Sprint(n), nil", "text, err = fmt.Sprint(n+1), nil"}, "2. <nil> falls 3"},
		{edits{`fmt.Println("falls")`, `if true { return }; fmt.Println("never")`}, "1. <nil> 3"},
		{edits{`fmt.Println("falls")`, `fmt.Println(more())`, "func loops(", "func more() string { return \"more\" }\n\nfunc loops("}, "1. <nil> more 3"},
		{edits{"i == 1", "i == 2", "return n", "return -n"}, "1. <nil> falls -3"},
		{edits{`import "fmt"`, "import (\n\t\"fmt\"\n\t\"strings\"\n)", `fmt.Println("falls")`, `fmt.Println(strings.ToUpper("falls"))`}, "1. <nil> FALLS 3"},
		// What is declared beside the head's err is not another err.
		{edits{"text, err = fmt.Sprint(n), nil", "more, err := fails()\n\ttext = fmt.Sprint(n + more) // again", "type kept", "func fails() (int, error) { return 1, fmt.Errorf(\"fails\") }\n\ntype kept"}, "2. fails falls 3"},
		// A variable, a constant and a type of its own.
		{edits{"func falls() {", "var before, after int\n\nfunc falls() {\n\tafter = before + 2\n\tdefer fmt.Println(after)"}, "1. <nil> falls 2 3"},
		{edits{"func falls() {", "var before, after int\n\nfunc falls() {\n\tafter = before + 4\n\tdefer fmt.Println(after)"}, "1. <nil> falls 4 3"},
		{edits{`fmt.Println("falls")`, "fmt.Println(word(one), kept{}.hidden())", "type kept", "type word int\n\nconst (\n\tzero = iota\n\tone\n)\n\nfunc (w word) String() string { return \"word\" }\n\nfunc (kept) hidden() string { return \"hidden\" }\n\ntype kept"}, "1. <nil> word hidden 3"},
	}
	for _, v := range all {
		require.True(t, m.add(variant(v.edits)), v.edits)
	}
	const mark = 0x1122334455667788
	texts, err := m.impl("merged", "main", mark).Read()
	require.NoError(t, err)
	require.Contains(t, string(texts["workbook_variant.go"]), "{0x1122334455667788, 0}")
	texts["workbook_variant.go"] = []byte(`package main

import "os"

var workbookVariant = [2]uint64{1: uint64(os.Args[1][0] - 'a')}
`)
	dir := t.TempDir()
	args := []string{"build", "-o", "program"}
	for name, text := range texts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
		args = append(args, name)
	}
	build := exec.Command("go", args...)
	build.Dir = dir
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for i, v := range append(all[:1:1], all...) { // number 0 is what it began with
		out, err := exec.Command(filepath.Join(dir, "program"), string(rune('a'+i))).Output()
		require.NoError(t, err)
		require.Equal(t, v.prints, strings.Join(strings.Fields(string(out)), " "), "number %d: %v", i, v.edits)
	}

	for _, e := range []edits{
		{"text, err = fmt.Sprint(n), nil", "err, more := error(nil), 1\n\ttext = fmt.Sprint(more)"}, // of what type it is only the compiler knows
		{"text, err = fmt.Sprint(n), nil", "n, more := 2, 1\n\ttext = fmt.Sprint(n + more)"},
		{"func falls()", "func falls(...int)"},
		{"kept struct{ n int }", "kept struct{ n, more int }"},
		{"type kept", "var more = 1\n\ntype kept"},
		{"type kept", "var after int\n\ntype kept"}, // there is another one
		{"type kept", "type word string\n\ntype kept"},
		{"type kept", "var len int\n\ntype kept"},
		{"type kept", "func init() {}\n\ntype kept"},
		{"type kept", "func (kept) String() string { return \"\" }\n\ntype kept"},
		{"func falls()", "//go:noinline\nfunc falls()"},
		{"package main\n", "//go:build linux\n\npackage main\n"},
		{"func loops(", "func more() string { return \"another one\" }\n\nfunc loops("},
		{"func loops(", "func min(int) int { return 0 }\n\nfunc loops("},
	} {
		require.False(t, m.add(variant(e)), e)
	}
	require.False(t, m.add(map[string][]byte{}))
}
