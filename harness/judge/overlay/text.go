package overlay

import (
	"path/filepath"
	"regexp"
	"strings"
)

// Text maps every path of the chapter's folder in a text back to the file that
// was built, as seen from a folder (the reader's).
func (o *Overlay) Text(text, from string) string {
	path := regexp.MustCompile(regexp.QuoteMeta(o.chapter) + `/[^\s:()"]+`)
	text = path.ReplaceAllStringFunc(text, func(p string) string { return Relative(o.Real(p), from) })
	return strings.ReplaceAll(text, o.chapter, Relative(o.chapter, from))
}

var goFile = regexp.MustCompile(`[^\s:()"]+\.go\b`)

// Errors does the same for the compiler's words. Those name files as they are on
// disk, from the folder in which the compiler ran. It also reports which of the
// files belong to the chapter.
func (o *Overlay) Errors(text, ranIn, from string) (shown string, files []string) {
	shown = goFile.ReplaceAllStringFunc(text, func(p string) string {
		switch {
		case filepath.IsAbs(p):
		case strings.HasPrefix(p, ".") && !strings.HasPrefix(p, "./") && !strings.HasPrefix(p, "../"):
			// The go command writes "." for the folder in which it ran, also where that is
			// the beginning of another one's name only.
			p = ranIn + p[1:]
		default:
			p = filepath.Join(ranIn, p)
		}
		real, replaced := o.shown[p]
		if !replaced {
			real = o.Real(p)
		}
		if replaced || filepath.Dir(p) == o.chapter || filepath.Dir(p) == o.impl.Dir {
			files = append(files, Relative(real, from))
		}
		return Relative(real, from)
	})
	return shown, files
}

// Relative returns a path as seen from a folder, unless the way up is longer
// than the path itself.
func Relative(path, from string) string {
	if !filepath.IsAbs(path) {
		return path
	}
	rel, err := filepath.Rel(from, path)
	if err != nil || strings.HasPrefix(rel, "../../..") {
		return path
	}
	return rel
}
