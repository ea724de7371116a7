package compare_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/compare"
)

func files(text string) map[string][]byte { return map[string][]byte{"a.go": []byte(text)} }

func TestDeclarationsArePaired(t *testing.T) {
	pairs, err := compare.Pairs(files(`package p

import "os"

// Send sends.
func (w *W) Send() { os.Exit(1) }

type W struct{}

func mine() {}
`), map[string][]byte{
		"b.go": []byte("package p\n\ntype W struct{}\n\nfunc (w W) Send() {}\n"),
		"c.go": []byte("package p\n\nconst (\n\tone = 1\n\ttwo = 2\n)\n"),
		// A test is no part of a solution.
		"c_test.go": []byte("package p\n\nfunc helper() {}\n"),
	})
	require.NoError(t, err)
	var names []string
	for _, p := range pairs {
		names = append(names, p.Name)
	}
	require.Equal(t, []string{"W", "W.Send", "one", "two", "mine"}, names)
	require.True(t, pairs[0].Same())
	require.False(t, pairs[1].Same())
	require.Equal(t, "// Send sends.\nfunc (w *W) Send() { os.Exit(1) }", pairs[1].Yours.Text)
	require.Equal(t, 6, pairs[1].Yours.Line)
	require.Equal(t, "b.go", pairs[1].Another.File)
	require.Nil(t, pairs[2].Yours)
	require.Equal(t, "const two = 2", pairs[3].Another.Text)
	require.Equal(t, 5, pairs[3].Another.Line)
	require.Nil(t, pairs[4].Another)
}

func TestWhatIsNoGoIsAnError(t *testing.T) {
	_, err := compare.Pairs(files("package p\n\nfunc {"), nil)
	require.ErrorContains(t, err, "a.go:3")
}

func TestCommentsAreNoDifference(t *testing.T) {
	pairs, err := compare.Pairs(files(`package p

// Send sends.
func Send() int {
	// First this.

	a := 1 // one

	// Then that.
	return a
	// Nothing more.
}

func Recv() string { return "// no comment" }
`), files("package p\n\nfunc Send() int {\n\ta := 1\n\n\treturn a\n}\n\nfunc Recv() string { return \"\" }\n"))
	require.NoError(t, err)
	require.True(t, pairs[0].Alike())
	require.False(t, pairs[0].Same())
	require.Equal(t, "func Send() int {\n\ta := 1\n\n\treturn a\n}", pairs[0].Yours.Code())
	require.False(t, pairs[1].Alike())
	require.Equal(t, `func Recv() string { return "// no comment" }`, pairs[1].Yours.Code())
}
