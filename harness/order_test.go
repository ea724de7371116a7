package harness_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// mapsRanged are the places in which a file goes through a map that it has just written
// down. The order is another one in every run, and with it which of two mistakes is told.
func mapsRanged(t *testing.T, path string, text any) (places []string) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
	require.NoError(t, err)
	ast.Inspect(f, func(n ast.Node) bool {
		if r, ok := n.(*ast.RangeStmt); ok {
			if lit, ok := r.X.(*ast.CompositeLit); ok {
				if _, ok := lit.Type.(*ast.MapType); ok {
					places = append(places, set.Position(r.Pos()).String())
				}
			}
		}
		return true
	})
	return places
}

// A chapter's test does the same in each run, apart from what its seed decides.
func TestAChaptersTestsKeepTheirOrder(t *testing.T) {
	files, err := filepath.Glob("../chapters/*/*_test.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var places []string
	for _, file := range files {
		places = append(places, mapsRanged(t, file, nil)...)
	}
	require.Empty(t, places, "a list keeps its order")
}

func TestMapsThatAreRangedAreFound(t *testing.T) {
	const text = "package p\n\nfunc f(m map[int]int) {\n\tfor range map[int]int{1: 2} {\n\t}\n\tfor range []int{1} {\n\t}\n}\n"
	require.Equal(t, []string{"p.go:4:2"}, mapsRanged(t, "p.go", text))
}
