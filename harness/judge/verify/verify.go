// Package verify proves that the workbook teaches what it says. The laws:
//
//  1. Red: on the stub every test fails by itself, as todo. With only the
//     constructor right, exactly the steps that need no more pass.
//  2. Green: on the reference every test passes, under the race detector, without a C
//     compiler and on a busy machine too, and leaves nothing behind.
//  3. Rejects: every known-wrong solution passes the steps before the one that
//     it names, and fails there, with the words that it names. Every step
//     rejects at least one.
//  4. Accepts: every correct solution that merely looks different passes.
//  5. Gates: each benchmark's gate passes the reference against itself, and fails
//     a solution that is known to be slow.
//  6. Words: every command, path and output in a README or in docs/ is real.
//
// Before them come the harness's own tests, as law 0: what the laws are proved
// with has to hold itself.
//
// Each row is a [Proof]: what it depends on is known before it is tried. What was
// proven on this machine for the same is kept, and not proven again (store.go).
package verify

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

// Row is one thing that was proved, or not.
type Row struct {
	Chapter string
	Law     int
	What    string
	Saw     string        // how it ended, in a few words
	Problem string        // why it is not proved; "" if it is
	Skipped string        // why it could not be tried on this machine
	Took    time.Duration // 0 where nothing was run
	// Unstable says that it failed, and then passed: the problem tells with which
	// seeds. It is not proved.
	Unstable bool
	// Kept is when it was proven, if that was in an earlier run.
	Kept time.Time
}

// Laws are the laws' names.
var Laws = map[int]string{0: "own tests", 1: "red", 2: "green", 3: "rejects", 4: "accepts", 5: "gates", 6: "words"}

// Proof is a row to come.
type Proof struct {
	Chapter string
	Law     int
	What    string
	// Inputs is a name for all that the row depends on, beside the machine. A row that
	// has none is tried every time: it costs next to nothing.
	Inputs string
	// Alone says that it is tried when nothing else runs: it measures, or loads the
	// machine itself.
	Alone bool
	// OneCore says that it measures on one core: of those there is one for each core at a
	// time, and nothing else.
	OneCore bool
	// First says that it is tried before the others, one for each core: what they are
	// proved with, and what itself starts much.
	First bool
	// Try proves it. The seed is that of the steps' random numbers. More rows may come
	// of it than the first one: what could not be tried here.
	Try func(ctx context.Context, seed uint64) []Row

	data func() any // what is kept with it, if it was proven
	have func([]byte) bool
}

// Name is how a reader calls a row: "03-socket/05-no-cloexec".
func (p Proof) Name() string { return p.Chapter + "/" + p.What }

// Options say what to verify.
type Options struct {
	Root     string // the workbook's root, absolute
	Chapters []book.Chapter
	// Laws are the numbers of the laws to prove; all if empty.
	Laws []int
	// Own runs the harness's own tests too.
	Own bool
	// Words proves law 6; nil leaves it out, for one chapter alone.
	Words func(*Tree) ([]Proof, error)
	// Row is the name of a row, or a part of it: only such rows are proven, and anew.
	Row string
	// Fresh proves all anew.
	Fresh bool
	// Tries is how often a row is tried that fails; 3 if it is 0.
	Tries int

	// Begin is called once, before the first row.
	Begin func(Plan)
	// Now is called when something begins or ends.
	Now func(Status)
	// Progress is called with each row as it is known.
	Progress func(Row)
}

// Plan is what is to come.
type Plan struct {
	Rows, Kept int           // all, and those of them that an earlier run proved
	Last       time.Duration // how long all of them took the last time; 0 if nobody knows
}

// Status is how far it is.
type Status struct {
	Rows, Done int
	Running    []string
	Left       time.Duration // 0 if nobody knows
}

// verifier proves the laws for one chapter.
type verifier struct {
	Options
	chapter  book.Chapter
	turns    *check.Turns
	reached  reached
	recipe   recipe
	together together
	free     chan int // the cores on which nothing is measured now
	tree     *Tree
	inputs   func(file string) bool
	// few says that there is little to prove: what saves time for many costs more then.
	few bool
}

// Run proves the laws and returns all rows. An error means that it could not go
// on; what does not hold is in the rows.
func Run(ctx context.Context, o Options) ([]Row, error) {
	if len(o.Chapters) == 0 {
		return nil, fmt.Errorf("there is no chapter to verify")
	}
	tree, err := ReadTree(o.Root)
	if err != nil {
		return nil, err
	}
	proofs, end, err := o.proofs(tree)
	if err != nil {
		return nil, err
	}
	if o.Row != "" {
		if proofs, err = named(proofs, o.Row); err != nil {
			return nil, err
		}
	}
	defer end()
	return newRunner(o, tree, proofs).run(ctx)
}

// proofs are all rows to come, in their order. End removes what they have made.
func (o Options) proofs(tree *Tree) (all []Proof, end func(), err error) {
	var verifiers []*verifier
	end = func() {
		for _, v := range verifiers {
			v.together.close()
			v.recipe.like.Close()
		}
	}
	if o.Own {
		own, err := own(o.Root, tree)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, own...)
	}
	turns := check.NewTurns(cores()).More(stepsPerCore)
	free := make(chan int, cores())
	for n := range cores() {
		free <- n
	}
	for _, c := range o.Chapters {
		inputs, err := tree.ofChapter(c)
		if err != nil {
			return nil, nil, err
		}
		v := &verifier{Options: o, chapter: c, turns: turns, tree: tree, inputs: inputs, free: free}
		verifiers = append(verifiers, v)
		if names, err := Variants(o.Root, c, "wrong"); err == nil {
			v.few = o.Row != "" || len(names) < 4
		}
		for i, law := range []func() ([]Proof, error){v.red, v.green, v.rejects, v.accepts, v.gates} {
			if len(o.Laws) > 0 && !slices.Contains(o.Laws, i+1) {
				continue
			}
			proofs, err := law()
			if err != nil {
				return nil, nil, fmt.Errorf("chapter %d: %w", c.Number, err)
			}
			for _, p := range proofs {
				p.Chapter, p.Law = c.Folder(), i+1
				all = append(all, p)
			}
		}
	}
	if o.Words != nil {
		words, err := o.Words(tree)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, words...)
	}
	return all, end, nil
}

// named are the rows that have this name, or else those whose name has it as a part.
func named(all []Proof, name string) (some []Proof, err error) {
	for _, is := range []func(Proof) bool{
		func(p Proof) bool { return p.What == name || p.Name() == name },
		func(p Proof) bool { return strings.Contains(p.Name(), name) },
	} {
		for _, p := range all {
			if is(p) {
				some = append(some, p)
			}
		}
		if len(some) > 0 {
			return some, nil
		}
	}
	return nil, NoRow(name)
}

// NoRow says that there is no row of a name.
type NoRow string

func (n NoRow) Error() string {
	return fmt.Sprintf("there is no row %q. A row has the name that verify shows, as 05-reader-keeps-the-write-end, or 01-pipe/05-reader-keeps-the-write-end", string(n))
}

// sum names what a row of the chapter depends on, with some files more.
func (v *verifier) sum(more ...func(file string) bool) string {
	return v.tree.Sum(either(append(more, v.inputs)...))
}

// at once is a row that is known without running anything.
func atOnce(what string, look func() (saw, problem string)) Proof {
	return Proof{What: what, Try: func(context.Context, uint64) []Row {
		saw, problem := look()
		return []Row{{Saw: saw, Problem: problem}}
	}}
}

// one makes rows of the end of a try.
func one(saw, problem string, err error) []Row {
	if err != nil {
		problem = err.Error()
	}
	return []Row{{Saw: saw, Problem: problem}}
}

// run checks an implementation with the chapter's sealed tests.
func (v *verifier) run(ctx context.Context, impl overlay.Impl, race bool, seed uint64, steps ...int) (check.Result, error) {
	var like *check.Recipe
	if !race && !v.few {
		like = v.recipe.of(ctx, v)
	}
	o := check.Options{
		Root: v.Root, Chapter: v.chapter, Impl: impl, Steps: steps, Race: race, Seed: seed, From: v.Root, Turns: v.turns, Like: like,
	}
	if g := v.group(ctx, o); g != nil {
		o.Together = g.Together
	}
	return check.Run(ctx, o)
}

// recipe is how the chapter's reference is built, and so its variants.
type recipe struct {
	once sync.Once
	like *check.Recipe // nil if the go command has to build each of them
}

func (r *recipe) of(ctx context.Context, v *verifier) *check.Recipe {
	r.once.Do(func() {
		if reference, err := v.reference(); err == nil {
			r.like, err = check.NewRecipe(ctx, check.Options{Root: v.Root, Chapter: v.chapter, Impl: reference, From: v.Root, Turns: v.turns})
			if err == nil {
				r.like.Numbered = true
			}
		}
	})
	return r.like
}

// expect compares the steps' verdicts with what a law asks for. A step may be
// unsupported where the machine lacks what the book says that it needs.
func (v *verifier) expect(r check.Result, want func(check.Step) verdict.Verdict) string {
	for _, s := range r.Steps {
		if s.Verdict == verdict.Unsupported && v.lacks(s.Number) != "" {
			continue
		}
		if w := want(s); s.Verdict != w {
			return fmt.Sprintf("step %d (%s) is %q, not %q:\n%s", s.Number, s.Test, s.Verdict, w, s.Message)
		}
	}
	return ""
}

func everywhere(want verdict.Verdict) func(check.Step) verdict.Verdict {
	return func(check.Step) verdict.Verdict { return want }
}

// reference is the chapter's reference solution.
func (v *verifier) reference() (overlay.Impl, error) {
	return overlay.Open(filepath.Join(v.Root, v.chapter.Solution()))
}

// testdata is a path below the root, in the reference's testdata folder.
func (v *verifier) testdata(names ...string) string {
	return filepath.Join(append([]string{v.chapter.Solution(), "testdata"}, names...)...)
}

// Count counts the rows.
func Count(rows []Row) (passed, failed, skipped int) {
	for _, r := range rows {
		switch {
		case r.Problem != "":
			failed++
		case r.Skipped != "":
			skipped++
		default:
			passed++
		}
	}
	return passed, failed, skipped
}
