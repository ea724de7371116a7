package verify

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/check"
)

const before = `package p

import "os"

// F does it.
func F(n int) error {
	if n > 0 {
		work(n)
		return nil
	}
	for range n {
		work(1)
	}
	defer func() { work(2) }()
	switch n {
	case 0:
		work(3)
	}
	return nil
}

func work(int) { os.Getpid() }

type T struct{ n int }

func (t *T) M() {}
`

// Of an edit is known in which block it is, or that it is not in one.
func TestWhereAVariantDiffers(t *testing.T) {
	texts := map[string][]byte{"p.go": []byte(before)}
	blocks, err := check.Blocks(texts)
	require.NoError(t, err)
	require.Len(t, blocks, 7, "F, if, for, func, case, work, M")
	text := func(i int) string { return before[blocks[i].From:blocks[i].To] }
	for name, c := range map[string]struct {
		old, new string
		outside  bool
		whole    string // the function of which all is concerned
		inside   string // the block's text has this
		not      string // and not this
	}{
		"in an if":                 {old: "\t\twork(n)\n", new: "\t\twork(n + 1)\n", inside: "work(n)", not: "for range"},
		"a statement more":         {old: "\t\twork(n)\n", new: "\t\twork(n)\n\t\twork(n)\n", inside: "work(n)", not: "for range"},
		"a statement less":         {old: "\t\twork(1)\n", new: "", inside: "work(1)", not: "switch"},
		"a condition":              {old: "n > 0", new: "n >= 0", inside: "if n > 0"},
		"in a case":                {old: "work(3)", new: "work(4)", inside: "work(3)", not: "switch"},
		"in a closure":             {old: "work(2)", new: "work(5)", inside: "work(2)", not: "defer"},
		"a case more":              {old: "\tcase 0:", new: "\tcase 7:\n\t\twork(7)\n\tcase 0:", inside: "switch n"},
		"behind a block":           {old: "\tdefer func", new: "\twork(9)\n\tdefer func", inside: "defer"},
		"a brace moved":            {old: "\t\treturn nil\n\t}\n\tfor range n {\n\t\twork(1)\n\t}\n", new: "\t\treturn nil\n\tfor range n {\n\t\twork(1)\n\t}\n\t}\n", whole: "F"},
		"the head":                 {old: "F(n int)", new: "F(n int64)", whole: "F"},
		"the comment":              {old: "does it", new: "does that", whole: "F"},
		"a function more":          {old: "func work(", new: "func more() {}\n\nfunc work(", whole: "more"},
		"an import of Go's own":    {old: "import \"os\"", new: "import (\n\t\"os\"\n\t\"time\"\n)\n", inside: ""},
		"a type":                   {old: "n int }", new: "n int64 }", outside: true},
		"a method more":            {old: "func (t *T) M", new: "func (t *T) String() string { return \"\" }\n\nfunc (t *T) M", outside: true},
		"a method less":            {old: "func (t *T) M() {}\n", new: "", outside: true},
		"an init":                  {old: "func work(", new: "func init() { work(0) }\n\nfunc work(", outside: true},
		"a variable":               {old: "func work(", new: "var x = F(1)\n\nfunc work(", outside: true},
		"an import for its init":   {old: "import \"os\"", new: "import \"os\"\nimport _ \"time\"\n", outside: true},
		"an import from elsewhere": {old: "import \"os\"", new: "import (\n\t\"os\"\n\t\"example.com/x\"\n)\n", outside: true},
		"a build constraint":       {old: "package p\n", new: "//go:build linux\n\npackage p\n", outside: true},
		"it does not parse":        {old: "func work(int) {", new: "func work(int) {{", outside: true},
	} {
		t.Run(name, func(t *testing.T) {
			after := map[string][]byte{"p.go": []byte(replaceOnce(t, before, c.old, c.new))}
			changed, inside := changes(texts, after, blocks)
			require.Equal(t, !c.outside, inside)
			switch {
			case c.outside:
			case c.whole != "":
				require.Equal(t, []change{{c.whole, -1}}, changed)
			case c.inside == "":
				require.Empty(t, changed)
			default:
				require.Len(t, changed, 1)
				require.GreaterOrEqual(t, changed[0].block, 0)
				require.Contains(t, text(changed[0].block), c.inside)
				if c.not != "" {
					require.NotContains(t, text(changed[0].block), c.not)
				}
			}
		})
	}
	_, inside := changes(texts, map[string][]byte{"p.go": texts["p.go"], "q.go": []byte("package p\n")}, blocks)
	require.False(t, inside, "a file more")
}

func replaceOnce(t *testing.T, s, old, new string) string {
	t.Helper()
	before, after, found := strings.Cut(s, old)
	require.True(t, found, old)
	return before + new + after
}
