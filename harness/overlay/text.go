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
