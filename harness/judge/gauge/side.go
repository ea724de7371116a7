package gauge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/kept"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

// SideOptions say how all mechanisms are measured side by side.
type SideOptions struct {
	Root, From string // see [Options]
	// Code is whose code a chapter's mechanisms are of, and its name: "yours" or "reference". An
	// error says why there is none: then they take no part.
	Code     func(book.Chapter) (overlay.Impl, string, error)
	Cores    int // Shared, Apart or Free
	Rounds   int
	Progress func(Turn)
}

// Side is what all mechanisms made of the same work, in one rotation.
type Side struct {
	Partial    string          `json:"partial,omitempty"` // why it ended before all was measured
	Notes      []string        `json:"notes,omitempty"`
	Date       time.Time       `json:"date"`
	Machine    Machine         `json:"machine"`
	Rounds     int             `json:"rounds"` // the dropped one is not counted
	Works      []SideWork      `json:"works"`
	Mechanisms []SideMechanism `json:"mechanisms"` // the ratios are to the first one
}

// SideWork is messages of one size.
type SideWork struct {
	Name     string `json:"name"`
	Size     int    `json:"bytes"`
	Messages int    `json:"messages"` // in one turn, at most
}

// SideMechanism is one of them.
type SideMechanism struct {
	Name    string `json:"name"`
	Chapter int    `json:"chapter"`
	Code    string `json:"code"` // whose: "yours" or "reference", or "" if there was none
	// Measured is by the work's name. A ratio is speed divided by that of the first mechanism.
	Measured map[string]Measure `json:"measured"`
	// StartUp is the median of the seconds from before anything was made until the first message
	// could be sent, over all works.
	StartUp float64 `json:"start_up,omitempty"`
	// Lacks says of each work that was not measured why.
	Lacks map[string]string `json:"lacks,omitempty"`
}

// SideBySide measures all mechanisms. The end of ctx ends it early, as in [Run].
func SideBySide(ctx context.Context, o SideOptions) (s Side, err error) {
	all, err := book.SideBySide()
	if err != nil {
		return s, err
	}
	if o.Rounds == 0 {
		o.Rounds = DefaultRounds
	}
	r := &race{
		Options:     Options{Root: o.Root, From: o.From, Cores: o.Cores, Rounds: o.Rounds, Progress: o.Progress},
		result:      Result{Missing: map[string]string{}},
		contestants: map[string]map[string]contestant{},
	}
	s = Side{Date: time.Now().UTC().Truncate(time.Second), Machine: here(), Notes: notes()}
	on := place(o.Cores, 0)
	s.Notes = append(s.Notes, placed(o.Cores, on, true))
	for _, w := range all.Works {
		s.Works = append(s.Works, SideWork{w.Name, w.Size, w.Messages})
		l := newLane(book.Benchmark{Name: w.Name, Kind: Transfer, Size: w.Size, Messages: w.Messages, Peer: w.Name}, on)
		l.unjudged = true
		r.lanes = append(r.lanes, l)
		r.contestants[w.Name] = map[string]contestant{}
	}
	for _, m := range all.Mechanisms {
		r.order = append(r.order, m.Name)
		s.Mechanisms = append(s.Mechanisms, SideMechanism{Name: m.Name, Chapter: m.Chapter, Measured: map[string]Measure{}, Lacks: map[string]string{}})
	}
	leave, err := r.enterAll(ctx, o, all, s.Mechanisms)
	defer leave()
	if err == nil {
		err = r.run(ctx)
	}
	if ctx.Err() != nil {
		s.Partial, err = "It was stopped before all was measured.", nil
	}
	if err != nil {
		return s, err
	}
	s.sumUp(r, all)
	return s, nil
}

// enterAll builds the code of each chapter, and enters its mechanisms. It returns what closes all.
func (r *race) enterAll(ctx context.Context, o SideOptions, all book.All, ms []SideMechanism) (closeAll func(), err error) {
	chapters, err := book.Chapters()
	if err != nil {
		return func() {}, err
	}
	var mu sync.Mutex
	var errs []error
	built := map[int]*check.Built{}
	lacks := map[int]string{} // by chapter
	names := map[int]string{}
	var building sync.WaitGroup
	for _, c := range chapters {
		if !slices.ContainsFunc(all.Mechanisms, func(m book.Mechanism) bool { return m.Chapter == c.Number }) {
			continue
		}
		impl, name, err := o.Code(c)
		if err != nil {
			lacks[c.Number] = err.Error()
			continue
		}
		names[c.Number] = name
		building.Go(func() {
			b, err := check.Build(ctx, check.Options{Root: r.Root, Chapter: c, Impl: impl, From: r.From})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, err)
				return
			}
			built[c.Number] = b
			if broken, is := b.Broken(); is {
				lacks[c.Number] = "it does not build: " + broken.Message
			}
		})
	}
	building.Wait()
	closeAll = func() {
		for _, b := range built {
			b.Close()
		}
	}
	for i, m := range all.Mechanisms {
		if ms[i].Code = names[m.Chapter]; lacks[m.Chapter] != "" {
			ms[i].Code = ""
		}
		for _, w := range all.Works {
			switch {
			case m.Lacks[w.Name] != "":
				ms[i].Lacks[w.Name] = m.Lacks[w.Name]
			case lacks[m.Chapter] != "":
				ms[i].Lacks[w.Name] = lacks[m.Chapter]
			default:
				r.contestants[w.Name][m.Name] = mechanism{built[m.Chapter], m.Does[w.Name]}
			}
		}
	}
	return closeAll, errors.Join(errs...)
}

// mechanism is a chapter's code that does a work by its own benchmark.
type mechanism struct {
	built *check.Built
	name  string
}

func (m mechanism) turn(ctx context.Context, b book.Benchmark, messages int, on cores) (turn, verdict.Finding, error) {
	b.Name = m.name
	return code{m.built}.turn(ctx, b, messages, on)
}

func (s *Side) sumUp(r *race, all book.All) {
	least := r.Rounds
	for _, l := range r.lanes {
		least = min(least, l.rounds)
		s.Rounds = max(s.Rounds, l.rounds)
	}
	if s.Partial != "" {
		s.Partial = fmt.Sprintf("Stopped after %d of %d rounds.", least, r.Rounds)
	}
	first := all.Mechanisms[0].Name
	for i, m := range s.Mechanisms {
		var starts []float64
		for _, l := range r.lanes {
			turns := l.turns[m.Name]
			if len(turns) == 0 {
				if s.Mechanisms[i].Lacks[l.Name] == "" {
					s.Mechanisms[i].Lacks[l.Name] = l.why[m.Name]
				}
				continue
			}
			for _, t := range turns {
				starts = append(starts, t.Whole-t.Seconds)
			}
			m.Measured[l.Name] = measureOf(turns, l.turns[first], l.Messages)
		}
		s.Mechanisms[i].StartUp, _, _ = median(starts)
	}
}

// MainWork is the one of the picture.
func (s Side) MainWork() SideWork { return s.Works[min(1, len(s.Works)-1)] }

// Sorted are the mechanisms by their speed in a work, the fastest first, and behind them those that
// were not measured in it.
func (s Side) Sorted(work string) []SideMechanism {
	sorted := slices.Clone(s.Mechanisms)
	slices.SortStableFunc(sorted, func(a, b SideMechanism) int {
		x, y := a.Measured[work].Median, b.Measured[work].Median
		switch {
		case x == y:
			return 0
		case y == 0 || x > 0 && x < y:
			return -1
		}
		return 1
	})
	return sorted
}

// Reasons are why some were not measured, each once, in the order of the mechanisms and works. The
// works are named, but where it does at most one of them.
func (s Side) Reasons() []string {
	var reasons []string
	for _, m := range s.Mechanisms {
		works := map[string][]string{}
		for _, w := range s.Works {
			if why := m.Lacks[w.Name]; why != "" {
				works[why] = append(works[why], w.Name)
			}
		}
		for _, w := range s.Works {
			why := m.Lacks[w.Name]
			if of := works[why]; why != "" && of[0] == w.Name {
				who := m.Name
				if len(m.Measured) > 0 && len(of) < len(s.Works)-1 {
					who += ", " + strings.Join(of, ", ")
				}
				reasons = append(reasons, who+": "+why)
			}
		}
	}
	return reasons
}

// sidePath is the file of the last result, below the workbook's root.
func sidePath(root string) string { return filepath.Join(root, folder, "all.json") }

// KeepSide writes a result in the place of the last one, as a whole or not at all. One without any
// figure replaces none.
func KeepSide(root string, s Side) error {
	if !slices.ContainsFunc(s.Mechanisms, func(m SideMechanism) bool { return len(m.Measured) > 0 }) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(sidePath(root)), 0o755); err != nil {
		return err
	}
	return WriteSide(sidePath(root), s)
}

// WriteSide writes a result to a file.
func WriteSide(path string, s Side) error {
	return kept.File(path, func(f *os.File) error {
		out := json.NewEncoder(f)
		out.SetIndent("", " ")
		return out.Encode(s)
	})
}

// KeptSide returns the result that was kept, or none.
func KeptSide(root string) (*Side, error) {
	s, err := ReadSide(sidePath(root))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w (to remove the file loses this result, no more)", sidePath(root), err)
	}
	return &s, nil
}

// ReadSide reads a result.
func ReadSide(path string) (s Side, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}
