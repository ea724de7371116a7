package check_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

// withoutGo takes the go command away: what is built then is built by a recipe.
func withoutGo(t *testing.T) {
	t.Helper()
	t.Setenv("PATH", t.TempDir())
}

// referenceOf is a chapter's reference and how it is built, for these steps.
func referenceOf(t *testing.T, name string, steps ...int) check.Options {
	t.Helper()
	c, err := book.Find(name)
	require.NoError(t, err)
	o := check.Options{Root: root(t), Chapter: c, Seed: 1, Steps: steps, From: root(t)}
	o.Impl, err = overlay.Open(filepath.Join(root(t), c.Solution()))
	require.NoError(t, err)
	o.Like, err = check.NewRecipe(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(o.Like.Close)
	return o
}

// edited is the reference with one more edit at the end of one of its files.
func edited(t *testing.T, c book.Chapter, file, old, new string) overlay.Impl {
	t.Helper()
	reference, err := overlay.Open(filepath.Join(root(t), c.Solution()))
	require.NoError(t, err)
	texts, err := reference.Read()
	require.NoError(t, err)
	require.NoError(t, overlay.Apply(texts, []overlay.Edit{{File: file, Old: old, New: new}}))
	return overlay.Memory("edited", texts)
}

// Variants of every chapter's reference are built by a recipe alone, also those with other
// files, and it is they that run.
func TestARecipeBuildsWhatTheGoCommandBuilds(t *testing.T) {
	chapters, err := book.Chapters()
	require.NoError(t, err)
	for _, c := range chapters {
		t.Run(c.Name, func(t *testing.T) {
			o := referenceOf(t, c.Name, 1)
			reference := o.Impl
			withoutGo(t)
			texts, err := reference.Read()
			require.NoError(t, err)
			texts["more.go"] = []byte("package " + c.Name + "\n\nfunc init() { panic(\"more.go runs\") }\n")
			texts["more_windows.go"] = []byte("package " + c.Name + "\n\nfunc init() { undefined() }\n")
			for _, numbered := range []bool{false, true} {
				o.Like.Numbered = numbered
				o.Impl = reference
				r, err := check.Run(t.Context(), o)
				require.NoError(t, err)
				require.Equal(t, verdict.Pass, r.Verdict, r.Steps[0].Message)

				o.Impl = overlay.Memory("more", texts)
				r, err = check.Run(t.Context(), o)
				require.NoError(t, err)
				require.Equal(t, verdict.Crashed, r.Verdict, r.Steps[0].Message)
				require.Contains(t, r.Steps[0].Message, "panic: more.go runs")
				require.Contains(t, r.Steps[0].Message, "more/more.go:3")
			}
		})
	}
}

// A line in a message is that of the file which was built; where lines may be those of the
// recipe's implementation, they are.
func TestTheLinesOfARecipe(t *testing.T) {
	o := referenceOf(t, "pipe", 2)
	c := o.Chapter
	text, err := os.ReadFile(filepath.Join(root(t), c.Solution(), "pipe.go"))
	require.NoError(t, err)
	const send = "func (w *Writer) Send(p []byte) error {"
	before, _, found := strings.Cut(string(text), send)
	require.True(t, found)
	line := strings.Count(before, "\n") + 2 // of the first statement
	const constructor = "func New("
	longer := strings.Replace(before, constructor, "func added() {\n}\n\n"+constructor, 1)
	require.NotEqual(t, before, longer)
	withoutGo(t)
	for numbered, want := range map[bool]int{false: line + 3, true: line} {
		o.Like.Numbered = numbered
		o.Impl = edited(t, c, "pipe.go", before+send, longer+send+"\n\tpanic(\"here\")")
		r, err := check.Run(t.Context(), o)
		require.NoError(t, err)
		require.Equal(t, verdict.Crashed, r.Verdict, r.Steps[0].Message)
		m := regexp.MustCompile(`pipe\.go:(\d+)  `).FindStringSubmatch(r.Steps[0].Message)
		require.NotNil(t, m, r.Steps[0].Message)
		require.Equal(t, want, r.Steps[0].Line, "numbered: %v\n%s", numbered, r.Steps[0].Message)
	}
}

// What a recipe cannot build, the go command builds, or says why it does not.
func TestARecipeThatDoesNotDo(t *testing.T) {
	o := referenceOf(t, "pipe", 1)
	texts, err := o.Impl.Read()
	require.NoError(t, err)
	texts["more.go"] = []byte("package pipe\n\nimport _ \"container/ring\" // nobody else imports it\n")
	o.Impl = overlay.Memory("more", texts)
	r, err := check.Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, verdict.Pass, r.Verdict)

	texts["more.go"] = []byte("package pipe\n\nvar x int = \"\"\n")
	o.Impl = overlay.Memory("more", texts)
	r, err = check.Run(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, verdict.Broken, r.Verdict)
	require.Contains(t, r.Message, "more/more.go:3")
}

// Of each step is known which blocks it enters, in all of its processes, also in those
// that are killed.
func TestWhichBlocksAStepEnters(t *testing.T) {
	c, err := book.Find("pipe")
	require.NoError(t, err)
	o := check.Options{Root: root(t), Chapter: c, Seed: 1, From: root(t)}
	o.Impl, err = overlay.Open(filepath.Join(root(t), c.Solution()))
	require.NoError(t, err)
	texts, err := o.Impl.Read()
	require.NoError(t, err)
	blocks, err := check.Blocks(texts)
	require.NoError(t, err)
	reached, err := check.Reached(context.Background(), o)
	require.NoError(t, err)
	require.Len(t, reached, len(c.Steps))
	enters := func(step int, function string) bool {
		for _, i := range reached[step] {
			if blocks[i].Func == function {
				return true
			}
		}
		return false
	}
	require.True(t, enters(1, "New"))
	require.False(t, enters(1, "Writer.Send"), "step 1 looks at the ends only")
	require.True(t, enters(2, "Writer.Send"), "in the other process")
	require.True(t, enters(6, "Writer.Send"), "in a process that is killed")
	require.False(t, enters(2, "Writer.SetCapacity"))
	require.True(t, enters(11, "Writer.SetCapacity"))
}
