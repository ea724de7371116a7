package words

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

var (
	scheme     = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*:|//)`)
	ourFolders = regexp.MustCompile(`^(chapters|solutions|harness|docs|tools|\.ci|\.devcontainer)/`)
	lineSuffix = regexp.MustCompile(`^(.*?):(\d+)(?::\d+)?$`)
	lineAnchor = regexp.MustCompile(`^L(\d+)(?:-L(\d+))?$`)
	stands     = regexp.MustCompile(`…|<|>|\{|\}|\$|NN|NAME`)
)

// paths checks the links and the code spans that are paths.
func (c *checker) paths() {
	for _, t := range c.doc.texts {
		codes, links := t.inline()
		for _, l := range links {
			if l.text == "" || scheme.MatchString(l.text) {
				continue
			}
			c.countPaths++
			if err := c.link(l.text); err != nil {
				c.wrong(l.line, "%v", err)
			}
		}
		for _, code := range codes {
			if strings.ContainsAny(code.text, " \t") || !c.isPath(code.text) {
				continue
			}
			c.countPaths++
			if err := c.exists(code.text); err != nil {
				c.wrong(code.line, "%v", err)
			}
		}
	}
}

// looksLikePath says whether a word starts with a folder of the workbook.
func looksLikePath(word string) bool {
	return ourFolders.MatchString(strings.TrimPrefix(word, "./"))
}

// isPath says so of a code span: it may also name a file of the root.
func (c *checker) isPath(code string) bool {
	if looksLikePath(code) {
		return true
	}
	name, _ := splitLine(code)
	if name == "" || strings.Contains(strings.TrimPrefix(name, "./"), "/") || name == "." || name == ".." {
		return false
	}
	info, err := os.Stat(filepath.Join(c.Root, name))
	return err == nil && info.Mode().IsRegular()
}

// exists checks a path of the workbook, with :LINE or without.
func (p *prover) exists(text string) error {
	name, line := splitLine(text)
	if stands.MatchString(name) {
		return nil
	}
	name = strings.TrimSuffix(name, "/...") // Go's pattern for a folder and all below
	full := filepath.Join(p.Root, name)
	if strings.ContainsAny(name, "*?[") {
		if found, err := filepath.Glob(full); err != nil || len(found) == 0 {
			return fmt.Errorf("nothing matches %s", name)
		}
		return nil
	}
	info, err := os.Stat(full)
	switch {
	case err != nil:
		return fmt.Errorf("there is no %s in the workbook", name)
	case strings.HasSuffix(name, "/") && !info.IsDir():
		return fmt.Errorf("%s is no folder", name)
	}
	return hasLine(full, name, line)
}

func splitLine(text string) (name string, line int) {
	if m := lineSuffix.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[2])
		return m[1], line
	}
	return text, 0
}

// hasLine checks that a file has a line of this number; 0 is none.
func hasLine(full, name string, line int) error {
	if line == 0 {
		return nil
	}
	b, err := os.ReadFile(full)
	if err != nil {
		return err
	}
	n := strings.Count(strings.TrimSuffix(string(b), "\n"), "\n") + 1
	if line > n {
		return fmt.Errorf("%s has %d lines, there is no line %d", name, n, line)
	}
	return nil
}

// link checks the target of a link.
func (c *checker) link(target string) error {
	name, anchor, _ := strings.Cut(target, "#")
	name, err := url.PathUnescape(name)
	if err != nil {
		return fmt.Errorf("the link %s: %w", target, err)
	}
	if anchor, err = url.PathUnescape(anchor); err != nil {
		return fmt.Errorf("the link %s: %w", target, err)
	}
	rel := c.doc.file
	switch {
	case strings.HasPrefix(name, "/"):
		rel = path.Clean(name[1:]) // GitHub means the root of the repository
	case name != "":
		rel = path.Join(path.Dir(c.doc.file), name)
	}
	if rel == ".." || strings.HasPrefix(rel, "../") {
		return fmt.Errorf("the link %s leads out of the workbook", target)
	}
	full := filepath.Join(c.Root, rel)
	info, err := os.Stat(full)
	if err != nil {
		return fmt.Errorf("the link %s leads nowhere: there is no %s", target, rel)
	}
	if anchor == "" {
		return nil
	}
	if info.IsDir() {
		return fmt.Errorf("the link %s: a folder has no headings; name the file", target)
	}
	if strings.HasSuffix(rel, ".md") {
		return c.anchor(rel, anchor)
	}
	m := lineAnchor.FindStringSubmatch(anchor)
	if m == nil {
		return fmt.Errorf("the link %s: %s is no Markdown, only #L12 can lead into it", target, rel)
	}
	from, _ := strconv.Atoi(m[1])
	to, _ := strconv.Atoi(m[2])
	return errors.Join(hasLine(full, rel, from), hasLine(full, rel, to))
}
