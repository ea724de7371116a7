package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ipcworkbook/harness/desk/progress"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/judge/verify"
)

// place is where the workbook is and where the reader stands.
type place struct {
	root string
	here string
	task string // how the reader calls task: "task", or where the wrapper is
}

// findRoot finds the workbook's folder: this one, or one above it, or the one
// that this program was built in.
func findRoot() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		if isRoot(dir) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	// ROOT/.workbook/bin/workbook
	if dir := filepath.Dir(filepath.Dir(filepath.Dir(program))); isRoot(dir) {
		return dir, nil
	}
	return "", wrongUsage("%s is no folder of the workbook: no go.mod of module ipcworkbook there or above", here)
}

func isRoot(dir string) bool {
	f, err := os.Open(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	return lines.Scan() && strings.TrimSpace(lines.Text()) == "module ipcworkbook"
}

// chapter is the flag that most commands have.
type chapterFlag struct {
	Chapter string `help:"Number or name of the chapter; without it the first unfinished one." placeholder:"N"`
}

// find returns the chapter that was named, or the first one that is not known to be
// finished.
func (f chapterFlag) find(p place) (book.Chapter, error) {
	if f.Chapter != "" {
		c, err := book.Find(f.Chapter)
		if err != nil {
			return c, usageError{err}
		}
		return c, nil
	}
	chapters, err := book.Chapters()
	if err != nil {
		return book.Chapter{}, err
	}
	for _, c := range chapters {
		if !progress.Of(p.root, c).Done(c) {
			return c, nil
		}
	}
	return chapters[len(chapters)-1], nil
}

// implFlag chooses the implementation that is judged.
type implFlag struct {
	Impl string `help:"Judge the non-test Go files of this folder in place of the learner's. \"reference\" is the reference solution, \"wrong/NAME\" a known-wrong one, \"slow/NAME\" a slow one, \"other/NAME\" one that looks different." placeholder:"DIR"`
}

// options is how a reader writes this flag, and --race, for task.
func (f implFlag) options(race bool) string {
	text := ""
	if f.Impl != "" {
		text = "impl=" + f.Impl
	}
	if race {
		text += " race=1"
	}
	return text
}

// record keeps what a run showed, if it was the learner's own code that ran.
func (f implFlag) record(p place, c book.Chapter, r check.Result) error {
	if f.Impl != "" {
		return nil
	}
	return progress.Record(p.root, p.here, c, r)
}

func (f implFlag) open(p place, c book.Chapter) (overlay.Impl, error) {
	dir := f.Impl
	switch dir {
	case "":
		dir = filepath.Join(p.root, c.Dir())
		if _, err := os.Stat(dir); err != nil {
			return overlay.Impl{}, wrongUsage("the folder %s is missing; git restore %s brings it back", c.Dir(), c.Dir())
		}
	case "reference":
		if err := hasReference(p, c); err != nil {
			return overlay.Impl{}, err
		}
		dir = filepath.Join(p.root, c.Solution())
	}
	if kind, name, cut := strings.Cut(dir, "/"); cut && slices.Contains([]string{"wrong", "slow", "other"}, kind) {
		if _, err := os.Stat(dir); err != nil {
			return variant(p, c, kind, name)
		}
	}
	impl, err := overlay.Open(dir)
	if err != nil {
		return impl, usageError{fmt.Errorf("--impl: %w", err)}
	}
	return impl, nil
}

// hasReference is an error where a chapter's solutions are not in this copy: who hands the chapter
// out as an assignment keeps them.
func hasReference(p place, c book.Chapter) error {
	if exists(filepath.Join(p.root, c.Solution())) {
		return nil
	}
	return wrongUsage("the reference of chapter %d is not in this copy of the workbook: the folder %s is missing. In a course ask who handed the chapter out; else git restore %s brings it back", c.Number, c.Solution(), c.Solution())
}

// solutions is the folder of all references.
const solutions = "solutions"

// hasSolutions is an error where none is in this copy.
func hasSolutions(p place) error {
	if exists(filepath.Join(p.root, solutions)) {
		return nil
	}
	return wrongUsage("the folder %s is not in this copy of the workbook, and the figures are kept there. In a course ask who handed the chapters out; else git restore %s brings it back", solutions, solutions)
}

// thatAre are those of these folders that are there.
func thatAre(p place, folders ...string) []string {
	return slices.DeleteFunc(folders, func(f string) bool { return !exists(filepath.Join(p.root, f)) })
}

// variant opens a variant of the reference by the name that a reader gave.
func variant(p place, c book.Chapter, kind, name string) (overlay.Impl, error) {
	if err := hasReference(p, c); err != nil {
		return overlay.Impl{}, err
	}
	names, err := verify.Variants(p.root, c, kind)
	if err != nil {
		return overlay.Impl{}, err
	}
	if !slices.Contains(names, name) {
		return overlay.Impl{}, wrongUsage("--impl: there is no solution %q in %s. Choose one of:\n  %s",
			name, kind, strings.Join(names, "\n  "))
	}
	return verify.Variant(p.root, c, kind, name)
}
