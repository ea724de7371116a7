package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/judge/kept"
	"ipcworkbook/harness/judge/overlay"
)

// figuresCmd shows the figures of a lesson. They were measured once and are kept
// with the reference; so a lesson can show them, and law 6 finds a figure that
// somebody typed.
type figuresCmd struct {
	chapterFlag
	All     bool   `help:"Those of all mechanisms side by side."`
	Table   string `help:"Which table: ladder, peers, costs or articles; or screen, as bench shows it. Of all mechanisms: peers (the table), chart or screen." enum:"ladder,peers,costs,articles,chart,screen" default:"peers"`
	Cores   string `help:"Where the two processes ran: as the book says, or 2: each on a core of its own." enum:",2" default:""`
	Measure bool   `help:"Measure anew, and keep that (for maintainers)."`
	Rounds  int    `help:"How many rounds are measured." default:"${rounds}"`
}

func (f figuresCmd) Run(ctx context.Context, p place) error {
	if f.All {
		return f.sideBySide(ctx, p)
	}
	if f.Table == "chart" {
		return wrongUsage("--table chart is of all mechanisms: --all")
	}
	c, err := f.find(p)
	if err != nil {
		return err
	}
	if err := hasReference(p, c); err != nil {
		return err
	}
	file := filepath.Join(p.root, c.Solution(), "testdata", "figures"+f.Cores+".json")
	if f.Measure {
		if err := f.measure(ctx, p, c, file); err != nil {
			return err
		}
	}
	if f.Cores != "" && !exists(file) {
		return wrongUsage("the lesson of chapter %d shows no figures of processes that have a core each, so none were kept; %s bench chapter=%d cores=%s measures them here", c.Number, p.task, c.Number, f.Cores)
	}
	r, err := readFigures(file, c)
	if err != nil {
		return err
	}
	switch f.Table {
	case "ladder":
		fmt.Print(gauge.Table(r, append(rungs(c), gauge.C)...))
	case "peers":
		fmt.Print(gauge.Table(r, gauge.C, gauge.Python, gauge.Limit, gauge.Memcpy))
	case "screen":
		s := screen.New(os.Stdout, p.task)
		s.Options = "impl=" + r.Impl
		s.Bench(r)
	case "costs":
		fmt.Print(gauge.CostsTable(r))
	case "articles":
		fmt.Print(gauge.ArticlesTable(r, gauge.Reference, gauge.C, gauge.Python))
	}
	return nil
}

// measure measures the reference, the ladder of solutions that leads to it, and
// the peers.
func (f figuresCmd) measure(ctx context.Context, p place, c book.Chapter, file string) error {
	if runtime.NumCPU() < 2 {
		return wrongUsage("a lesson's figures are measured where there are two cores, and here is one")
	}
	reference, err := overlay.Open(filepath.Join(p.root, c.Solution()))
	if err != nil {
		return err
	}
	var also []overlay.Impl
	for i, name := range c.Ladder {
		kind := "other"
		if k, rest, cut := strings.Cut(name, "/"); cut {
			kind, name = k, rest
		}
		impl, err := variant(p, c, kind, name)
		if err != nil {
			return err
		}
		impl.Name = rungs(c)[i]
		also = append(also, impl)
	}
	show, done := bar()
	r, err := gauge.Run(ctx, gauge.Options{
		Root: p.root, Chapter: c, Impl: reference, Name: "reference", From: p.here,
		Also: also, Rounds: f.Rounds, Progress: show, Cores: where[f.Cores],
	})
	done()
	switch {
	case err != nil:
		return err
	case r.Partial != "":
		return ctx.Err()
	}
	return kept.File(file, func(w *os.File) error {
		out := json.NewEncoder(w)
		out.SetIndent("", " ")
		return out.Encode(r)
	})
}

// sideBySide shows what all mechanisms made of the same work, or measures it anew.
func (f figuresCmd) sideBySide(ctx context.Context, p place) error {
	if f.Chapter != "" || f.Cores != "" || !slices.Contains([]string{"peers", "chart", "screen"}, f.Table) {
		return wrongUsage("--all takes no --chapter, no --cores, and --table peers, chart or screen")
	}
	if err := hasSolutions(p); err != nil {
		return err
	}
	file := filepath.Join(p.root, solutions, "testdata", "all.json")
	if f.Measure {
		show, done := bar()
		s, err := gauge.SideBySide(ctx, gauge.SideOptions{
			Root: p.root, From: p.here, Code: benchCmd{implFlag: implFlag{Impl: gauge.Reference}}.codeOf(p),
			Cores: gauge.Shared, Rounds: f.Rounds, Progress: show,
		})
		done()
		switch {
		case err != nil:
			return err
		case s.Partial != "":
			return ctx.Err()
		}
		if err := gauge.WriteSide(file, s); err != nil {
			return err
		}
	}
	r, err := gauge.ReadSide(file)
	if err != nil {
		return fmt.Errorf("the figures of all mechanisms: %w (task figures all=1 measure=1 makes them)", err)
	}
	if err := sideIsWhole(r); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	s := screen.New(os.Stdout, p.task)
	switch f.Table {
	case "chart":
		s.SideChart(r)
	case "screen":
		s.Side(r)
	default:
		fmt.Print(gauge.SideTable(r, math.MaxInt) + r.Foot())
	}
	return nil
}

// sideIsWhole finds figures that do not say on what they were measured, or that lack a mechanism
// or a work of the book.
func sideIsWhole(r gauge.Side) error {
	all, err := book.SideBySide()
	if err != nil {
		return err
	}
	for _, m := range all.Mechanisms {
		i := slices.IndexFunc(r.Mechanisms, func(of gauge.SideMechanism) bool { return of.Name == m.Name })
		for _, w := range all.Works {
			if m.Does[w.Name] != "" && (i < 0 || r.Mechanisms[i].Measured[w.Name].Median <= 0) {
				return fmt.Errorf("it has no figures of %s, %s", m.Name, w.Name)
			}
		}
	}
	return sayWhere(r.Machine, r.Date, r.Partial)
}

// sayWhere is an error for figures that do not say on what and when they were measured, or that are
// not complete.
func sayWhere(m gauge.Machine, date time.Time, partial string) error {
	if m.CPU == "" || m.Cores == 0 || m.Kernel == "" || m.Go == "" || date.IsZero() || partial != "" {
		return errors.New("it does not name its machine and date, or is not complete")
	}
	return nil
}

// rungs are the ladder's names as a table shows them: "wrong/03-same-buffer" is
// "same-buffer".
func rungs(c book.Chapter) []string {
	var names []string
	for _, name := range c.Ladder {
		names = append(names, strings.TrimLeft(path.Base(name), "0123456789-"))
	}
	return names
}

// readFigures reads what was kept. Figures that do not say on what they were
// measured, or that lack a benchmark of the book, are an error.
func readFigures(file string, c book.Chapter) (gauge.Result, error) {
	r, err := gauge.Read(file)
	if err != nil {
		return r, fmt.Errorf("the figures of chapter %d: %w (task figures chapter=%d measure=1 makes them)", c.Number, err, c.Number)
	}
	var names []string
	for _, b := range r.Benchmarks {
		names = append(names, b.Name)
	}
	for _, b := range c.Benchmarks {
		if !slices.Contains(names, b.Name) {
			return r, fmt.Errorf("%s has no figures of %s", file, b.Name)
		}
	}
	if err := sayWhere(r.Machine, r.Date, r.Partial); err != nil {
		return r, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}
