// Package verify proves that the workbook teaches what it says. The laws:
//
//  1. Red: on the stub every test fails by itself, as todo. With only the
//     constructor right, exactly the steps that need no more pass.
//  2. Green: on the reference every test passes, under the race detector and on
//     a busy machine too, and leaves nothing behind.
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
package verify

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/step/launch"
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
}

// Laws are the laws' names.
var Laws = map[int]string{0: "own tests", 1: "red", 2: "green", 3: "rejects", 4: "accepts", 5: "gates", 6: "words"}

// Options say what to verify.
type Options struct {
	Root     string // the workbook's root, absolute
	Chapters []book.Chapter
	// Progress is called with each row as it is known.
	Progress func(Row)
	// Laws are the numbers of the laws to prove; all if empty.
	Laws []int
	// Own runs the harness's own tests first.
	Own bool
	// Words proves law 6; nil leaves it out, for one chapter alone.
	Words func(ctx context.Context) []Row
}

// verifier proves the laws for one chapter.
type verifier struct {
	Options
	chapter book.Chapter
	tmp     string
	mu      sync.Mutex
	rows    []Row
}

// Run proves the laws and returns all rows. An error means that it could not go
// on; what does not hold is in the rows.
func Run(ctx context.Context, o Options) ([]Row, error) {
	if len(o.Chapters) == 0 {
		return nil, fmt.Errorf("there is no chapter to verify")
	}
	var all []Row
	if o.Own {
		err := own(ctx, o.Root, func(r Row) {
			all = append(all, r)
			o.Progress(r)
		})
		if err != nil {
			return all, err
		}
	}
	for _, c := range o.Chapters {
		tmp, remove, err := launch.Folder()
		if err != nil {
			return all, err
		}
		v := &verifier{Options: o, chapter: c, tmp: tmp}
		err = v.laws(ctx)
		remove()
		all = append(all, v.rows...)
		if err != nil {
			return all, fmt.Errorf("chapter %d: %w", c.Number, err)
		}
	}
	if o.Words != nil {
		for _, row := range o.Words(ctx) {
			o.Progress(row)
			all = append(all, row)
		}
	}
	return all, ctx.Err()
}

func (v *verifier) laws(ctx context.Context) error {
	for i, law := range []func(context.Context) error{v.red, v.green, v.rejects, v.accepts, v.gates} {
		if len(v.Laws) > 0 && !slices.Contains(v.Laws, i+1) {
			continue
		}
		if err := law(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// add records a row.
func (v *verifier) add(r Row) {
	r.Chapter = v.chapter.Folder()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rows = append(v.rows, r)
	if v.Progress != nil {
		v.Progress(r)
	}
}

// run checks an implementation with the chapter's sealed tests.
func (v *verifier) run(ctx context.Context, impl overlay.Impl, race bool, steps ...int) (check.Result, time.Duration, error) {
	begun := time.Now()
	r, err := check.Run(ctx, check.Options{
		Root: v.Root, Chapter: v.chapter, Impl: impl, Steps: steps, Race: race, Seed: 1, From: v.Root,
	})
	return r, time.Since(begun).Round(10 * time.Millisecond), err
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

// testdata is a path below the reference's testdata folder.
func (v *verifier) testdata(names ...string) string {
	return filepath.Join(append([]string{v.Root, v.chapter.Solution(), "testdata"}, names...)...)
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
