package progress

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/kept"
)

// Guess is what a reader expected of an experiment, before it ran.
type Guess struct {
	At         time.Time `json:"at"`
	Experiment string    `json:"experiment"` // its title: numbers change
	Text       string    `json:"text"`
	Right      string    `json:"right,omitempty"` // what the reader said of it then: "yes", "no", or nothing
}

// Guesses are those of a chapter, the oldest first. A file that is not whole is an error:
// what was guessed cannot be brought back, so nothing is written over it.
func Guesses(root string, c book.Chapter) (all []Guess, err error) {
	path := guesses(root, c)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		if err = json.Unmarshal(text, &all); err != nil {
			err = fmt.Errorf("%s is damaged: %w; move it away to begin anew", path, err)
		}
	}
	return all, err
}

// Guessed keeps a guess, or what is known of it by now: one of the same moment is replaced.
func Guessed(root string, c book.Chapter, g Guess) error {
	path := guesses(root, c)
	unlock, err := kept.Lock(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer unlock()
	all, err := Guesses(root, c)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(old Guess) bool { return old.At.Equal(g.At) })
	return kept.File(path, func(f *os.File) error {
		out := json.NewEncoder(f)
		out.SetIndent("", " ")
		return out.Encode(append(all, g))
	})
}

func guesses(root string, c book.Chapter) string {
	return filepath.Join(root, ".workbook", "guesses", c.Folder()+".json")
}
