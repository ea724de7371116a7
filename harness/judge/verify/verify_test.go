package verify_test

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/verify"
	"ipcworkbook/harness/step/supervisor"
)

// TestMain lets this test binary be the supervisors that check starts.
func TestMain(m *testing.M) {
	supervisor.Enter()
	code := m.Run()
	atTheEnd()
	os.Exit(code)
}

// clone copies the workbook, to be damaged. Every clone has the same path, one after the
// other: what Go has built for one of them it need not build for the next.
func clone(t *testing.T) string {
	t.Helper()
	from, err := filepath.Abs("../../..")
	require.NoError(t, err)
	to := filepath.Join(clones(), "workbook")
	require.NoDirExists(t, to, "one at a time")
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(to)) })
	for _, name := range []string{"chapters", "solutions", "harness", "go.mod", "go.sum"} {
		require.NoError(t, filepath.WalkDir(filepath.Join(from, name), func(path string, d fs.DirEntry, err error) error {
			rel, _ := filepath.Rel(from, path)
			switch {
			case err != nil:
				return err
			case d.IsDir():
				return os.MkdirAll(filepath.Join(to, rel), 0o700)
			case filepath.Base(filepath.Dir(path)) == "wrong":
				return nil // one row at a time is tried here; the variants are tried by the workbook
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(to, rel), text, 0o600)
		}))
	}
	return to
}

var clones = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "workbook-clones-")
	if err != nil {
		panic(err)
	}
	atTheEnd = func() { os.RemoveAll(dir) }
	return dir
})

// atTheEnd is what TestMain does when all tests have run.
var atTheEnd = func() {}

// edit changes a file of a clone.
func edit(t *testing.T, root, file string, change func(string) string) {
	t.Helper()
	path := filepath.Join(root, file)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	changed := change(string(text))
	require.NotEqual(t, string(text), changed, "the edit of %s changes nothing", file)
	require.NoError(t, os.WriteFile(path, []byte(changed), 0o600))
}

func replace(old, new string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, new, 1) }
}

func chapters(t *testing.T, root string) []book.Chapter {
	t.Helper()
	all, err := book.In(os.DirFS(filepath.Join(root, "harness/judge/book")))
	require.NoError(t, err)
	return all[:1]
}

// seal seals a clone as it is now.
func seal(t *testing.T, root string) {
	t.Helper()
	for _, c := range chapters(t, root) {
		text, err := c.Seal(root)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, c.SealPath()), text, 0o600))
	}
}

// problems proves one row, or the rows whose names have that part, and returns what does
// not hold. What is to fail is tried once.
func problems(t *testing.T, root, row string) string {
	t.Helper()
	rows, err := verify.Run(context.Background(), verify.Options{Root: root, Chapters: chapters(t, root), Row: row, Tries: 1})
	require.NoError(t, err)
	var all []string
	for _, r := range rows {
		if r.Problem != "" {
			all = append(all, r.What+": "+r.Problem)
		}
	}
	return strings.Join(all, "\n")
}

// Rows that every chapter has.
const (
	stubIsRed        = "on the stub every step is todo"
	referenceIsGreen = "on the reference every step passes"
	sealed           = "stub and tests are as they were handed out"
	declared         = "the tests are the book's steps"
)

const tests = "chapters/01-pipe/pipe_test.go"

func TestACleanCloneIsRedOnTheStub(t *testing.T) {
	root := clone(t)
	for _, row := range []string{sealed, declared, stubIsRed} {
		require.Empty(t, problems(t, root, row))
	}
}

func TestADeletedStepIsFound(t *testing.T) {
	root := clone(t)
	const deleted = "pipelimit_test.go"
	edit(t, root, "chapters/01-pipe/"+deleted, func(s string) string {
		return regexp.MustCompile(`(?s)func TestFullPipeMakesTheSenderWait\(.*?\n}\n`).ReplaceAllString(s, "")
	})
	require.Contains(t, problems(t, root, sealed), deleted, "not as it was sealed")
	seal(t, root)
	require.Contains(t, problems(t, root, declared), "the tests are the book's steps")
}

func TestASkippedStepIsFound(t *testing.T) {
	for _, skip := range []string{"\tt.Skip()\n\tl := lab.New(t)\n", "\tl := lab.New(t)\n\tt.Skip()\n"} {
		t.Run(skip, func(t *testing.T) {
			root := clone(t)
			edit(t, root, tests, replace("\tl := lab.New(t)\n", skip))
			seal(t, root)
			require.Contains(t, problems(t, root, stubIsRed), "step 1 (TestBothEndsAreCloseOnExec)")
			require.Contains(t, problems(t, root, referenceIsGreen), "step 1 (TestBothEndsAreCloseOnExec)")
		})
	}
}

func TestATestThatCannotFailIsFound(t *testing.T) {
	root := clone(t)
	edit(t, root, tests, replace("\tl := lab.New(t)\n", "\tlab.New(t)\n\tif true {\n\t\treturn\n\t}\n\tl := lab.New(t)\n"))
	seal(t, root)
	require.Contains(t, problems(t, root, stubIsRed), `step 1 (TestBothEndsAreCloseOnExec) is "pass", not "todo"`)
}

func TestAStubThatIsTheReferenceIsFound(t *testing.T) {
	root := clone(t)
	reference, err := os.ReadFile(filepath.Join(root, "solutions/01-pipe/testdata/other/plain/pipe.go"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(root, "chapters/01-pipe/pipe.go"), reference, 0o600))
	require.Contains(t, problems(t, root, sealed), "other than sealed: pipe.go")
	seal(t, root)
	require.Contains(t, problems(t, root, stubIsRed), `is "pass", not "todo"`)
}

func TestAReferenceThatIsWrongIsFound(t *testing.T) {
	root := clone(t)
	edit(t, root, "solutions/01-pipe/pipe.go", replace("binary.BigEndian.Uint32", "binary.LittleEndian.Uint32"))
	require.Contains(t, problems(t, root, referenceIsGreen), "on the reference every step passes: step 2")
}

// The go command silently ignores an overlay that it cannot use. Then the stub
// is tested in place of the reference, and verify must notice.
func TestAnOverlayThatDoesNothingIsFound(t *testing.T) {
	root := clone(t)
	goCommand, err := exec.LookPath("go")
	require.NoError(t, err)
	bin := t.TempDir()
	script := `#!/bin/sh
for a in "$@"; do
	shift
	if [ "$a" = -overlay ]; then drop=1; continue; fi
	if [ "$drop" ]; then drop=; continue; fi
	set -- "$@" "$a"
done
exec ` + goCommand + ` "$@"
`
	require.NoError(t, os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	require.Contains(t, problems(t, root, referenceIsGreen), `is "todo", not "pass"`)
}

const variant = `
step = 2
verdict = "wrong"
reason = "the length is little-endian"
words = ["big-endian order"]

[[edit]]
file = "pipe.go"
old = 'binary.BigEndian.AppendUint32'
new = 'binary.LittleEndian.AppendUint32'

[[edit]]
file = "pipe.go"
old = 'binary.BigEndian.Uint32'
new = 'binary.LittleEndian.Uint32'
`

func TestKnownWrongSolutions(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(string) string
		want   string // what verify says of it; "" if it is right
	}{
		{"is rejected", func(s string) string { return s + "\n" }, ""},
		{"made right", func(s string) string {
			return strings.ReplaceAll(s, "binary.LittleEndian", "/* the same */ binary.BigEndian")
		}, `is "pass", not "wrong"`},
		{"no longer applies", replace("old = 'binary.BigEndian.Uint32'", "old = 'binary.BigEndian.Uint64'"), "no longer applies"},
		{"changes nothing", replace("new = 'binary.LittleEndian.Uint32'", "new = 'binary.BigEndian.Uint32'"), "changes nothing"},
		{"fails before its step", replace("step = 2", "step = 3"), `step 2 (TestMessageArrivesInAnotherProcess) is "wrong", not "pass"`},
		{"other words", replace("big-endian order", "middle-endian"), `without the words "middle-endian"`},
		{"another verdict", replace(`verdict = "wrong"`, `verdict = "hung"`), `is "wrong", not "hung"`},
		{"an unknown key", replace("reason", "raison"), "unknown key"},
		{"no words", replace(`words = ["big-endian order"]`, ""), "have to be given"},
		{"of another one", replace("step = 2", "step = 2\nof = \"plain\""), ""},
		{"of one that is not there", replace("step = 2", "step = 2\nof = \"nobody\""), "nobody"},
		{"does not build", replace("new = 'binary.LittleEndian.Uint32'", "new = 'binary.MiddleEndian.Uint32'"), `is "broken", not "pass"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := clone(t)
			path := filepath.Join(root, "solutions/01-pipe/testdata/wrong/02-little-endian.toml")
			require.NoError(t, os.WriteFile(path, []byte(variant), 0o600))
			edit(t, root, "solutions/01-pipe/testdata/wrong/02-little-endian.toml", c.change)
			require.Contains(t, problems(t, root, "every step rejects a known-wrong solution"),
				"step 1 (TestBothEndsAreCloseOnExec) has none", "the other steps reject nothing in this clone")
			found := problems(t, root, "02-little-endian")
			if c.want == "" {
				require.Empty(t, found)
			} else {
				require.Contains(t, found, c.want)
			}
		})
	}
}

func TestTooFewCorrectSolutionsAreFound(t *testing.T) {
	root := clone(t)
	require.NoError(t, os.RemoveAll(filepath.Join(root, "solutions/01-pipe/testdata/other")))
	require.Contains(t, problems(t, root, "correct solutions that look different"), "at least two")
}

func TestAGateThatProvesNothingIsFound(t *testing.T) {
	// One benchmark is enough, and the fastest to try.
	const catalogue = "harness/judge/book/01-pipe.toml"
	only := func(t *testing.T, root, gate string) {
		edit(t, root, catalogue, func(s string) string {
			parts := strings.Split(s, "[[benchmark]]")
			last := parts[len(parts)-1]
			require.Contains(t, last, `"PingPong"`)
			return parts[0] + "[[benchmark]]" + regexp.MustCompile(`gate = .*\nfast = .*`).ReplaceAllString(last, "gate = "+gate)
		})
		slow, err := filepath.Glob(filepath.Join(root, "solutions/01-pipe/testdata/slow/*"))
		require.NoError(t, err)
		for _, p := range slow {
			require.NoError(t, os.Remove(p))
		}
	}
	variant := func(t *testing.T, root, text string) {
		path := filepath.Join(root, "solutions/01-pipe/testdata/slow/a.toml")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	t.Run("no known-slow solution", func(t *testing.T) {
		root := clone(t)
		only(t, root, "0.25")
		require.Equal(t, "every gate fails a known-slow solution: PingPong fails none\n", problems(t, root, "every gate fails a known-slow solution"))
	})
	t.Run("one that is not slow", func(t *testing.T) {
		root := clone(t)
		only(t, root, "0.1")
		variant(t, root, "reason = \"It is not.\"\nbenchmarks = [\"PingPong\"]\n\n[[edit]]\nfile = \"pipe.go\"\nold = \"HeaderSize = 4\"\nnew = \"HeaderSize = 2 + 2\"\n")
		require.Contains(t, problems(t, root, "a"), `a: PingPong is "pass", not "slow"`)
	})
	t.Run("one that is wrong", func(t *testing.T) {
		root := clone(t)
		only(t, root, "0.1")
		variant(t, root, "reason = \"It is wrong.\"\nbenchmarks = [\"PingPong\"]\n\n[[edit]]\nfile = \"pipe.go\"\nold = \"HeaderSize = 4\"\nnew = \"HeaderSize = 5\"\n")
		require.Contains(t, problems(t, root, "a: every step passes"), `is "wrong", not "pass"`)
	})
	t.Run("a benchmark that is not there", func(t *testing.T) {
		root := clone(t)
		only(t, root, "0.1")
		variant(t, root, "reason = \"It is slow.\"\nbenchmarks = [\"Ping\"]\n")
		require.Contains(t, problems(t, root, "a"), `no benchmark "Ping"`)
	})
	t.Run("a gate that the plain solution fails", func(t *testing.T) {
		root := clone(t)
		only(t, root, "20")
		require.Contains(t, problems(t, root, "other/plain passes every gate"), `PingPong is "slow", not "pass"`)
	})
	t.Run("no plain solution", func(t *testing.T) {
		root := clone(t)
		edit(t, root, catalogue, replace(`plain = ["first", "plain"]`, `plain = ["frist"]`))
		require.Contains(t, problems(t, root, "held to the gates"), "there is no frist in testdata/other")
		edit(t, root, catalogue, replace(`plain = ["frist"]`, `plain = []`))
		require.Contains(t, problems(t, root, "held to the gates"), "has to name one of first")
	})
	t.Run("a gate that the reference fails", func(t *testing.T) {
		root := clone(t)
		only(t, root, "30")
		require.Contains(t, problems(t, root, "the reference passes against itself"), `the reference passes against itself: PingPong is "slow", not "pass"`)
	})
}

// A catalogue without chapters proves nothing.
func TestNoChapterIsNoPass(t *testing.T) {
	_, err := verify.Run(context.Background(), verify.Options{Root: t.TempDir()})
	require.Error(t, err)
}
