package overlay

import (
	"fmt"
	"strings"
)

// Edit replaces one piece of a file. Known-wrong variants are edits of the
// reference: they show the mistake and nothing else.
type Edit struct {
	File string `toml:"file"`
	Old  string `toml:"old"`
	New  string `toml:"new"`
}

// Apply applies edits to files. An edit whose old text does not occur exactly
// once, or that changes nothing, is an error: it would prove nothing.
func Apply(files map[string][]byte, edits []Edit) error {
	if len(edits) == 0 {
		return fmt.Errorf("there is no edit")
	}
	for i, e := range edits {
		text, ok := files[e.File]
		switch n := strings.Count(string(text), e.Old); {
		case !ok:
			return fmt.Errorf("edit %d: there is no file %q", i+1, e.File)
		case e.Old == e.New:
			return fmt.Errorf("edit %d: it changes nothing", i+1)
		case e.Old == "" || n != 1:
			return fmt.Errorf("edit %d: its old text occurs %d times in %s, not once:\n%s", i+1, n, e.File, e.Old)
		}
		files[e.File] = []byte(strings.Replace(string(text), e.Old, e.New, 1))
	}
	return nil
}
