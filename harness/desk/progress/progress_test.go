package progress_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/desk/progress"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

func chapter(t *testing.T) book.Chapter {
	all, err := book.Chapters()
	require.NoError(t, err)
	return all[0]
}

func result(verdicts ...verdict.Verdict) (r check.Result) {
	for i, v := range verdicts {
		r.Steps = append(r.Steps, check.Step{Number: i + 1, Verdict: v})
	}
	return r
}

func TestWhatRunsShowedIsKept(t *testing.T) {
	root, c := t.TempDir(), chapter(t)
	known := progress.Of(root, c)
	require.True(t, known.At.IsZero())
	require.Zero(t, known.Passed())

	require.NoError(t, progress.Record(root, "here", c, result(verdict.Pass, verdict.Hung, verdict.Todo)))
	known = progress.Of(root, c)
	require.Equal(t, 1, known.Passed())
	next, left := known.Next(c)
	require.True(t, left)
	require.Equal(t, 2, next.Number)

	// A run of one step changes that one.
	require.NoError(t, progress.Record(root, "here", c, check.Result{Steps: []check.Step{{Number: 2, Verdict: verdict.Pass}}}))
	known = progress.Of(root, c)
	require.Equal(t, 2, known.Passed())
	require.Equal(t, verdict.Todo, known.Steps[3])

	// What does not build has no steps, and what is known of them stays.
	require.NoError(t, progress.Record(root, "here", c, check.Result{Verdict: verdict.Broken}))
	known = progress.Of(root, c)
	require.True(t, known.Broken)
	require.Equal(t, 2, known.Passed())
}

// A step is told as its last run showed it, from the same folder and to the same files.
func TestWhatAStepShowed(t *testing.T) {
	root, c := t.TempDir(), chapter(t)
	r := result(verdict.Pass, verdict.Hung)
	r.Steps[1].Message = "who waits for whom"
	require.NoError(t, progress.Record(root, "here", c, r))
	known := progress.Of(root, c)
	require.Equal(t, "who waits for whom", known.Last(root, c, 2, "here").Message)
	require.Zero(t, known.Last(root, c, 2, "there"), "its paths are shown from another folder")
	require.Zero(t, known.Last(root, c, 1, "here"), "it passes")
	require.Zero(t, known.Last(root, c, 3, "here"), "it was not run")

	write(t, root, c, "package pipe\n")
	require.Zero(t, known.Last(root, c, 2, "here"), "the file is another one")

	require.NoError(t, progress.Record(root, "here", c, result(verdict.Pass, verdict.Pass)))
	require.Zero(t, progress.Of(root, c).Last(root, c, 2, "here"), "it passes now")
}

func TestAChapterIsDoneWhenWhatIsLeftCannotRunHere(t *testing.T) {
	root, c := t.TempDir(), chapter(t)
	var all []verdict.Verdict
	for range c.Steps {
		all = append(all, verdict.Pass)
	}
	all[3] = verdict.Unsupported
	require.NoError(t, progress.Record(root, "here", c, result(all...)))
	require.True(t, progress.Of(root, c).Done(c))
	all[5] = verdict.Todo
	require.NoError(t, progress.Record(root, "here", c, result(all...)))
	known := progress.Of(root, c)
	require.False(t, known.Done(c))
	next, _ := known.Next(c)
	require.Equal(t, 6, next.Number, "what can be mended comes before what this machine lacks")
}

func TestOtherTestsAndBrokenFilesTellNothing(t *testing.T) {
	root, c := t.TempDir(), chapter(t)
	require.NoError(t, progress.Record(root, "here", c, result(verdict.Pass)))
	files, err := filepath.Glob(filepath.Join(root, ".workbook", "progress", "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 1)

	other := c
	other.Sealed = map[string][]byte{}
	for name, text := range c.Sealed {
		other.Sealed[name] = append([]byte("// a newer version\n"), text...)
	}
	require.Zero(t, progress.Of(root, other).Passed(), "after an update of the tests")

	require.NoError(t, os.WriteFile(files[0], []byte(`{"tests":`), 0o644))
	require.Zero(t, progress.Of(root, c).Passed(), "of half a file")
	require.NoError(t, progress.Record(root, "here", c, result(verdict.Pass)))
	require.Equal(t, 1, progress.Of(root, c).Passed())

	require.NoError(t, progress.Forget(root, c))
	require.NoError(t, progress.Forget(root, c))
	require.Zero(t, progress.Of(root, c).Passed())
}

func TestTwoTerminalsLoseNothing(t *testing.T) {
	root, c := t.TempDir(), chapter(t)
	var all sync.WaitGroup
	for _, s := range c.Steps {
		for range 5 {
			all.Go(func() {
				one := check.Result{Steps: []check.Step{{Number: s.Number, Verdict: verdict.Pass}}}
				if err := progress.Record(root, "here", c, one); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	require.Equal(t, len(c.Steps), progress.Of(root, c).Passed())
	left, err := filepath.Glob(filepath.Join(root, ".workbook", "progress", ".new-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestHintsAreCountedUntilTheStepPasses(t *testing.T) {
	root, c := t.TempDir(), chapter(t)
	step := c.Steps[1]
	require.Equal(t, 1, progress.Of(root, c).NextHint(step))
	require.NoError(t, progress.Hinted(root, c, 2, 1))
	require.Equal(t, 2, progress.Of(root, c).NextHint(step))
	require.NoError(t, progress.Hinted(root, c, 2, len(step.Hints)))
	require.Equal(t, len(step.Hints), progress.Of(root, c).NextHint(step), "the last one again")
	require.NoError(t, progress.Hinted(root, c, 2, 1))
	require.Equal(t, len(step.Hints), progress.Of(root, c).Hints[2])
	require.NoError(t, progress.Record(root, "here", c, result(verdict.Pass, verdict.Pass)))
	require.Zero(t, progress.Of(root, c).Hints[2])
}

// What was edited since is seen by what the files contain, not by their times: a file
// that is moved back has an old one.
func TestWhatWasEditedSinceIsSeen(t *testing.T) {
	root, c := t.TempDir(), chapter(t)
	first := write(t, root, c, "package pipe\n")
	require.False(t, progress.Of(root, c).Changed(root, c), "where nothing was run")
	one := result(verdict.Pass)
	one.Sum = first
	require.NoError(t, progress.Record(root, "here", c, one))
	require.False(t, progress.Of(root, c).Changed(root, c))
	second := write(t, root, c, "package pipe\n\nfunc New() {}\n")
	require.True(t, progress.Of(root, c).Changed(root, c))

	// A run of one step tells nothing of the others.
	one.Sum = second
	require.NoError(t, progress.Record(root, "here", c, one))
	require.True(t, progress.Of(root, c).Changed(root, c))
	var all []verdict.Verdict
	for range c.Steps {
		all = append(all, verdict.Todo)
	}
	whole := result(all...)
	whole.Sum = second
	require.NoError(t, progress.Record(root, "here", c, whole))
	require.False(t, progress.Of(root, c).Changed(root, c))
	write(t, root, c, "package pipe\n")
	require.True(t, progress.Of(root, c).Changed(root, c), "what was there before is back")
}

// write writes the learner's file, and returns what names it.
func write(t *testing.T, root string, c book.Chapter, text string) string {
	t.Helper()
	dir := filepath.Join(root, c.Dir())
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pipe.go"), []byte(text), 0o644))
	impl, err := overlay.Open(dir)
	require.NoError(t, err)
	return impl.Sum()
}
