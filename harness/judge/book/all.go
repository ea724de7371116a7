package book

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/BurntSushi/toml"
)

// All is one work, and every mechanism that does it.
type All struct {
	Works      []Work      `toml:"work"`
	Mechanisms []Mechanism `toml:"mechanism"` // the others are held against the first one
}

// Work is messages of one size.
type Work struct {
	Name     string `toml:"name"`
	Size     int    `toml:"size"`     // of a message, in bytes
	Messages int    `toml:"messages"` // in one turn, at most
}

// Mechanism is one that messages go through.
type Mechanism struct {
	Name    string            `toml:"name"`
	Chapter int               `toml:"chapter"`
	Does    map[string]string `toml:"does"`  // the benchmark of the chapter that does a work, by the work's name
	Lacks   map[string]string `toml:"lacks"` // why it does not
}

// allFile is no chapter.
const allFile = "all.toml"

// SideBySide returns the work that all mechanisms do.
func SideBySide() (All, error) { return allIn(files) }

func allIn(files fs.FS) (All, error) {
	var all All
	meta, err := toml.DecodeFS(files, allFile, &all)
	if err != nil {
		return all, err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return all, fmt.Errorf("harness/judge/book/%s: unknown key %q", allFile, unknown[0])
	}
	if len(all.Works) == 0 || len(all.Mechanisms) == 0 {
		return all, fmt.Errorf("harness/judge/book/%s has no work or no mechanism", allFile)
	}
	for _, m := range all.Mechanisms {
		if problem := m.problem(all.Works); problem != "" {
			return all, fmt.Errorf("harness/judge/book/%s: mechanism %q: %s", allFile, m.Name, problem)
		}
	}
	return all, nil
}

// problem says what is not well-formed in a mechanism, or "".
func (m Mechanism) problem(works []Work) string {
	for _, w := range works {
		if (m.Does[w.Name] == "") == (m.Lacks[w.Name] == "") {
			return fmt.Sprintf("it does %q, or lacks it, and says which", w.Name)
		}
	}
	for _, some := range []map[string]string{m.Does, m.Lacks} {
		for name := range some {
			if !slices.ContainsFunc(works, func(w Work) bool { return w.Name == name }) {
				return fmt.Sprintf("there is no work %q", name)
			}
		}
	}
	return ""
}
