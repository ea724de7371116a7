package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"ipcworkbook/harness/book"
	"ipcworkbook/harness/gauge"
	"ipcworkbook/harness/overlay"
)

// figuresCmd shows the figures of a lesson. They were measured once and are kept
// with the reference; so a lesson can show them, and law 6 finds a figure that
// somebody typed.
type figuresCmd struct {
	chapterFlag
	Table   string `help:"Which table: ladder, peers or articles." enum:"ladder,peers,articles" default:"peers"`
	Measure bool   `help:"Measure anew, and keep that (for maintainers)."`
	Rounds  int    `help:"How many rounds are measured." default:"${rounds}"`
}

func (f figuresCmd) Run(ctx context.Context, p place) error {
	c, err := f.find(ctx, p)
	if err != nil {
		return err
	}
	file := filepath.Join(p.root, c.Solution(), "testdata", "figures.json")
	if f.Measure {
		if err := f.measure(ctx, p, c, file); err != nil {
			return err
		}
	}
	r, err := readFigures(file, c)
	if err != nil {
		return err
	}
	switch f.Table {
	case "ladder":
		fmt.Print(gauge.Table(r, append(slices.Clone(c.Ladder), gauge.C)...))
	case "peers":
		fmt.Print(gauge.Table(r, gauge.C, gauge.Python, gauge.Limit, gauge.Memcpy))
	case "articles":
		fmt.Print(gauge.ArticlesTable(r, gauge.Reference, gauge.C, gauge.Python))
	}
	return nil
}

// measure measures the reference, the ladder of solutions that leads to it, and
// the peers.
func (f figuresCmd) measure(ctx context.Context, p place, c book.Chapter, file string) error {
	reference, err := overlay.Open(filepath.Join(p.root, c.Solution()))
	if err != nil {
		return err
	}
	var also []overlay.Impl
	for _, name := range c.Ladder {
		impl, err := variant(p, c, "other", name)
		if err != nil {
			return err
		}
		impl.Name = name
		also = append(also, impl)
	}
	show, done := progress()
	r, err := gauge.Run(ctx, gauge.Options{
		Root: p.root, Chapter: c, Impl: reference, Name: "reference", From: p.here,
		Also: also, Rounds: f.Rounds, Progress: show,
	})
	done()
	switch {
	case err != nil:
		return err
	case r.Partial != "":
		return ctx.Err()
	}
	return gauge.Replace(file, func(w *os.File) error {
		out := json.NewEncoder(w)
		out.SetIndent("", " ")
		return out.Encode(r)
	})
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
	m := r.Machine
	if m.CPU == "" || m.Cores == 0 || m.Kernel == "" || m.Go == "" || r.Date.IsZero() || r.Partial != "" {
		return r, fmt.Errorf("%s does not name its machine and date, or is not complete", file)
	}
	return r, nil
}
