package gauge

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"sync"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/judge/peers"
	"ipcworkbook/harness/verdict"
)

// choose finds the benchmarks to measure.
func (r *race) choose() error {
	many := slices.ContainsFunc(r.Chapter.Benchmarks, func(b book.Benchmark) bool { return hasMany(b.Kind) })
	for _, b := range r.Chapter.Benchmarks {
		if len(r.Benchmarks) == 0 || slices.Contains(r.Benchmarks, b.Name) {
			if r.Cores != AsBook {
				b.Cores = r.Cores
			}
			on := place(b.Cores, r.Core)
			if note := placed(b.Cores, on, many); !slices.Contains(r.result.Notes, note) {
				r.result.Notes = append(r.result.Notes, note)
			}
			r.lanes = append(r.lanes, newLane(b, on))
		}
	}
	for _, name := range r.Benchmarks {
		if _, err := r.Chapter.Benchmark(name); err != nil {
			return err
		}
	}
	if len(r.lanes) == 0 {
		return fmt.Errorf("chapter %d (%s) has no benchmarks", r.Chapter.Number, r.Chapter.Name)
	}
	return nil
}

// enter builds everything that takes part, and returns what closes it.
func (r *race) enter(ctx context.Context, tmp string) (closeAll func(), err error) {
	var mu sync.Mutex
	var built []*check.Built
	dir, removeDir := onDisk(tmp, r.Root)
	closeAll = func() {
		for _, b := range built {
			b.Close()
		}
		removeDir()
	}
	if err := r.choose(); err != nil {
		return closeAll, err
	}
	all := map[string]contestant{} // the same for every benchmark
	build := func(name string, impl overlay.Impl) error {
		b, err := check.Build(ctx, check.Options{Root: r.Root, Chapter: r.Chapter, Impl: impl, From: r.From})
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		built = append(built, b)
		all[name] = code{b}
		if broken, is := b.Broken(); is {
			return r.breaks(name, broken)
		}
		return nil
	}
	reference, err := overlay.Open(filepath.Join(r.Root, r.Chapter.Solution()))
	alone := errors.Is(err, fs.ErrNotExist) // as it is in a copy that was handed out in a course
	if alone {
		r.result.Missing[Reference] = noReference
		err = nil
	}
	if err != nil {
		return closeAll, err
	}
	// The learner's comes first: where it does not build, that is all there is to say.
	if err := build(Yours, r.Impl); err != nil || r.result.Verdict != "" {
		return closeAll, err
	}
	r.order = append(r.order, Yours)
	var building sync.WaitGroup
	errs := make(chan error, 3+len(r.Also))
	building.Go(func() {
		if !alone {
			errs <- build(Reference, reference)
		}
		for _, impl := range r.Also {
			errs <- build(impl.Name, impl)
		}
	})
	r.contestants = map[string]map[string]contestant{}
	if !r.Alone {
		building.Go(func() { errs <- r.invite(ctx, tmp, dir) })
	}
	building.Wait()
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	for _, impl := range r.Also {
		r.order = append(r.order, impl.Name)
	}
	r.order = append(r.order, Contestants[1:]...)
	for _, l := range r.lanes {
		peers := r.contestants[l.Peer]
		if peers == nil {
			peers = map[string]contestant{}
			r.contestants[l.Peer] = peers
		}
		for name, c := range all {
			peers[name] = c
		}
	}
	return closeAll, err
}

const noReference = "It is not in this copy of the workbook. What is measured stands beside Python and C, and no gate is judged."

// breaks says that an implementation does not build. Only the learner's may.
func (r *race) breaks(name string, broken check.Result) error {
	if name != Yours {
		return fmt.Errorf("%s does not build:\n%s", name, broken.Message)
	}
	r.result.Verdict, r.result.Message = verdict.Broken, broken.Message
	for _, l := range r.lanes {
		l.done, l.finding = true, verdict.Finding{Verdict: verdict.Broken, Message: broken.Message}
		if len(broken.Steps) > 0 {
			l.finding.File, l.finding.Line = broken.Steps[0].File, broken.Steps[0].Line
		}
	}
	return nil
}

// invite prepares the programs in other languages. One that cannot take part on
// this machine is left out, and the result says why.
func (r *race) invite(ctx context.Context, tmp, dir string) error {
	for _, l := range r.lanes {
		if r.contestants[l.Peer] != nil {
			continue
		}
		programs := map[string]contestant{}
		r.contestants[l.Peer] = programs
		for _, name := range []string{Python, C, Limit} {
			p, err := peers.Prepare(ctx, r.Root, l.Peer, name, tmp)
			switch {
			case err != nil:
				return err
			case p.Missing != "":
				r.result.Missing[name] = p.Missing
				continue
			}
			programs[name] = program{argv: p.Argv, tmp: tmp, dir: dir, apart: name == Limit}
			switch name {
			case Python:
				r.result.Machine.Python = p.Version
			case C:
				r.result.Machine.C = p.Version
			case Limit:
				programs[Memcpy] = program{argv: p.Argv, tmp: tmp, dir: dir, word: Memcpy, apart: true}
			}
		}
	}
	return nil
}
