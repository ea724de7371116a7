// Package book is the catalogue: the chapters, their steps, and the hints.
//
// Each chapter has three files here. NN-name.toml is written by hand: the steps,
// their titles (claims, as a test asserts them), the declaration that a learner
// edits for each, and the hints, from general to specific. NN-name.mistakes.toml is, too:
// which kinds of mistakes the tests are shown to find. NN-name.txtar is
// made by `workbook seal`: the chapter's stub and tests as they were handed out.
// Judging uses the sealed tests, so an edited test changes no verdict, and the
// sealed stub is what a learner can go back to.
package book

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"golang.org/x/tools/txtar"
)

//go:embed *.toml *.txtar
var files embed.FS

// Chapter is one chapter of the workbook.
type Chapter struct {
	Number int    `toml:"number"`
	Name   string `toml:"name"`
	Title  string `toml:"title"`
	Steps  []Step `toml:"step"`

	Benchmarks []Benchmark `toml:"benchmark"`
	// Ladder are solutions in the reference's testdata: the rungs in other/ that lead
	// from the plain one to the reference, and any other one ("wrong/NAME") that shows
	// what something costs. The lesson shows what each is worth.
	Ladder []string `toml:"ladder"`
	// Plain are solutions in other/ as people write them first. Each passes every gate.
	Plain []string `toml:"plain"`

	// Mistakes are the kinds of mistakes that the tests are shown to find.
	Mistakes Mistakes `toml:"-"`
	// Sealed are the stub and the tests as they were handed out, by file name.
	Sealed map[string][]byte `toml:"-"`
}

// Step is one claim and the test that asserts it.
type Step struct {
	Number int    `toml:"-"` // from 1
	Test   string `toml:"test"`
	Title  string `toml:"title"`
	// Edit is the declaration that the step is about: "New", "Reader.Recv".
	Edit  string   `toml:"edit"`
	Hints []string `toml:"hints"`
	// Needs are programs of the machine. Without one of them the step is unsupported.
	Needs []string `toml:"needs"`
}

// Benchmark is one thing to measure: the test file's function, how much it is
// asked for, and the ratio to the reference that passes.
type Benchmark struct {
	Name     string `toml:"name"` // without "Benchmark": "Transfer/1KiB"
	Title    string `toml:"title"`
	Kind     string `toml:"kind"`     // transfer, pingpong, crowd, tasks or operation
	Size     int    `toml:"size"`     // of a message, in bytes
	Messages int    `toml:"messages"` // in one turn
	// Whole says that every turn has so many messages. Otherwise who is slow sends
	// fewer, which is fair only if all of the time is spent on messages.
	Whole bool `toml:"whole"`
	// Cores is 1 if both processes share a core, 2 if each has one of its own, and
	// -1 if the scheduler decides.
	Cores int `toml:"cores"`
	// Gate is the least speed that passes, as a part of the reference's. Fast is a
	// second one for who wants more.
	Gate float64 `toml:"gate"`
	Fast float64 `toml:"fast"`
	// Peer is the program below harness/judge/peers that does the same.
	Peer string `toml:"peer"`
	// Edit is the declaration that it is about.
	Edit string `toml:"edit"`
}

// kinds are those of benchmarks.
var kinds = []string{"transfer", "pingpong", "crowd", "tasks", "operation"}

// problem says what is not well-formed in a benchmark, or "".
func (b Benchmark) problem() string {
	switch {
	case b.Name == "" || b.Title == "" || b.Peer == "" || b.Edit == "":
		return "name, title, peer and edit have to be given"
	case !slices.Contains(kinds, b.Kind):
		return fmt.Sprintf("its kind is %q; known are %s", b.Kind, strings.Join(kinds, ", "))
	case b.Size < 1 || b.Messages < 1:
		return "size and messages have to be positive"
	case b.Cores != 1 && b.Cores != 2 && b.Cores != -1:
		return fmt.Sprintf("cores is %d, not 1, 2 or -1", b.Cores)
	case b.Gate <= 0 || b.Fast != 0 && b.Fast < b.Gate:
		return "the gate has to be above 0, and fast not below it"
	}
	return ""
}

// Benchmark returns the benchmark of that name.
func (c Chapter) Benchmark(name string) (Benchmark, error) {
	var names []string
	for _, b := range c.Benchmarks {
		if b.Name == name {
			return b, nil
		}
		names = append(names, b.Name)
	}
	if len(names) == 0 {
		return Benchmark{}, fmt.Errorf("chapter %d (%s) has no benchmarks", c.Number, c.Name)
	}
	return Benchmark{}, fmt.Errorf("chapter %d (%s) has no benchmark %q. Choose one of: %s",
		c.Number, c.Name, name, strings.Join(names, ", "))
}

// Folder is the name of the chapter's folder: "01-pipe".
func (c Chapter) Folder() string { return fmt.Sprintf("%02d-%s", c.Number, c.Name) }

// Dir is the chapter's folder below the workbook's root.
func (c Chapter) Dir() string { return path.Join("chapters", c.Folder()) }

// Solution is the folder of the reference below the workbook's root.
func (c Chapter) Solution() string { return path.Join("solutions", c.Folder()) }

// Stub returns the sealed files that are no tests.
func (c Chapter) Stub() map[string][]byte { return c.sealed(false) }

// Tests returns the sealed test files.
func (c Chapter) Tests() map[string][]byte { return c.sealed(true) }

func (c Chapter) sealed(tests bool) map[string][]byte {
	some := map[string][]byte{}
	for name, text := range c.Sealed {
		if strings.HasSuffix(name, "_test.go") == tests {
			some[name] = text
		}
	}
	return some
}

// Step returns the step with a number from 1.
func (c Chapter) Step(n int) (Step, error) {
	if n < 1 || n > len(c.Steps) {
		return Step{}, fmt.Errorf("chapter %d (%s) has no step %d: its steps are 1 to %d", c.Number, c.Name, n, len(c.Steps))
	}
	return c.Steps[n-1], nil
}

// Chapters returns all chapters in order, as they were when this program was built.
func Chapters() ([]Chapter, error) { return In(files) }

// In returns all chapters of a catalogue's folder.
func In(files fs.FS) ([]Chapter, error) {
	names, err := fs.Glob(files, "*.toml")
	if err != nil {
		return nil, err
	}
	var chapters []Chapter
	for _, name := range names {
		if name == allFile || strings.HasSuffix(name, mistakesFile("")) {
			continue
		}
		c, err := read(files, name)
		if err != nil {
			return nil, fmt.Errorf("harness/judge/book/%s: %w", name, err)
		}
		chapters = append(chapters, c)
	}
	slices.SortFunc(chapters, func(a, b Chapter) int { return a.Number - b.Number })
	return chapters, nil
}

func read(files fs.FS, name string) (Chapter, error) {
	var c Chapter
	meta, err := toml.DecodeFS(files, name, &c)
	if err != nil {
		return c, err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return c, fmt.Errorf("unknown key %q", unknown[0])
	}
	if want := c.Folder() + ".toml"; name != want {
		return c, fmt.Errorf("number and name belong to %s", want)
	}
	for _, b := range c.Benchmarks {
		if problem := b.problem(); problem != "" {
			return c, fmt.Errorf("benchmark %q: %s", b.Name, problem)
		}
	}
	for i := range c.Steps {
		c.Steps[i].Number = i + 1
	}
	if c.Mistakes, err = readMistakes(files, c.Folder()); err != nil {
		return c, err
	}
	c.Sealed = map[string][]byte{}
	text, err := fs.ReadFile(files, c.Folder()+".txtar")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	// A chapter that is being added is not sealed yet. Its files are other ones then than what
	// is judged, which is nothing: verify says so.
	for _, f := range txtar.Parse(text).Files {
		c.Sealed[f.Name] = f.Data
	}
	return c, nil
}

// Find returns the chapter that a reader names: 3, 03 or its name.
func Find(what string) (Chapter, error) {
	chapters, err := Chapters()
	if err != nil {
		return Chapter{}, err
	}
	number, err := strconv.Atoi(what)
	var choices []string
	for _, c := range chapters {
		if c.Name == what || c.Folder() == what || err == nil && c.Number == number {
			return c, nil
		}
		choices = append(choices, fmt.Sprintf("%d (%s)", c.Number, c.Name))
	}
	return Chapter{}, fmt.Errorf("there is no chapter %q. Choose one of: %s", what, strings.Join(choices, ", "))
}
