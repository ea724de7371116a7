// Package overlay puts one implementation of a chapter in the place of another
// at build time, by `go test -overlay`. Nothing on disk is touched.
//
// Learner, reference, known-wrong variant, submission: all are judged by one set
// of tests. Every Go file of the chapter's folder that is not part of the chosen
// implementation or of the sealed tests is deleted in the map; the others are
// put there.
package overlay

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Impl is an implementation: the non-test Go files of one folder, or of memory.
type Impl struct {
	// Name is how a reader is told of it: a path, "reference", "wrong/05-keeps-it".
	Name string
	// Dir is where its files are, absolute; "" for files in memory.
	Dir string
	// Files are its files' base names, in order.
	Files []string

	texts map[string][]byte // of files in memory
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

// Memory makes an implementation of files in memory.
func Memory(name string, files map[string][]byte) Impl {
	return Impl{Name: name, Files: slices.Sorted(maps.Keys(files)), texts: files}
}

// Read returns the contents of an implementation's files, by name.
func (i Impl) Read() (map[string][]byte, error) {
	if i.texts != nil {
		return maps.Clone(i.texts), nil
	}
	files := map[string][]byte{}
	for _, name := range i.Files {
		text, err := os.ReadFile(filepath.Join(i.Dir, name))
		if err != nil {
			return nil, err
		}
		files[name] = text
	}
	return files, nil
}

// Sum names the contents of an implementation's files: other contents have another
// name. It is "" if they cannot be read.
func (i Impl) Sum() string {
	texts, err := i.Read()
	if err != nil {
		return ""
	}
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		h.Write([]byte(name + "\x00"))
		h.Write(texts[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// Path returns where a reader finds one of the files: an absolute path, or for
// files in memory one that begins with the implementation's name.
func (i Impl) Path(file string) string {
	if i.texts != nil {
		return filepath.Join(i.Name, file)
	}
	return filepath.Join(i.Dir, file)
}

// Problem says in a sentence why an implementation cannot be package name, or "".
func (i Impl) Problem(name string) string {
	if len(i.Files) == 0 {
		return "There is no Go file here. git restore, or task reset, puts the stub back; or write package " + name + " anew."
	}
	texts, err := i.Read()
	if err != nil {
		return err.Error()
	}
	for _, file := range i.Files {
		f, err := parser.ParseFile(token.NewFileSet(), file, texts[file], parser.PackageClauseOnly)
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
	shown   map[string]string // how a reader is told of the files that are built
}

// Make writes the map that puts an implementation and the sealed tests into a
// chapter's folder (both absolute paths: with others the go command silently
// does nothing). Its files go into tmp.
func Make(tmp, chapter string, impl Impl, tests map[string][]byte) (*Overlay, error) {
	if !filepath.IsAbs(chapter) || !filepath.IsAbs(tmp) {
		return nil, fmt.Errorf("overlay: the paths have to be absolute: %s, %s", chapter, tmp)
	}
	replace := map[string]string{}
	there, err := filepath.Glob(filepath.Join(chapter, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, p := range there {
		replace[p] = "" // deleted
	}
	o := &Overlay{File: filepath.Join(tmp, "overlay.json"), chapter: chapter, impl: impl, shown: map[string]string{}}
	for _, name := range impl.Files {
		replace[filepath.Join(chapter, name)] = filepath.Join(impl.Dir, name)
	}
	for _, files := range []map[string][]byte{impl.texts, tests} {
		for name, text := range files {
			p := filepath.Join(tmp, name)
			if err := os.WriteFile(p, text, 0o600); err != nil {
				return nil, err
			}
			replace[filepath.Join(chapter, name)] = p
			o.shown[p] = o.Real(filepath.Join(chapter, name))
		}
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
	return o, os.WriteFile(o.File, text, 0o600)
}

// Real returns where a reader finds a file that the build calls by a path in the
// chapter's folder.
func (o *Overlay) Real(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(o.chapter, path)
	}
	if dir, name := filepath.Split(path); filepath.Clean(dir) == o.chapter && slices.Contains(o.impl.Files, name) {
		return o.impl.Path(name)
	}
	return path
}
