package verify

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// ownOf runs the own tests of a workbook that has only these files.
func ownOf(t *testing.T, files map[string]string) map[string]Row {
	t.Helper()
	root := t.TempDir()
	files["go.mod"] = "module ipcworkbook\n\ngo 1.26\n"
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(text), 0o644))
	}
	rows := map[string]Row{}
	require.NoError(t, own(context.Background(), root, func(r Row) { rows[r.What] = r }))
	return rows
}

func TestAnOwnTestThatIsSkippedIsTold(t *testing.T) {
	const head = "package x\n\nimport \"testing\"\n\n"
	rows := ownOf(t, map[string]string{
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
	require.Contains(t, rows["go test ./harness/..."].Problem, "undefined: nothing")
	require.Len(t, rows, 7, "none for a package without tests")
}

func TestNoOwnTestsAreAProblem(t *testing.T) {
	rows := ownOf(t, map[string]string{"harness/none/x.go": "package x\n"})
	require.NotEmpty(t, rows["go test ./harness/..."].Problem)
}
