package verify

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/verdict"
)

// Soak runs each known-wrong solution of a chapter many times, with every core kept busy:
// the step that rejects it has to end in the same way every time.
type Soak struct {
	Root     string
	Chapter  book.Chapter
	From     string // the folder that paths are shown from
	Runs     int
	Seed     uint64 // of the first run
	Busy     int    // how many programs keep each core busy
	Progress func(done, all int)
}

// Soaked is what a soak saw of one solution.
type Soaked struct {
	Name    string
	Want    Wrong
	Counts  map[verdict.Verdict]int
	Odd     *check.Step // in the first run that ended otherwise than it has to
	OddSeed uint64
	Lacks   string // the word that its message lacks, if that is what is odd
}

// Run soaks.
func (s Soak) Run(ctx context.Context) ([]Soaked, error) {
	names, err := Variants(s.Root, s.Chapter, "wrong")
	if err != nil {
		return nil, err
	}
	tmp, remove, err := launch.Folder()
	if err != nil {
		return nil, err
	}
	defer remove()
	if err := os.Setenv("TMPDIR", tmp); err != nil {
		return nil, err
	}
	reference, err := overlay.Open(filepath.Join(s.Root, s.Chapter.Solution()))
	if err != nil {
		return nil, err
	}
	o := check.Options{Root: s.Root, Chapter: s.Chapter, Impl: reference, From: s.From, Turns: check.NewTurns(cores()).More(stepsPerCore)}
	if o.Like, err = check.NewRecipe(ctx, o); err != nil {
		return nil, err
	}
	defer o.Like.Close()
	stop, err := check.Load(s.Busy * cores())
	if err != nil {
		return nil, err
	}
	defer stop()

	all := make([]Soaked, len(names))
	var mu sync.Mutex
	done := 0
	running, going := errgroup.WithContext(ctx)
	running.SetLimit(rowsPerCore * cores())
	for i, name := range names {
		running.Go(func() (err error) {
			all[i], err = s.one(going, o, name)
			mu.Lock()
			defer mu.Unlock()
			done++
			s.Progress(done, len(names))
			return err
		})
	}
	return all, errors.Join(running.Wait(), ctx.Err())
}

func (s Soak) one(ctx context.Context, o check.Options, name string) (Soaked, error) {
	soaked := Soaked{Name: name, Counts: map[verdict.Verdict]int{}}
	var err error
	if soaked.Want, err = readWrong(s.Root, s.Chapter, name); err != nil {
		return soaked, err
	}
	if o.Impl, err = Variant(s.Root, s.Chapter, "wrong", name); err != nil {
		return soaked, err
	}
	o.Steps = []int{soaked.Want.Step}
	b, err := check.Build(ctx, o)
	if err != nil {
		return soaked, err
	}
	defer b.Close()
	for run := range s.Runs {
		seed := s.Seed + uint64(run)
		r, err := b.Run(ctx, seed)
		if err != nil {
			return soaked, err
		}
		step := r.Steps[0]
		soaked.Counts[step.Verdict]++
		lacks := soaked.Want.lacks(step.Message)
		if step.Verdict == verdict.Unsupported || step.Verdict == soaked.Want.Verdict && lacks == "" {
			continue
		}
		if soaked.Odd == nil {
			soaked.Odd, soaked.OddSeed = &step, seed
			if step.Verdict == soaked.Want.Verdict {
				soaked.Lacks = lacks
			}
		}
	}
	return soaked, nil
}

// lacks returns the first of the words that are not in a message, or "". A sentence may
// begin with them.
func (w Wrong) lacks(message string) string {
	for _, word := range w.Words {
		if !strings.Contains(strings.ToLower(message), strings.ToLower(word)) {
			return word
		}
	}
	return ""
}
