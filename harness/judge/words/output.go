package words

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// outputs compares every shown output with what its command prints now.
func (c *checker) outputs(ctx context.Context) {
	for _, o := range c.doc.outputs {
		c.countOutputs++
		now, problem, cannot := c.now(ctx, o)
		if cannot {
			c.countUnsupported++
			continue
		}
		if problem != "" {
			c.wrong(o.line, "%s", problem)
			continue
		}
		if at, differ := difference(tidy(strings.Join(o.fence.body, "\n")), now); differ != "" {
			c.wrong(o.fence.line+at, "%s prints something else now; run task words\n%s", short(o.command), differ)
		}
	}
}

// write writes the outputs of one file anew where they differ, and says whether
// there was any. What is wrong otherwise is left for check to say.
func (p *prover) write(ctx context.Context, file string) (bool, error) {
	d, err := read(p.Root, file)
	if err != nil {
		return false, err
	}
	changed := false
	for _, o := range slices.Backward(d.outputs) {
		now, problem, cannot := p.now(ctx, o)
		if problem != "" || cannot {
			continue
		}
		if _, differ := difference(tidy(strings.Join(o.fence.body, "\n")), now); differ == "" {
			continue
		}
		d.replace(o.fence, now)
		changed = true
	}
	if !changed || ctx.Err() != nil {
		return false, ctx.Err()
	}
	path := filepath.Join(p.Root, file)
	return true, os.WriteFile(path, []byte(strings.Join(d.lines, "\n")), 0o644)
}

// unsupported is the exit status of a command that this machine cannot run. It is
// that of the workbook itself.
const unsupported = 3

// notFound is the shell's exit status for a program that is not there. Which ones a
// document may use is known (allow.go): it is no misspelt one.
const notFound = 127

// now runs the command of an output and returns its lines, or what is wrong, or that
// this machine cannot show it.
func (p *prover) now(ctx context.Context, o output) (lines []string, problem string, cannot bool) {
	if wrong := p.shell(o.command, map[string]bool{}); len(wrong) > 0 {
		return nil, wrong[0].text, false
	}
	r := p.run.command(ctx, o.command)
	lines = tidy(r.out)
	switch {
	case r.problem != "":
		return nil, fmt.Sprintf("%s: %s%s", short(o.command), r.problem, tail(lines)), false
	case Cannot(r.exit, o.exit):
		return nil, "", true
	case r.exit != o.exit:
		return nil, fmt.Sprintf("%s ends with exit status %d, not %d; if that is meant, write <!-- output exit=%d: … -->%s",
			short(o.command), r.exit, o.exit, r.exit, tail(lines)), false
	}
	for _, line := range lines {
		// A path that the command itself names is the same everywhere.
		if path := p.run.private(line); path != "" && !strings.Contains(o.command, path) {
			return nil, fmt.Sprintf("%s prints %s, which is true on this machine only; show a command that prints relative paths:\n    %s", short(o.command), path, line), false
		}
	}
	return lines, "", false
}

// short keeps a message on one line.
func short(command string) string {
	if r := []rune(command); len(r) > 60 {
		return string(r[:57]) + "…"
	}
	return command
}

// tail shows the last lines of an output.
func tail(lines []string) string {
	if len(lines) == 0 {
		return "\n  it printed nothing"
	}
	return "\n  the end of its output:\n    " + strings.Join(lines[max(0, len(lines)-5):], "\n    ")
}

// difference returns the first line that differs, counted from 1, and both.
func difference(shown, now []string) (at int, text string) {
	a, b := normal(shown), normal(now)
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(b):
			return i + 1, fmt.Sprintf("  shown: %s\n  now:   (the end)", shown[i])
		case i >= len(a):
			return i + 1, fmt.Sprintf("  shown: (the end)\n  now:   %s", now[i])
		case a[i] != b[i]:
			return i + 1, fmt.Sprintf("  shown: %s\n  now:   %s", shown[i], now[i])
		}
	}
	return 0, ""
}

// privatePaths are the folders that are another's on another machine.
func privatePaths(root string) []*regexp.Regexp {
	paths := []string{root, os.Getenv("HOME"), os.TempDir()}
	if real, err := filepath.EvalSymlinks(root); err == nil {
		paths = append(paths, real)
	}
	var out []*regexp.Regexp
	for _, path := range paths {
		if path = filepath.Clean(path); !filepath.IsAbs(path) || path == "/" {
			continue
		}
		// /root must not be found in /rootfs or in cgroup/root.
		out = append(out, regexp.MustCompile(`(?:^|[^\w./-])(`+regexp.QuoteMeta(path)+`)(?:$|[^\w-])`))
	}
	return out
}
