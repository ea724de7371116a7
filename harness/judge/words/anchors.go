package words

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

var (
	ownAnchor = regexp.MustCompile(`<a\s+(?:id|name)="([^"]+)"`)
	linkText  = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
)

// anchor checks that a Markdown file has a heading of this name.
func (c *checker) anchor(file, anchor string) error {
	d := c.doc
	if file != d.file {
		var err error
		if d, err = read(c.Root, file); err != nil {
			return err
		}
	}
	all := d.anchors()
	for _, a := range all {
		if a == anchor {
			return nil
		}
	}
	return fmt.Errorf("%s has no heading #%s; it has #%s", file, anchor, strings.Join(all, ", #"))
}

// anchors lists the names that links can lead to.
func (d *document) anchors() []string {
	var all []string
	seen := map[string]int{}
	for _, h := range d.headings {
		s := slug(h)
		n := seen[s]
		seen[s]++
		if n > 0 {
			s += "-" + strconv.Itoa(n)
		}
		all = append(all, s)
	}
	for _, t := range d.texts {
		for _, m := range ownAnchor.FindAllStringSubmatch(t.body, -1) {
			all = append(all, m[1])
		}
	}
	return all
}

// slug is GitHub's name for a heading: lower case, without punctuation, blanks
// become hyphens.
func slug(heading string) string {
	heading = linkText.ReplaceAllString(heading, "$1")
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}
