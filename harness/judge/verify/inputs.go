package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ipcworkbook/harness/judge/book"
)

// Tree is what the workbook's files are now: a sum of each, by its path below the root.
// What a row depends on is some of them, and other contents are another proof.
type Tree struct {
	root  string
	paths []string
	sums  map[string]string
	newer time.Time // when the youngest Go file of the harness was written
}

// apart are folders at the root that are no part of the workbook: what git and tasks
// keep for themselves.
var apart = []string{".git", ".workbook", ".task"}

// ReadTree reads all files of the workbook.
func ReadTree(root string) (*Tree, error) {
	t := &Tree{root: root, sums: map[string]string{}}
	err := filepath.WalkDir(root, func(file string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		switch {
		case e.IsDir() && slices.Contains(apart, rel):
			return filepath.SkipDir
		case e.IsDir():
			return nil
		}
		return t.add(file, filepath.ToSlash(rel), e)
	})
	slices.Sort(t.paths)
	return t, err
}

func (t *Tree) add(file, rel string, e fs.DirEntry) error {
	info, err := e.Info()
	if err != nil {
		return err
	}
	var text []byte
	if e.Type().IsRegular() {
		text, err = os.ReadFile(file)
	} else if e.Type()&fs.ModeSymlink != 0 {
		var to string
		to, err = os.Readlink(file)
		text = []byte(to)
	}
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	t.paths = append(t.paths, rel)
	t.sums[rel] = fmt.Sprintf("%v %x", info.Mode(), sum)
	if strings.HasPrefix(rel, "harness/") && strings.HasSuffix(rel, ".go") && info.ModTime().After(t.newer) {
		t.newer = info.ModTime()
	}
	return nil
}

// outdated says that this program was built before the harness was last edited: what it
// proves is not what the files say. It keeps nothing then, and believes nothing that is
// kept.
func (t *Tree) outdated() bool {
	program, err := os.Executable()
	if err != nil {
		return true
	}
	info, err := os.Stat(program)
	return err != nil || t.newer.After(info.ModTime())
}

// Sum is a name for some of the files, by their paths and contents, and for what else is
// told. Where one file is another one, so is the name.
func (t *Tree) Sum(is func(file string) bool, also ...string) string {
	h := sha256.New()
	for _, file := range t.paths {
		if is(file) {
			fmt.Fprintf(h, "%s %s\n", t.sums[file], file)
		}
	}
	for _, text := range also {
		fmt.Fprintf(h, "%q\n", text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// closure are the folders of these packages and of all that they import of the
// workbook, whatever they are built for.
func (t *Tree) closure(packages ...string) (map[string]bool, error) {
	found := map[string]bool{}
	for len(packages) > 0 {
		dir := packages[0]
		packages = packages[1:]
		if found[dir] {
			continue
		}
		found[dir] = true
		for _, file := range t.paths {
			if path.Dir(file) != dir || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(t.root, file), nil, parser.ImportsOnly)
			if err != nil {
				return nil, err
			}
			for _, i := range f.Imports {
				if rest, ours := strings.CutPrefix(strings.Trim(i.Path.Value, `"`), "ipcworkbook/"); ours {
					packages = append(packages, rest)
				}
			}
		}
	}
	return found, nil
}

// engine are the packages that prove a chapter's rows: the judge's, those of the step,
// and what the chapter's tests import.
var engine = []string{"harness/judge/verify", "harness/lab", "harness/lab/console", "harness/todo"}

// bookFolder has a chapter's files; the others' are not the chapter's. What the tests are
// shown to find is a row of its own, which runs nothing.
const (
	bookFolder   = "harness/judge/book"
	mistakesFile = ".mistakes.toml"
)

// ofChapter says which files each row of a chapter depends on: the engine, the chapter
// as it was handed out and as it is on the disk, and the reference. A lesson is none of
// them, nor is a variant: that is its own row's.
func (t *Tree) ofChapter(c book.Chapter) (func(file string) bool, error) {
	dirs, err := t.closure(engine...)
	if err != nil {
		return nil, err
	}
	return func(file string) bool {
		dir := path.Dir(file)
		switch {
		case file == "go.mod", file == "go.sum":
			return true
		case dirs[dir]:
			return strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") ||
				dir == bookFolder && strings.HasPrefix(path.Base(file), c.Folder()+".") && !strings.HasSuffix(file, mistakesFile)
		case strings.HasPrefix(file, c.Dir()+"/"):
			return path.Ext(file) != ".md"
		}
		return dir == c.Solution() && path.Ext(file) != ".md"
	}, nil
}

// below says which files are this one, or in this folder.
func below(place string) func(file string) bool {
	return func(file string) bool { return file == place || strings.HasPrefix(file, place+"/") }
}

// either is one or the other.
func either(some ...func(file string) bool) func(file string) bool {
	return func(file string) bool {
		return slices.ContainsFunc(some, func(is func(string) bool) bool { return is(file) })
	}
}

// Named says which files a text may have to do with: all but the lessons and other
// Markdown, the variants of a chapter and its list of mistakes, that it does not name. A
// variant has the name of its file or folder.
func Named(text string) func(file string) bool {
	return func(file string) bool {
		if path.Ext(file) == ".md" {
			return strings.Contains(text, path.Base(file)) && path.Base(file) != "README.md" || strings.Contains(text, file)
		}
		if strings.HasSuffix(file, mistakesFile) {
			return strings.Contains(text, path.Base(file))
		}
		parts := strings.Split(file, "/")
		// solutions/NN-name/testdata/KIND/NAME
		if len(parts) > 4 && parts[0] == "solutions" && parts[2] == "testdata" && slices.Contains(kinds, parts[3]) {
			return strings.Contains(text, strings.TrimSuffix(parts[4], ".toml"))
		}
		return true
	}
}

// kinds are the folders of a chapter's variants.
var kinds = []string{"wrong", "slow", "other"}
