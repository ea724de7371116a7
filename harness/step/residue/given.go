package residue

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Given is what the lab gave out in a step: names of POSIX objects, keys of
// System V ones, and paths of files that may stay.
type Given struct {
	Names []string
	Keys  []int
	Paths []string
}

// What one line of the ledger is about.
const (
	Name = "name"
	Key  = "key"
	Path = "path"
)

// ledger is the file in a step's own folder that holds what was given out, one
// line each. It outlives a SIGKILL of every process of the step.
const ledger = "given.ipc"

// NamePattern is the form of every name that is given out. What has another
// form was not, and is never removed because of its name.
var NamePattern = regexp.MustCompile(`^/ipc-\d+-[0-9a-f]{8}-[a-z0-9-]+$`)

// Note notes what is about to be given out. O_APPEND and a single write: lines
// of several processes do not mix.
func Note(folder, about, what string) error {
	f, err := os.OpenFile(filepath.Join(folder, ledger), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s %s\n", about, what)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// ReadGiven reads what was given out in the step that has this folder.
func ReadGiven(folder string) Given {
	var g Given
	if folder != "" {
		g.read(filepath.Join(folder, ledger))
	}
	return g
}

// read adds what one ledger holds. A line without its end was cut off.
func (g *Given) read(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return // nothing was given out
	}
	for line := range strings.Lines(string(text)) {
		line, whole := strings.CutSuffix(line, "\n")
		about, what, _ := strings.Cut(line, " ")
		if !whole {
			return
		}
		switch about {
		case Name:
			if NamePattern.MatchString(what) {
				g.Names = append(g.Names, what)
			}
		case Key:
			if key, err := strconv.Atoi(what); err == nil && key > 0 {
				g.Keys = append(g.Keys, key)
			}
		case Path:
			g.Paths = append(g.Paths, what)
		}
	}
}

// givenBelow reads all ledgers below a folder.
func givenBelow(folder string) Given {
	var g Given
	// What cannot be read is passed over: this cleans up as far as it goes.
	_ = filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Name() == ledger && e.Type().IsRegular() {
			g.read(path)
		}
		return nil
	})
	return g
}
