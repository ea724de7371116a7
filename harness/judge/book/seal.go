package book

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/tools/txtar"
)

// Seal returns the archive of a chapter's folder as it is on disk: its Go files,
// without folders below it. Root is the workbook's root.
func (c Chapter) Seal(root string) ([]byte, error) {
	paths, err := filepath.Glob(filepath.Join(root, c.Dir(), "*.go"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("%s has no Go files", c.Dir())
	}
	archive := &txtar.Archive{Comment: []byte(
		"Made by `workbook seal` of " + c.Dir() + ". Do not edit.\n")}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		if strings.Contains("\n"+string(text), "\n-- ") {
			return nil, fmt.Errorf("%s: a line that starts with \"-- \" cannot be sealed", p)
		}
		archive.Files = append(archive.Files, txtar.File{Name: filepath.Base(p), Data: text})
	}
	return txtar.Format(archive), nil
}

// SealPath is the file below the workbook's root that Seal's result goes to.
func (c Chapter) SealPath() string {
	return filepath.Join("harness", "judge", "book", c.Folder()+".txtar")
}

// Edited lists the chapter's sealed files that are other on disk than they were
// handed out, and test files that were added. Tests says whether test files or
// the others are looked at.
func (c Chapter) Edited(root string, tests bool) []string {
	var edited []string
	for name, text := range c.sealed(tests) {
		now, err := os.ReadFile(filepath.Join(root, c.Dir(), name))
		switch {
		case err != nil:
			edited = append(edited, name+" (missing)")
		case string(now) != string(text):
			edited = append(edited, name)
		}
	}
	all, _ := filepath.Glob(filepath.Join(root, c.Dir(), "*.go"))
	for _, p := range all {
		name := filepath.Base(p)
		if _, known := c.Sealed[name]; !known && strings.HasSuffix(name, "_test.go") == tests {
			edited = append(edited, name+" (added)")
		}
	}
	return edited
}
