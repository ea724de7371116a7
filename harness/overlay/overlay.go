// Package overlay puts one implementation of a chapter in the place of another
// at build time, by `go test -overlay`. Nothing on disk is touched.
//
// Learner, reference, known-wrong variant, submission: all are judged by one set
// of tests. Every Go file of the chapter's folder that is not part of the chosen
// implementation or of the sealed tests is deleted in the map; the others are
// put there.
package overlay

import (
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Impl is an implementation: the non-test Go files of one folder.
type Impl struct {
	// Name is how a reader is told of it: a path, "reference".
	Name string
	// Dir is where its files are, absolute.
	Dir string
	// Files are their base names.
	Files []string
}

// Open returns the implementation in a folder. A folder that is not there is an
// error; one without Go files is not: it is an implementation that does not build.
func Open(dir string) (Impl, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return Impl{}, err
	}
	entries, err := os.ReadDir(abs)
	if err != nil {
		return Impl{}, err
	}
	impl := Impl{Name: dir, Dir: abs}
	for _, e := range entries {
		if n := e.Name(); !e.IsDir() && strings.HasSuffix(n, ".go") && !strings.HasSuffix(n, "_test.go") {
			impl.Files = append(impl.Files, n)
		}
	}
	return impl, nil
}

// Write makes an implementation of files in memory, in a new folder below dir.
func Write(dir, name string, files map[string][]byte) (Impl, error) {
	sub, err := os.MkdirTemp(dir, "impl-")
	if err != nil {
		return Impl{}, err
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(sub, file), text, 0o600); err != nil {
			return Impl{}, err
		}
	}
	impl, err := Open(sub)
	impl.Name = name
	return impl, err
}

// Problem says in a sentence why an implementation cannot be package name, or "".
func (i Impl) Problem(name string) string {
	if len(i.Files) == 0 {
		return "There is no Go file in it. Put the stub back, or write package " + name + " anew."
	}
	for _, file := range i.Files {
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(i.Dir, file), nil, parser.PackageClauseOnly)
		if err != nil {
			continue // the compiler says it better
		}
		if f.Name.Name != name {
			return fmt.Sprintf("%s is package %s, and the chapter is package %s.", file, f.Name.Name, name)
		}
	}
	return ""
}

// Overlay is the map for one build.
type Overlay struct {
	File    string // what -overlay gets
	chapter string // absolute folder of the chapter
	impl    Impl
}

// Make writes the map that puts an implementation and the sealed tests into a
// chapter's folder (both absolute paths: with others the go command silently
// does nothing). Its files go into tmp.
func Make(tmp, chapter string, impl Impl, tests map[string][]byte) (*Overlay, error) {
	if !filepath.IsAbs(chapter) || !filepath.IsAbs(impl.Dir) || !filepath.IsAbs(tmp) {
		return nil, fmt.Errorf("overlay: the paths have to be absolute: %s, %s, %s", chapter, impl.Dir, tmp)
	}
	replace := map[string]string{}
	there, err := filepath.Glob(filepath.Join(chapter, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, p := range there {
		replace[p] = "" // deleted
	}
	for _, name := range impl.Files {
		replace[filepath.Join(chapter, name)] = filepath.Join(impl.Dir, name)
	}
	for name, text := range tests {
		p := filepath.Join(tmp, name)
		if err := os.WriteFile(p, text, 0o600); err != nil {
			return nil, err
		}
		replace[filepath.Join(chapter, name)] = p
	}
	for from, to := range replace {
		if from == to {
			delete(replace, from) // the chapter's own
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	o := &Overlay{File: filepath.Join(tmp, "overlay.json"), chapter: chapter, impl: impl}
	return o, os.WriteFile(o.File, text, 0o600)
}

// Real returns where a file is on disk that the build calls by a path in the
// chapter's folder.
func (o *Overlay) Real(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(o.chapter, path)
	}
	if dir, name := filepath.Split(path); filepath.Clean(dir) == o.chapter && slices.Contains(o.impl.Files, name) {
		return filepath.Join(o.impl.Dir, name)
	}
	return path
}
