package verify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// How much runs side by side. A step waits for most of its time: of steps there may be
// several for each core, and as many rows, while of builds there is one.
const (
	stepsPerCore = 5
	rowsPerCore  = 5
)

func cores() int { return runtime.NumCPU() }

// tries is how often a row is tried that fails. One that passes then is unstable.
const tries = 3

// runner tries the proofs of one run, and keeps those that hold.
type runner struct {
	Options
	store *store // nil keeps nothing
	begun time.Time

	mu      sync.Mutex
	todo    []*job
	all     []told
	done    int
	kept    int
	rows    int
	running []string
	left    time.Duration // of all that is to do or runs, by what it took the last time
	ended   time.Duration // of what has ended
	errs    []error
}

// told is a row with the place of its proof among all.
type told struct {
	Row
	at int
}

// rowsNow are the rows so far, in the order of the proofs.
func (r *runner) rowsNow() []Row {
	slices.SortStableFunc(r.all, func(a, b told) int { return cmp.Compare(a.at, b.at) })
	var rows []Row
	for _, t := range r.all {
		rows = append(rows, t.Row)
	}
	return rows
}

// job is a proof with what is known of it.
type job struct {
	Proof
	at   int           // among all
	took time.Duration // the last time
}

// guess is what a row takes of which nothing is known.
const guess = 4 * time.Second

func newRunner(o Options, tree *Tree, proofs []Proof) *runner {
	r := &runner{Options: o, begun: time.Now(), rows: len(proofs)}
	if !tree.outdated() {
		r.store = openStore(o.Root)
	}
	r.take(proofs)
	return r
}

// take parts the proofs into those that are kept and those that are to do.
func (r *runner) take(proofs []Proof) {
	for i, p := range proofs {
		j := &job{Proof: p, at: i, took: guess}
		if p.Inputs == "" {
			j.took = 0
		}
		if r.store != nil {
			known, proven := r.store.read(p)
			if known.Took > 0 {
				j.took = known.Took
			}
			if proven && !r.Fresh && (p.have == nil || p.have(known.Data)) && r.Row == "" {
				for _, row := range known.Rows {
					row.Chapter, row.Law, row.Kept = p.Chapter, p.Law, known.Proven
					row.What, row.Took = cmp.Or(row.What, p.What), 0
					r.all = append(r.all, told{row, i})
				}
				r.kept++
				continue
			}
		}
		r.left += j.took
		r.todo = append(r.todo, j)
	}
}

func (r *runner) run(ctx context.Context) ([]Row, error) {
	kept := r.rowsNow()
	r.done = r.kept
	if r.Begin != nil {
		plan := Plan{Rows: r.rows, Kept: r.kept}
		if r.store != nil {
			if last, known := r.store.lastRun(r.rows); known {
				plan.Last = last.Took
			}
		}
		r.Begin(plan)
	}
	for _, row := range kept {
		r.tell(row)
	}
	// Of what takes long, what takes longest begins first: nobody waits for it alone.
	slices.SortStableFunc(r.todo, func(a, b *job) int {
		if !a.First || !b.First {
			return 0
		}
		return cmp.Compare(b.took, a.took)
	})
	r.side(ctx, cores(), func(j *job) bool { return j.First })
	r.side(ctx, rowsPerCore*cores(), func(j *job) bool { return !j.Alone && !j.OneCore })
	r.side(ctx, cores(), func(j *job) bool { return j.OneCore })
	r.side(ctx, 1, func(*job) bool { return true })
	if err := errors.Join(append(r.errs, ctx.Err())...); err != nil {
		return r.rowsNow(), err
	}
	if r.store != nil && r.kept == 0 && r.Row == "" {
		r.errs = append(r.errs, r.store.keepRun(run{Rows: r.rows, Took: time.Since(r.begun), At: time.Now()}))
	}
	return r.rowsNow(), errors.Join(r.errs...)
}

// side tries the jobs that are meant, so many side by side.
func (r *runner) side(ctx context.Context, most int, is func(*job) bool) {
	var running sync.WaitGroup
	for range most {
		running.Go(func() {
			for ctx.Err() == nil {
				j := r.next(is)
				if j == nil {
					return
				}
				r.prove(ctx, j)
			}
		})
	}
	running.Wait()
}

// next takes the first job that is meant, and nil if there is none.
func (r *runner) next(is func(*job) bool) *job {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.todo, is)
	if i < 0 {
		return nil
	}
	j := r.todo[i]
	r.todo = slices.Delete(r.todo, i, i+1)
	return j
}

// prove tries one row until it is known how it ends, and keeps it if it holds.
func (r *runner) prove(ctx context.Context, j *job) {
	r.show(func() { r.running = append(r.running, j.Name()) })
	rows := r.try(ctx, j)
	if ctx.Err() == nil && r.store != nil && j.Inputs != "" && holds(rows) {
		var data json.RawMessage
		var err error
		if j.data != nil {
			data, err = json.Marshal(j.data())
		}
		if err == nil {
			err = r.store.write(j.Proof, rows, data)
		}
		if err != nil {
			r.mu.Lock()
			r.errs = append(r.errs, fmt.Errorf("keeping the proof of %s: %w", j.Name(), err))
			r.mu.Unlock()
		}
	}
	r.show(func() {
		r.running = slices.DeleteFunc(r.running, func(name string) bool { return name == j.Name() })
		r.done++
		r.left -= j.took
		r.ended += j.took
	})
	if ctx.Err() != nil {
		return // it was stopped: nothing is known of it
	}
	for _, row := range rows {
		r.tell(row)
		r.mu.Lock()
		r.all = append(r.all, told{row, j.at})
		r.mu.Unlock()
	}
}

// holds says that it was tried and is proved. What is skipped beside it is kept with it:
// why that is so, is part of the machine.
func holds(rows []Row) bool {
	return len(rows) > 0 && rows[0].Skipped == "" && !slices.ContainsFunc(rows, func(r Row) bool { return r.Problem != "" })
}

// try tries a row, and once it has failed twice more: with the same random numbers,
// which tells chance in the time from chance in the numbers, and with other ones.
func (r *runner) try(ctx context.Context, j *job) []Row {
	var said []string
	var first []Row
	passed := false
	for n, seed := range []uint64{1, 1, 2}[:cmp.Or(r.Tries, tries)] {
		begun := time.Now()
		rows := j.Try(ctx, seed)
		for i := range rows {
			rows[i].Chapter, rows[i].Law = j.Chapter, j.Law
			rows[i].What = cmp.Or(rows[i].What, j.What)
		}
		if took := time.Since(begun).Round(10 * time.Millisecond); len(rows) > 0 && took > 0 {
			rows[0].Took = took
		}
		fails := slices.ContainsFunc(rows, func(r Row) bool { return r.Problem != "" })
		if n == 0 {
			if !fails {
				return rows
			}
			first = rows
		}
		how := "fails"
		if !fails {
			how, passed = "passes", true
		}
		said = append(said, fmt.Sprintf("with seed %d it %s", seed, how))
		if ctx.Err() != nil || j.Inputs == "" {
			return first // one that runs nothing ends in the same way again
		}
	}
	if passed {
		i := slices.IndexFunc(first, func(r Row) bool { return r.Problem != "" })
		first[i].Unstable = true
		first[i].Problem = fmt.Sprintf("unstable: %s. The first time:\n%s", strings.Join(said, "; "), first[i].Problem)
	}
	return first
}

func (r *runner) tell(row Row) {
	if r.Progress != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.Progress(row)
	}
}

// show changes what is shown of the run, and shows it.
func (r *runner) show(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	if r.Now == nil {
		return
	}
	s := Status{Rows: r.rows, Done: r.done, Running: slices.Clone(r.running)}
	// What was done so far tells how much this machine does at a time.
	if elapsed := time.Since(r.begun); r.ended > elapsed && r.ended > 0 {
		s.Left = time.Duration(float64(r.left) / (float64(r.ended) / float64(elapsed)))
	} else {
		s.Left = r.left
	}
	r.Now(s)
}
