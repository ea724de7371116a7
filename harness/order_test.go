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

// takenAgain are the places in which a role takes a file twice that was handed over once: a
// call of File that stands in a loop, or a second one of the same name. The garbage collector
// closes the descriptor with the first os.File that nobody refers to any more, and with it the
// second one: by chance.
func takenAgain(t *testing.T, path string, text any) (places []string) {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
	require.NoError(t, err)
	for _, decl := range f.Decls {
		taken := map[string]bool{}
		var look func(n ast.Node, loop bool)
		look = func(n ast.Node, loop bool) {
			ast.Inspect(n, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.ForStmt:
					look(n.Body, true)
					return false
				case *ast.RangeStmt:
					look(n.X, loop)
					look(n.Body, true)
					return false
				case *ast.CallExpr:
					called, ok := n.Fun.(*ast.SelectorExpr)
					if !ok || called.Sel.Name != "File" || len(n.Args) != 1 {
						return true
					}
					name, ok := n.Args[0].(*ast.BasicLit)
					if !ok {
						return true
					}
					if loop || taken[name.Value] {
						places = append(places, set.Position(n.Pos()).String())
					}
					taken[name.Value] = true
				}
				return true
			})
		}
		look(decl, false)
	}
	return places
}

func TestARoleTakesAFileOnce(t *testing.T) {
	files, err := filepath.Glob("../chapters/*/*_test.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	var places []string
	for _, file := range files {
		places = append(places, takenAgain(t, file, nil)...)
	}
	require.Empty(t, places, "take it once, and keep it as long as it is needed")
}

func TestAFileThatIsTakenAgainIsFound(t *testing.T) {
	const text = "package p\n\nvar x = r(func(c C) {\n\tf := c.File(\"a\")\n\tg(f, c.File(\"b\"))\n\tfor range 2 {\n\t\tg(c.File(\"l\"))\n\t}\n\tg(c.File(\"a\"))\n})\n\nfunc y(c C) { c.File(\"a\") }\n"
	require.Equal(t, []string{"p.go:7:5", "p.go:9:4"}, takenAgain(t, "p.go", text))
}
