package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"ipcworkbook/harness/judge/compare"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/step/launch"
)

// Recipe is how a chapter's test binary is built with one implementation. Others are built
// in the same way: with the same calls of compiler and linker, on other files. The go
// command says what these calls are (go test -n), and is asked once; of the time that it
// takes for a known-wrong solution, most goes into finding out again what has not changed.
//
// What does not build in this way is left to the go command: it says why. So is all
// after an edit of what a chapter imports: a recipe is for one run of the workbook.
type Recipe struct {
	// Numbered saves more, for verdicts that nobody reads line by line: a message may
	// name a line of the recipe's implementation (see numbered), and calls are not
	// inlined into the tests.
	Numbered bool

	folder string // where the implementation's and the tests' files were
	work   string // the go command's own, with the list of tests
	root   string
	calls  []buildCall
	files  map[string]string // import maps and the like, by their paths
	names  []string          // of the implementation's files
	texts  map[string][]byte // of the implementation itself
	remove func()

	// The package as the tests see it: what is exported, with bodies that may be
	// inlined. Where it is the same, what was compiled against it can be used again.
	exported []byte
	compiled map[string]string // archives of the test's packages, by their paths
}

// buildCall is a call of the compiler or the linker.
type buildCall struct {
	args []string
	pkg  string // -p; "" of the linker
	out  string // -o
}

// NewRecipe finds out how an implementation is built.
func NewRecipe(ctx context.Context, o Options) (*Recipe, error) {
	texts, err := o.Impl.Read()
	if err != nil || len(texts) == 0 {
		return nil, errors.Join(err, errors.New("there is no file to build"))
	}
	tmp, remove, err := launch.Folder()
	if err != nil {
		return nil, err
	}
	r := &Recipe{folder: filepath.Join(tmp, "recipe"), root: o.Root, remove: remove, files: map[string]string{}, compiled: map[string]string{}, names: o.Impl.Files}
	if err := r.make(ctx, o, tmp, texts); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close removes what it needs. Nil is nothing to close.
func (r *Recipe) Close() {
	if r != nil {
		r.remove()
	}
}

func (r *Recipe) make(ctx context.Context, o Options, tmp string, texts map[string][]byte) error {
	if err := os.Mkdir(r.folder, 0o700); err != nil {
		return err
	}
	chapter := filepath.Join(o.Root, o.Chapter.Dir())
	ask := func(args ...string) (string, error) {
		over, err := overlay.Make(r.folder, chapter, overlay.Memory(o.Impl.Name, texts), o.Chapter.Tests())
		if err != nil {
			return "", err
		}
		cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"test", "-c", "-vet=off"}, args, []string{"-overlay", over.File, "./" + o.Chapter.Dir()})...)
		cmd.Dir = o.Root
		cmd.Env = append(cmd.Environ(), inFolder(tmp)...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := o.Turns.Build(cmd.Run); err != nil {
			return "", fmt.Errorf("%w\n%s", err, &out)
		}
		return out.String(), nil
	}
	said, err := ask("-work", "-o", filepath.Join(tmp, "first.test"))
	if err != nil {
		return err
	}
	m := regexp.MustCompile(`(?m)^WORK=(.+)$`).FindStringSubmatch(said)
	if m == nil {
		return fmt.Errorf("the go command does not say where it worked:\n%s", said)
	}
	r.work = m[1]
	// A comment more, so that it does not take what it has built already.
	first := r.names[0]
	texts[first] = append(bytes.Clone(texts[first]), "\n// built "+filepath.Base(tmp)+"\n"...)
	if said, err = ask("-n", "-o", filepath.Join(tmp, "next.test")); err != nil {
		return err
	}
	if err := r.read(said, o.Chapter.Dir()); err != nil {
		return fmt.Errorf("%w:\n%s", err, said)
	}
	// The implementation itself, for what can be used again.
	if texts, err = o.Impl.Read(); err != nil {
		return err
	}
	r.texts = texts
	if _, err := overlay.Make(r.folder, chapter, overlay.Memory(o.Impl.Name, texts), o.Chapter.Tests()); err != nil {
		return err
	}
	return o.Turns.Build(func() error { return r.build(ctx, r.folder, chapter, filepath.Join(tmp, "first.test"), r.names) })
}

// read reads the shell commands that the go command shows.
func (r *Recipe) read(script, dir string) error {
	lines := strings.Split(script, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if file, ok := heredoc(line); ok {
			var text strings.Builder
			for i++; i < len(lines) && lines[i] != "EOF"; i++ {
				text.WriteString(lines[i] + "\n")
			}
			r.files[file] = text.String()
			continue
		}
		words := shellWords(line)
		for len(words) > 0 && strings.Contains(words[0], "=") {
			words = words[1:] // GOROOT=… before the linker
		}
		if len(words) == 0 || !filepath.IsAbs(words[0]) {
			continue // mkdir, cd, mv, and the go command's own work
		}
		c := buildCall{args: words, out: valueOf(words, "-o"), pkg: valueOf(words, "-p")}
		switch tool := filepath.Base(words[0]); tool {
		case "compile":
			if i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "-c=") }); i >= 0 {
				words[i] = "-c=1" // others run beside it
			}
			c.args = slices.Insert(words, 1, "-dwarf=false") // nobody debugs it
		case "link":
			c.args = slices.Insert(words, 1, "-s", "-w")
		default:
			return fmt.Errorf("the go command also calls %s", tool)
		}
		r.calls = append(r.calls, c)
	}
	var packages []string
	for _, c := range r.calls {
		packages = append(packages, c.pkg)
	}
	own := "ipcworkbook/" + filepath.ToSlash(dir)
	if !slices.Equal(packages, []string{own, own + "_test", "main", ""}) {
		return fmt.Errorf("the go command builds %q", packages)
	}
	return nil
}

var catTo = regexp.MustCompile(`^cat >(\S+) << 'EOF'`)

func heredoc(line string) (file string, is bool) {
	m := catTo.FindStringSubmatch(line)
	if m == nil {
		return "", false
	}
	return m[1], true
}

func valueOf(words []string, flag string) string {
	if i := slices.Index(words, flag); i >= 0 && i+1 < len(words) {
		return words[i+1]
	}
	return ""
}

// shellWords splits a line as a shell does, as far as the go command quotes.
func shellWords(line string) (words []string) {
	var word strings.Builder
	var quote rune
	some := false
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, some = c, true
		case quote == 0 && c == ' ':
			if some {
				words = append(words, word.String())
			}
			word.Reset()
			some = false
		default:
			word.WriteRune(c)
			some = true
		}
	}
	if some {
		words = append(words, word.String())
	}
	return words
}

// fits says that an implementation can be built like this one.
func (r *Recipe) fits(o Options) bool {
	return r != nil && !o.Race && !o.NoCgo && !importsC(o.Impl) && o.Tests == nil
}

// numbered is an implementation in which each declaration stands on the line on which the
// recipe's own has the one of that name, if there is room: what is between declarations,
// comments, makes it. What is exported names lines; so an edit that adds one does not
// change all that comes after it. It is for verdicts only: in a message a line may be that
// of the recipe's.
func (r *Recipe) numbered(impl overlay.Impl) (overlay.Impl, error) {
	texts, err := impl.Read()
	if err != nil {
		return impl, err
	}
	for file, text := range texts {
		if r.texts[file] == nil || bytes.Equal(text, r.texts[file]) {
			continue
		}
		lines := map[string]int{}
		if err := eachDeclaration(file, r.texts[file], func(name string, line, _, _ int) { lines[name] = line }); err != nil {
			return impl, err
		}
		var out bytes.Buffer
		done := 0
		err := eachDeclaration(file, text, func(name string, _, from, to int) {
			between := text[done:from]
			// Before the first one stand the package's name and the imports.
			if missing := lines[name] - 1 - bytes.Count(out.Bytes(), []byte("\n")); name != "" && done > 0 && missing > 0 && !bytes.Contains(between, []byte("//go:")) {
				between = bytes.Repeat([]byte("\n"), missing)
			}
			out.Write(between)
			out.Write(text[from:to])
			done = to
		})
		if err != nil {
			return impl, err
		}
		out.Write(text[done:])
		texts[file] = out.Bytes()
	}
	return overlay.Memory(impl.Name, texts), nil
}

// eachDeclaration shows a file's declarations in order: where each stands, without its
// comment. An import has no name.
func eachDeclaration(file string, text []byte, show func(name string, line, from, to int)) error {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, file, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, d := range f.Decls {
		from := set.Position(d.Pos())
		show(compare.Name(d), from.Line, from.Offset, set.Position(d.End()).Offset)
	}
	return nil
}

// withFiles are the arguments of the compiler for the package itself, with the files of
// another implementation: the list at the end, and what each is called in messages.
func (r *Recipe) withFiles(args []string, folder, chapter string, names []string) ([]string, error) {
	pack := slices.Index(args, "-pack")
	if pack < 0 {
		return nil, errors.New("the compiler is called without a list of files")
	}
	var files, paths []string
	for _, name := range names {
		is, err := build.Default.MatchFile(folder, name)
		if err != nil {
			return nil, err
		}
		if is { // it is for this machine
			files = append(files, filepath.Join(folder, name))
		}
		paths = append(paths, filepath.Join(folder, name)+"=>"+filepath.Join(chapter, name))
	}
	for _, file := range args[pack+1:] {
		if !slices.Contains(r.names, filepath.Base(file)) {
			files = append(files, file) // main_test.go
		}
	}
	args = append(slices.Clone(args[:pack+1]), files...)
	if i := slices.Index(args, "-trimpath"); i >= 0 {
		for path := range strings.SplitSeq(args[i+1], ";") {
			if from, _, _ := strings.Cut(path, "=>"); !slices.Contains(r.names, filepath.Base(from)) {
				paths = append(paths, path)
			}
		}
		args[i+1] = strings.Join(paths, ";")
	}
	return args, nil
}

// build builds what overlay.Make has put into a folder: an implementation with files of
// these names. An error says that it cannot be built in this way, and no more.
func (r *Recipe) build(ctx context.Context, folder, chapter, binary string, names []string) error {
	work := filepath.Join(folder, "work")
	here := strings.NewReplacer("$WORK", work, r.folder+"/", folder+"/")
	for file, text := range r.files {
		path := here.Replace(file)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(here.Replace(text)), 0o600); err != nil {
			return err
		}
	}
	first := folder == r.folder
	again := false // what was compiled against the package can be used again
	for _, c := range r.calls {
		out := here.Replace(c.out)
		if again && c.pkg != "" {
			continue
		}
		args := make([]string, len(c.args))
		for i, arg := range c.args {
			args[i] = here.Replace(arg)
			if list := filepath.Join(work, "b001", "_testmain.go"); args[i] == list {
				args[i] = filepath.Join(r.work, "b001", "_testmain.go")
			}
		}
		if c.pkg == r.calls[0].pkg {
			var err error
			if args, err = r.withFiles(args, folder, chapter, names); err != nil {
				return err
			}
		}
		if c.pkg == "" {
			if again {
				args[len(args)-1] = r.compiled["main"]
			}
			for i := range args {
				if args[i] == out {
					args[i] = binary
				}
			}
		}
		if strings.HasSuffix(c.pkg, "_test") && r.Numbered {
			args = slices.Insert(args, 1, "-l") // to inline into the tests themselves takes a third of the time
		}
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir = r.root
		cmd.Env = append(cmd.Environ(), "PWD="+r.root, "GOMAXPROCS=1", "GOGC=off") // they end soon
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", filepath.Base(args[0]), err, text)
		}
		if c.pkg == r.calls[0].pkg {
			exported, err := exportedOf(out)
			if err != nil {
				return err
			}
			if first {
				r.exported = exported
			} else if again = bytes.Equal(exported, r.exported); again {
				if err := r.useAgain(work); err != nil {
					return err
				}
			}
		} else if first && c.pkg != "" {
			r.compiled[c.pkg] = out
		}
	}
	return nil
}

// useAgain puts the archives of the tests' packages that are there already into the
// linker's map. The linker refuses them if they were compiled against another package.
func (r *Recipe) useAgain(work string) error {
	for file := range r.files {
		if filepath.Base(file) != "importcfg.link" {
			continue
		}
		path := strings.Replace(file, "$WORK", work, 1)
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		lines := strings.Split(string(text), "\n")
		for i, line := range lines {
			if name, _, ok := strings.Cut(strings.TrimPrefix(line, "packagefile "), "="); ok && r.compiled[name] != "" {
				lines[i] = "packagefile " + name + "=" + r.compiled[name]
			}
		}
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// exportedOf is the part of an archive that other packages are compiled against: its
// first entry, __.PKGDEF.
func exportedOf(archive string) ([]byte, error) {
	text, err := os.ReadFile(archive)
	if err != nil {
		return nil, err
	}
	const magic, header = "!<arch>\n", 60
	if len(text) < len(magic)+header || !bytes.HasPrefix(text, []byte(magic+"__.PKGDEF")) {
		return nil, fmt.Errorf("%s is no archive of a package", archive)
	}
	var size int
	if _, err := fmt.Sscan(string(text[len(magic)+48:len(magic)+58]), &size); err != nil || size < 0 || size > len(text)-len(magic)-header {
		return nil, fmt.Errorf("%s is damaged", archive)
	}
	return text[len(magic)+header:][:size], nil
}
