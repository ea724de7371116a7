package verify

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/book"
)

// workbook copies what the proofs of a chapter depend on, and more.
func workbook(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{"chapters", "solutions", "harness", "docs"} {
		require.NoError(t, os.CopyFS(filepath.Join(to, name), os.DirFS(filepath.Join("../../..", name))))
	}
	for _, name := range []string{"go.mod", "go.sum", "README.md"} {
		text, err := os.ReadFile(filepath.Join("../../..", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, name), text, 0o600))
	}
	return to
}

// sumOf is what one known-wrong solution of chapter 1 depends on, and its own tests.
func sumOf(t *testing.T, root string) (row, tests, words string) {
	t.Helper()
	c, err := book.Find("pipe")
	require.NoError(t, err)
	tree, err := ReadTree(root)
	require.NoError(t, err)
	inputs, err := tree.ofChapter(c)
	require.NoError(t, err)
	v := &verifier{Options: Options{Root: root}, chapter: c, tree: tree, inputs: inputs}
	return v.sum(below(v.testdata("wrong", "01-no-cloexec.toml"))),
		tree.Sum(Named("impl=wrong/01-no-cloexec and docs/learners.md")),
		tree.Sum(Named("./task test chapter=1 impl=wrong/01-no-cloexec"))
}

// Each kind of input, changed by a byte, makes the proof void, and nothing else does.
func TestEachKindOfInput(t *testing.T) {
	root := workbook(t)
	row, tests, words := sumOf(t, root)
	for _, c := range []struct {
		file              string
		row, tests, words bool // changes with it
	}{
		{"solutions/01-pipe/pipe.go", true, true, true},                               // the reference
		{"solutions/01-pipe/testdata/wrong/01-no-cloexec.toml", true, true, true},     // the variant
		{"solutions/01-pipe/testdata/wrong/01-socket-pair.toml", false, false, false}, // another one
		{"solutions/01-pipe/testdata/other/plain/pipe.go", false, false, false},       // one that is right
		{"solutions/02-file/file.go", false, true, true},                              // another chapter's
		{"harness/judge/book/01-pipe.txtar", true, true, true},                        // the sealed tests
		{"harness/judge/book/01-pipe.toml", true, true, true},                         // the steps
		{"harness/judge/book/02-file.txtar", false, true, true},                       // another chapter's
		{"chapters/01-pipe/pipe.go", true, true, true},                                // what is on the disk
		{"chapters/01-pipe/demo/main.go", true, true, true},                           // the scenario
		{"chapters/01-pipe/README.md", false, false, false},                           // the lesson
		{"harness/lab/lab.go", true, true, true},                                      // what the tests import
		{"harness/step/procfs/sight.go", true, true, true},                            // what that imports
		{"harness/step/supervisor/watch.go", true, true, true},                        // what runs a step
		{"harness/judge/check/check.go", true, true, true},                            // what judges
		{"harness/judge/check/check_test.go", false, true, true},                      // its own tests
		{"harness/desk/screen/screen.go", false, true, true},                          // what shows it
		{"harness/step/explain/testdata/read-itself.golden", false, true, true},       // a golden text
		{"docs/learners.md", false, true, false},                                      // named by the tests
		{"docs/design.md", false, false, false},                                       // named by nobody
		{"go.mod", true, true, true},
		{"go.sum", true, true, true},
	} {
		path := filepath.Join(root, c.file)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		changed := append([]byte{}, text...)
		changed[len(changed)-1] ^= 1
		if strings.HasSuffix(c.file, ".go") {
			changed = append(text, '\n') // it has to parse
		}
		require.NoError(t, os.WriteFile(path, changed, 0o600))
		afterRow, afterTests, afterWords := sumOf(t, root)
		require.Equal(t, c.row, row != afterRow, "%s: a row of the chapter", c.file)
		require.Equal(t, c.tests, tests != afterTests, "%s: own tests", c.file)
		require.Equal(t, c.words, words != afterWords, "%s: shown outputs", c.file)
		require.NoError(t, os.WriteFile(path, text, 0o600))
	}
	// A file more, or one that may be executed, is another input too.
	backRow, backTests, backWords := sumOf(t, root)
	require.Equal(t, []string{row, tests, words}, []string{backRow, backTests, backWords}, "all is as it was")
	require.NoError(t, os.WriteFile(filepath.Join(root, "solutions/01-pipe/more.go"), nil, 0o600))
	more, _, _ := sumOf(t, root)
	require.NotEqual(t, row, more)
	require.NoError(t, os.Chmod(filepath.Join(root, "solutions/01-pipe/more.go"), 0o700))
	executable, _, _ := sumOf(t, root)
	require.NotEqual(t, more, executable)
}

// The machine is an input: kernel, Go, who runs it, which programs there are.
func TestTheMachineIsAnInput(t *testing.T) {
	is := machine()
	require.Contains(t, is, runtime.Version())
	require.Contains(t, is, "kernel ")
	s := &store{dir: t.TempDir(), machine: is}
	p := Proof{Chapter: "c", Law: 3, What: "a", Inputs: "x"}
	require.NoError(t, s.write(p, []Row{{Saw: "pass"}}, nil))
	_, proven := s.read(p)
	require.True(t, proven)
	s.machine = strings.Replace(is, "kernel ", "kernel 0", 1)
	_, proven = s.read(p)
	require.False(t, proven)

	t.Setenv("TMPDIR", "/dev/shm")
	require.NotEqual(t, is, machine(), "where temporary files are")
	t.Setenv("PATH", filepath.Dir(must(os.Executable()))+":/nowhere")
	require.NotContains(t, machine(), "python3")
}

func must(s string, err error) string {
	if err != nil {
		panic(err)
	}
	return s
}

// Whatever becomes of the store, it never proves what it did not.
func TestADamagedStoreProvesNothing(t *testing.T) {
	s := &store{dir: t.TempDir(), machine: "m"}
	p := Proof{Chapter: "c", Law: 3, What: "a", Inputs: "x"}
	require.NoError(t, s.write(p, []Row{{Saw: "pass", Took: time.Second}}, []byte(`{"1":[2]}`)))
	path := s.file(p)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	r, proven := s.read(p)
	require.True(t, proven)
	require.Equal(t, "pass", r.Rows[0].Saw)
	require.Equal(t, time.Second, r.Took)
	for i := range whole {
		require.NoError(t, os.WriteFile(path, whole[:i], 0o600)) // half written
		_, proven := s.read(p)
		if strings.TrimSpace(string(whole[i:])) != "" {
			require.False(t, proven, "cut at %d", i)
		}
		flipped := append([]byte{}, whole...)
		flipped[i] ^= 1
		require.NoError(t, os.WriteFile(path, flipped, 0o600))
		r, proven := s.read(p)
		if proven { // it says the same in other bytes
			require.Equal(t, "pass", r.Rows[0].Saw)
			require.JSONEq(t, `{"1":[2]}`, string(r.Data))
		}
	}
	// Another row's proof is no proof, nor is one of other inputs.
	require.NoError(t, os.WriteFile(path, whole, 0o600))
	other := p
	other.What = "b"
	require.NoError(t, os.WriteFile(s.file(other), whole, 0o600))
	_, proven = s.read(other)
	require.False(t, proven)
	other = p
	other.Inputs = "y"
	_, proven = s.read(other)
	require.False(t, proven)
	other.Inputs = ""
	_, proven = s.read(other)
	require.False(t, proven, "what has no inputs is tried every time")
}

// tried counts how often each row of a run is tried.
type tried struct {
	t     *testing.T
	root  string
	store *store
}

func (x *tried) run(ctx context.Context, o Options, proofs ...Proof) ([]Row, error) {
	o.Root = x.root
	r := &runner{Options: o, begun: time.Now(), rows: len(proofs), store: x.store}
	r.take(proofs)
	return r.run(ctx)
}

func newTried(t *testing.T) *tried {
	root := t.TempDir()
	return &tried{t: t, root: root, store: &store{dir: filepath.Join(root, "proofs"), machine: "m"}}
}

// ends is a row that ends so, one after the other; the last end comes again and again.
func ends(what string, n *atomic.Int32, rows ...Row) Proof {
	return Proof{Chapter: "c", Law: 3, What: what, Inputs: "x", Try: func(context.Context, uint64) []Row {
		i := int(n.Add(1)) - 1
		return []Row{rows[min(i, len(rows)-1)]}
	}}
}

func TestWhatWasProvenIsKept(t *testing.T) {
	x := newTried(t)
	var good, bad, skipped, free atomic.Int32
	proofs := []Proof{
		ends("good", &good, Row{Saw: "pass"}),
		ends("bad", &bad, Row{Problem: "no"}),
		ends("skipped", &skipped, Row{Skipped: "there is none"}),
		ends("free", &free, Row{Saw: "pass"}),
	}
	proofs[3].Inputs = ""
	rows, err := x.run(t.Context(), Options{}, proofs...)
	require.NoError(t, err)
	passed, failed, left := Count(rows)
	require.Equal(t, []int{2, 1, 1}, []int{passed, failed, left})
	require.EqualValues(t, []int32{1, tries, 1, 1}, []int32{good.Load(), bad.Load(), skipped.Load(), free.Load()})

	rows, err = x.run(t.Context(), Options{}, proofs...)
	require.NoError(t, err)
	passed, failed, left = Count(rows)
	require.Equal(t, []int{2, 1, 1}, []int{passed, failed, left}, "every row is told again")
	require.EqualValues(t, []int32{1, 2 * tries, 2, 2}, []int32{good.Load(), bad.Load(), skipped.Load(), free.Load()})
	require.Equal(t, "good", rows[0].What)
	require.False(t, rows[0].Kept.IsZero())

	_, err = x.run(t.Context(), Options{Fresh: true}, proofs[0])
	require.NoError(t, err)
	require.EqualValues(t, 2, good.Load(), "fresh proves it anew")
	proofs[0].Inputs = "y"
	_, err = x.run(t.Context(), Options{}, proofs[0])
	require.NoError(t, err)
	require.EqualValues(t, 3, good.Load(), "other inputs are another proof")
	_, err = x.run(t.Context(), Options{Row: "good"}, proofs[0])
	require.NoError(t, err)
	require.EqualValues(t, 4, good.Load(), "a row that is asked for is proven anew")
}

// A row that fails and then passes is told as that, with the seeds, and fails the run.
func TestAnUnstableRow(t *testing.T) {
	x := newTried(t)
	var n atomic.Int32
	rows, err := x.run(t.Context(), Options{}, ends("now and then", &n, Row{Problem: "it was late"}, Row{Saw: "pass"}, Row{Problem: "late again"}))
	require.NoError(t, err)
	require.EqualValues(t, tries, n.Load())
	require.Len(t, rows, 1)
	require.True(t, rows[0].Unstable)
	require.Equal(t, "unstable: with seed 1 it fails; with seed 1 it passes; with seed 2 it fails. The first time:\nit was late", rows[0].Problem)
	_, failed, _ := Count(rows)
	require.Equal(t, 1, failed)
	_, proven := x.store.read(Proof{Chapter: "c", Law: 3, What: "now and then", Inputs: "x"})
	require.False(t, proven)
}

// What was proven before a run is stopped is kept.
func TestAStopLosesNothing(t *testing.T) {
	x := newTried(t)
	ctx, stop := context.WithCancel(t.Context())
	var n atomic.Int32
	first := ends("first", &n, Row{Saw: "pass"})
	first.First = true
	second := Proof{Chapter: "c", Law: 3, What: "second", Inputs: "x", Try: func(ctx context.Context, _ uint64) []Row {
		stop()
		<-ctx.Done()
		return []Row{{Problem: ctx.Err().Error()}}
	}}
	rows, err := x.run(ctx, Options{}, first, second)
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, rows, 1, "nothing is told of the one that was stopped")
	_, err = x.run(t.Context(), Options{}, first)
	require.NoError(t, err)
	require.EqualValues(t, 1, n.Load(), "it is not proven again")
}

// What the others are proved with comes before them, and what wants the machine alone has
// it, at the end. Before that come the rows that want a core, one on each.
func TestTheOrderOfRows(t *testing.T) {
	x := newTried(t)
	var all, firsts, done atomic.Int32
	var broken atomic.Bool
	row := func(what string, first, oneCore, alone bool) Proof {
		return Proof{Chapter: "c", Law: 5, What: what, Inputs: "x", First: first, OneCore: oneCore, Alone: alone, Try: func(context.Context, uint64) []Row {
			n := all.Add(1)
			defer all.Add(-1)
			if first {
				firsts.Add(1)
			}
			if !first && firsts.Load() < 6 || alone && (n > 1 || done.Load() < 18) || oneCore && (int(n) > cores() || done.Load() < 12) {
				broken.Store(true)
			}
			for range 1000 {
				runtime.Gosched()
			}
			done.Add(1)
			return []Row{{Saw: "pass"}}
		}}
	}
	var proofs []Proof
	for _, what := range []string{"a", "b", "c", "d", "e", "f"} {
		proofs = append(proofs, row(what+" alone", false, false, true), row(what+" core", false, true, false), row(what, false, false, false), row(what+" first", true, false, false))
	}
	rows, err := x.run(t.Context(), Options{}, proofs...)
	require.NoError(t, err)
	require.Len(t, rows, len(proofs))
	require.False(t, broken.Load())
	for i, row := range rows {
		require.Equal(t, proofs[i].What, row.What, "they are returned in the order of the proofs")
	}
}

func TestARowIsFoundByItsName(t *testing.T) {
	all := []Proof{{Chapter: "01-pipe", What: "01-a"}, {Chapter: "01-pipe", What: "01-a-b"}, {Chapter: "02-file", What: "01-a"}}
	for name, n := range map[string]int{"01-a": 2, "01-pipe/01-a": 1, "a-b": 1, "01-pipe/": 2} {
		some, err := named(all, name)
		require.NoError(t, err)
		require.Len(t, some, n, name)
	}
	_, err := named(all, "nothing")
	var none NoRow
	require.True(t, errors.As(err, &none))
}
