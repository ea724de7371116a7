package verify

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// ownTests runs the own tests of a workbook that has only these files.
func ownTests(t *testing.T, files map[string]string) map[string]Row {
	t.Helper()
	root := t.TempDir()
	files["go.mod"] = "module ipcworkbook\n\ngo 1.26\n"
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	rows := map[string]Row{}
	tree, err := ReadTree(root)
	require.NoError(t, err)
	proofs, err := own(root, tree)
	require.NoError(t, err)
	for _, p := range proofs {
		for _, row := range p.Try(context.Background(), 1) {
			rows[cmp.Or(row.What, p.What)] = row
		}
	}
	return rows
}

func TestAnOwnTestThatIsSkippedIsTold(t *testing.T) {
	const head = "package x\n\nimport \"testing\"\n\n"
	rows := ownTests(t, map[string]string{
		"harness/good/x_test.go": head + "func TestGood(*testing.T) {}\n",
		"harness/lacks/x_test.go": head + "func TestLacks(t *testing.T) { t.Skip(\"there is no browser\") }\n\n" +
			"func TestPart(t *testing.T) { t.Run(\"one\", func(t *testing.T) { t.SkipNow() }) }\n",
		"harness/bad/x_test.go":    head + "func TestBad(t *testing.T) { t.Error(\"it is bad\") }\n",
		"harness/broken/x_test.go": head + "func TestBroken(t *testing.T) { nothing() }\n",
		"harness/none/x.go":        "package x\n",
	})
	for what, want := range map[string]Row{
		"harness/good":               {Saw: "pass"},
		"harness/lacks":              {Saw: "pass"},
		"harness/lacks TestLacks":    {Skipped: "there is no browser"},
		"harness/lacks TestPart/one": {Skipped: "no reason was given"},
	} {
		require.Equal(t, want.Saw, rows[what].Saw, what)
		require.Equal(t, want.Skipped, rows[what].Skipped, what)
		require.Empty(t, rows[what].Problem, what)
	}
	require.Contains(t, rows["harness/bad"].Problem, "it is bad")
	require.Contains(t, rows["harness/broken"].Problem, "build failed")
	require.Contains(t, rows["harness/broken"].Problem, "undefined: nothing")
	require.Len(t, rows, 6, "none for a package without tests")
}

func TestNoOwnTestsAreAProblem(t *testing.T) {
	rows := ownTests(t, map[string]string{"harness/none/x.go": "package x\n"})
	require.NotEmpty(t, rows["the harness has tests"].Problem)
}
