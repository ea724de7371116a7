package verify

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/overlay"
)

// Variants lists a chapter's variants of one kind, "wrong", "slow" or "other": what is
// in that folder of the reference's testdata.
func Variants(root string, c book.Chapter, kind string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(root, c.Solution(), "testdata", kind))
	if os.IsNotExist(err) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if name, isFile := strings.CutSuffix(e.Name(), ".toml"); isFile || kind == "other" && e.IsDir() {
			names = append(names, name)
		}
	}
	return names, err
}

// Other is a correct solution that is the reference with some edits. One that has
// nothing in common with it is a folder.
type Other struct {
	Reason string         `toml:"reason"` // what is different, in a sentence
	Edits  []overlay.Edit `toml:"edit"`
}

// Variant returns a variant: the reference, or another correct solution, with its edits, or what is in
// its folder. One that is not well-formed, or that no longer applies, is an error.
func Variant(root string, c book.Chapter, kind, name string) (overlay.Impl, error) {
	var edits []overlay.Edit
	of := ""
	var err error
	switch kind {
	case "other":
		folder := filepath.Join(root, c.Solution(), "testdata", kind, name)
		if info, err := os.Stat(folder); err == nil && info.IsDir() {
			return overlay.Open(folder)
		}
		var o Other
		if err = readVariant(root, c, kind, name, &o); err == nil && o.Reason == "" {
			err = fmt.Errorf("a reason has to be given")
		}
		edits = o.Edits
	case "wrong":
		var w Wrong
		w, err = readWrong(root, c, name)
		edits, of = w.Edits, w.Of
	case "slow":
		var s Slow
		s, err = ReadSlow(root, c, name)
		edits = s.Edits
	default:
		err = fmt.Errorf("there are no variants of kind %q", kind)
	}
	if err != nil {
		return overlay.Impl{}, err
	}
	var right overlay.Impl
	if of == "" {
		right, err = overlay.Open(filepath.Join(root, c.Solution()))
	} else {
		right, err = Variant(root, c, "other", of)
	}
	if err != nil {
		return overlay.Impl{}, err
	}
	files, err := right.Read()
	if err != nil {
		return overlay.Impl{}, err
	}
	if err := overlay.Apply(files, edits); err != nil {
		return overlay.Impl{}, fmt.Errorf("it no longer applies to %s: %w", cmp.Or(of, "the reference"), err)
	}
	return overlay.Memory(kind+"/"+name, files), nil
}

// readVariant reads a variant's file. A key that is not known is an error.
func readVariant(root string, c book.Chapter, kind, name string, into any) error {
	meta, err := toml.DecodeFile(filepath.Join(root, c.Solution(), "testdata", kind, name+".toml"), into)
	if err == nil && len(meta.Undecoded()) > 0 {
		err = fmt.Errorf("unknown key %q", meta.Undecoded()[0])
	}
	return err
}
