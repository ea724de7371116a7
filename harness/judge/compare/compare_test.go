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
	require.Equal(t, []string{"W", "W.Send", "one", "mine"}, names)
	require.True(t, pairs[0].Same())
	require.False(t, pairs[1].Same())
	require.Equal(t, "// Send sends.\nfunc (w *W) Send() { os.Exit(1) }", pairs[1].Yours.Text)
	require.Equal(t, 6, pairs[1].Yours.Line)
	require.Equal(t, "b.go", pairs[1].Another.File)
	require.Nil(t, pairs[2].Yours)
	require.Nil(t, pairs[3].Another)
}

func TestWhatIsNoGoIsAnError(t *testing.T) {
	_, err := compare.Pairs(files("package p\n\nfunc {"), nil)
	require.ErrorContains(t, err, "a.go:3")
}
