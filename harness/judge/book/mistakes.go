package book

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/BurntSushi/toml"
)

// Kinds are the kinds of mistakes that people make, in the order in which they are told.
// Each chapter says for each of its functions which known-wrong solution makes such a
// mistake there, or why none does.
var Kinds = []Kind{
	{"memory", "memory that is handed out"},
	{"two-at-once", "two at once in one process"},
	{"look-and-act", "a look, and an act that comes too late"},
	{"flags", "flags by a second call, flags of the shared description"},
	{"second-time", "the second time"},
	{"error", "the right error, with its identity"},
	{"sizes", "sizes and numbers"},
	{"interruption", "a call that a signal interrupts"},
	{"left", "what is left open or behind"},
	{"burning", "a loop that burns processor time"},
	{"there-already", "what is there already"},
	{"refused", "a disk or a kernel that refuses"},
}

// Kind is a kind of mistakes.
type Kind struct{ Name, Title string }

// Mistakes has for each kind, by its name, what is said of the chapter's functions.
type Mistakes map[string]Cells

// Cells are what is said of the functions for one kind of mistakes.
type Cells struct {
	// Shown are the known-wrong solutions, by the function's name: "Reader.Recv".
	Shown map[string][]string
	// None are functions for which there is none.
	None []None
}

// None says why there is no known-wrong solution for some functions.
type None struct {
	Of  []string `toml:"of"`
	Why string   `toml:"why"`
}

// mistakesFile is the name of a chapter's file of mistakes.
func mistakesFile(folder string) string { return folder + ".mistakes.toml" }

// readMistakes reads the file of a chapter. A chapter that has none has nil: verify tells.
func readMistakes(files fs.FS, folder string) (Mistakes, error) {
	name := mistakesFile(folder)
	var raw map[string]map[string]toml.Primitive
	meta, err := toml.DecodeFS(files, name, &raw)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := Mistakes{}
	for _, kind := range slices.Sorted(maps.Keys(raw)) {
		if !slices.ContainsFunc(Kinds, func(k Kind) bool { return k.Name == kind }) {
			return nil, fmt.Errorf("%s: there is no kind of mistakes %q", name, kind)
		}
		c := Cells{Shown: map[string][]string{}}
		for key, value := range raw[kind] {
			if key == "none" {
				err = meta.PrimitiveDecode(value, &c.None)
			} else {
				var names []string
				err = meta.PrimitiveDecode(value, &names)
				c.Shown[key] = names
			}
			if err != nil {
				return nil, fmt.Errorf("%s: [%s] %s: %w", name, kind, key, err)
			}
		}
		all[kind] = c
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("%s: unknown key %q", name, unknown[0])
	}
	return all, nil
}
