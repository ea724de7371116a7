package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ipcworkbook/harness/desk/progress"
	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/kept"
	"ipcworkbook/harness/judge/overlay"
)

// resetCmd puts a chapter's stub and tests back as they were handed out. What stood
// there is kept.
type resetCmd struct {
	Chapter string `help:"Number or name of the chapter." placeholder:"N"`
}

func (r resetCmd) Run(p place) error {
	if r.Chapter == "" {
		return wrongUsage("say which chapter: %s reset chapter=1", p.task)
	}
	c, err := book.Find(r.Chapter)
	if err != nil {
		return usageError{err}
	}
	dir := filepath.Join(p.root, c.Dir())
	differ, err := differing(dir, c)
	if err != nil {
		return err
	}
	s := screen.New(os.Stdout, p.task)
	if len(differ) == 0 {
		s.Line("Chapter %d is as it was handed out. Nothing was changed.", c.Number)
		return nil
	}
	stood, err := keep(p, dir, c, differ)
	if err != nil {
		return fmt.Errorf("your version could not be kept, so nothing was changed: %w", err)
	}
	if err := putBack(dir, c, differ); err != nil {
		return err
	}
	if err := progress.Forget(p.root, c); err != nil {
		return err
	}
	s.Line("Chapter %d is as it was handed out again.", c.Number)
	if stood == "" {
		return nil
	}
	s.Line("What stood there is kept: %s", strings.Join(present(differ), ", "))
	back := fmt.Sprintf("cp -p %s/* %s/", overlay.Relative(stood, p.here), overlay.Relative(dir, p.here))
	for _, name := range slices.Sorted(maps.Keys(differ)) {
		if differ[name] == nil { // it was not there
			back += " && rm " + overlay.Relative(filepath.Join(dir, name), p.here)
		}
	}
	s.Line("\nTo have it back:\n\n  %s", back)
	return nil
}

// differing are the chapter's Go files that are not as they were handed out, with
// their bytes: nil for one that is missing. A file of the learner's own is one too.
func differing(dir string, c book.Chapter) (map[string][]byte, error) {
	differ := map[string][]byte{}
	for name, sealed := range c.Sealed {
		text, err := os.ReadFile(filepath.Join(dir, name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			differ[name] = nil
		case err != nil:
			return nil, err
		case !bytes.Equal(text, sealed):
			differ[name] = append([]byte{}, text...)
		}
	}
	own, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, path := range own {
		name := filepath.Base(path)
		if _, sealed := c.Sealed[name]; sealed {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		differ[name] = append([]byte{}, text...)
	}
	return differ, nil
}

func present(differ map[string][]byte) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(differ)) {
		if differ[name] != nil {
			names = append(names, name)
		}
	}
	return names
}

// keep copies the files that differ to a folder of their own, and returns it. It is on
// the disk before anything else is touched.
func keep(p place, dir string, c book.Chapter, differ map[string][]byte) (string, error) {
	names := present(differ)
	if len(names) == 0 {
		return "", nil
	}
	above := filepath.Join(p.root, ".workbook", "kept", c.Folder())
	if err := os.MkdirAll(above, 0o755); err != nil {
		return "", err
	}
	to := filepath.Join(above, time.Now().Format("2006-01-02_15.04.05"))
	for i := 2; ; i++ {
		err := os.Mkdir(to, 0o755)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		to = fmt.Sprintf("%s-%d", strings.TrimSuffix(to, fmt.Sprintf("-%d", i-1)), i)
	}
	for _, name := range names {
		err := kept.File(filepath.Join(to, name), func(f *os.File) error {
			_, err := f.Write(differ[name])
			return errors.Join(err, f.Sync())
		})
		if err != nil {
			return "", err
		}
	}
	return to, nil
}

// putBack writes what was handed out, and removes what was not. A file that was
// changed since it was read is left alone.
func putBack(dir string, c book.Chapter, differ map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(differ)) {
		path := filepath.Join(dir, name)
		now, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if !bytes.Equal(now, differ[name]) {
			return fmt.Errorf("%s was written meanwhile: it stays as it is", name)
		}
		sealed, handedOut := c.Sealed[name]
		if !handedOut {
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		err = kept.File(path, func(f *os.File) error {
			_, err := f.Write(sealed)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
