package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/verdict"
)

// Build compiles a chapter's test binary. A package that does not build is no
// error here: running it gives the verdict "broken".
func Build(ctx context.Context, o Options) (*Built, error) {
	if _, err := chosen(o); err != nil {
		return nil, err
	}
	tmp, remove, err := launch.Folder()
	if err != nil {
		return nil, err
	}
	b := &Built{o: o, tmp: tmp, remove: remove, binary: filepath.Join(tmp, o.Chapter.Name+".test"), sum: o.Impl.Sum()}
	if err := b.build(ctx); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func (b *Built) build(ctx context.Context) error {
	o := b.o
	if problem := o.Impl.Problem(o.Chapter.Name); problem != "" {
		b.breaks(problem, where(o), 0)
		return nil
	}
	b.sites = declarations(o.Impl)
	tests := o.Tests
	if tests == nil {
		tests = o.Chapter.Tests()
	}
	b.tests = tests
	chapter := filepath.Join(o.Root, o.Chapter.Dir())
	var err error
	if b.over, err = overlay.Make(b.tmp, chapter, o.Impl, tests); err != nil {
		return err
	}
	if o.Like.fits(o) {
		if o.Together.has(o.Impl.Name) && o.Together.copy(ctx, o.Impl.Name, b.binary) == nil {
			return nil
		}
		if err := b.buildLike(ctx, chapter, tests); err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
	}
	// Vet has an opinion, and no place in a verdict.
	// Debug information is for who debugs: dumps and panics need none.
	args := []string{"test", "-c", "-vet=off", "-ldflags=-s -w", "-o", b.binary, "-overlay", b.over.File}
	if o.Race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./"+o.Chapter.Dir())...)
	cmd.Dir = o.Root
	cmd.Env = append(cmd.Environ(), inFolder(b.tmp)...)
	if o.NoCgo {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = o.Turns.Build(cmd.Run)
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &exit):
		return b.compileError(out.String())
	case err != nil:
		return fmt.Errorf("running go: %w", err)
	}
	if _, err := os.Stat(b.binary); err != nil {
		return fmt.Errorf("go test -c made no test binary:\n%s", &out)
	}
	return nil
}

// buildLike builds in the way of a recipe. An error says that it cannot be done so.
func (b *Built) buildLike(ctx context.Context, chapter string, tests map[string][]byte) error {
	folder := filepath.Join(b.tmp, "like")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	texts, err := b.o.Impl.Read()
	if err != nil {
		return err
	}
	impl := overlay.Memory(b.o.Impl.Name, texts)
	if b.o.Like.Numbered {
		if impl, err = b.o.Like.numbered(impl); err != nil {
			return err
		}
	}
	if _, err := overlay.Make(folder, chapter, impl, tests); err != nil {
		return err
	}
	return b.o.Turns.Build(func() error { return b.o.Like.build(ctx, folder, chapter, b.binary, impl.Files) })
}

var place = regexp.MustCompile(`(?m)^(\S+\.go):(\d+)(?::\d+)?: `)

// compileError decides whose error it is. Errors in the chapter's own folder are
// the learner's; all others are the workbook's.
func (b *Built) compileError(out string) error {
	var lines []string
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "FAIL") {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	text, ours := b.over.Errors(strings.Join(lines, "\n"), b.o.Root, b.o.From)
	m := place.FindStringSubmatch(text)
	if m == nil || !slices.Contains(ours, m[1]) {
		return fmt.Errorf("the workbook itself does not build:\n%s", text)
	}
	file, line := "", 0
	// The first error outside the tests is the one to mend.
	for _, m := range place.FindAllStringSubmatch(text, -1) {
		if !strings.HasSuffix(m[1], "_test.go") {
			file = m[1]
			fmt.Sscan(m[2], &line)
			break
		}
	}
	// What the tests do not find may be in nobody's line.
	names, changed := missing(b.o), changedSignatures(b.o)
	switch {
	case strings.Contains(text, `"ipcworkbook/harness/todo" imported and not used`):
		text = "No function needs the import of harness/todo any more: it can go.\n" + firstLines(text, someErrors)
	case file != "":
		text = firstLines(text, mostErrors)
	case len(names) > 0:
		text = "The package has to declare what the stub does. It lacks " + strings.Join(names, ", ") + ".\n" + firstLines(text, someErrors)
		file = where(b.o)
	case len(changed) > 0:
		at := b.sites[changed[0].name]
		file, line = overlay.Relative(at.file, b.o.From), at.line
		text = changed[0].String() + firstLines(text, someErrors)
	}
	b.breaks(text, file, line)
	return nil
}

// Of the compiler's errors so many are shown: the first one is what helps.
const (
	someErrors = 3
	mostErrors = 10
)

func firstLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if len(lines) > n+1 {
		lines = append(lines[:n:n], fmt.Sprintf("… and %d lines more", len(lines)-n))
	}
	return strings.Join(lines, "\n")
}

// missing lists the exported functions, methods and types of the stub that an
// implementation lacks.
func missing(o Options) []string {
	have := declarations(o.Impl)
	var names []string
	for name := range declarations(overlay.Memory("stub", o.Chapter.Stub())) {
		_, method, _ := strings.Cut(name, ".")
		if _, ok := have[name]; !ok && ast.IsExported(name) && (method == "" || ast.IsExported(method)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// where is the implementation's folder as the reader sees it.
func where(o Options) string {
	if o.Impl.Dir == "" {
		return o.Impl.Name
	}
	return overlay.Relative(o.Impl.Dir, o.From)
}

// breaks makes every step broken.
func (b *Built) breaks(message, file string, line int) {
	b.broken = Result{
		Chapter: b.o.Chapter.Number, Name: b.o.Chapter.Name,
		Verdict: verdict.Broken, Message: message, Steps: []Step{}, Sum: b.sum,
	}
	steps, _ := chosen(b.o)
	for _, s := range steps {
		b.broken.Steps = append(b.broken.Steps, Step{
			Number: s.Number, Test: s.Test, Title: s.Title,
			Verdict: verdict.Broken, Message: message, File: file, Line: line,
		})
	}
}

// inFolder has a go command, and the C compiler that it may call, leave their temporary files in a folder:
// who is killed removes none.
func inFolder(folder string) []string { return []string{"GOTMPDIR=" + folder, "TMPDIR=" + folder} }
