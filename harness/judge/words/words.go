// Package words proves law 6: every command, path and output that README.md,
// docs/*.md and chapters/*/*.md show is real.
//
// # Shown output
//
// Output is never typed by hand. A comment names the command, and the fence
// below it holds what the command prints:
//
//	<!-- output: ./task test chapter=1 -->
//	```text
//	…
//	```
//	<!-- end -->
//
// `<!-- output exit=1: COMMAND -->` expects the exit status 1; without it 0 is
// expected. The language may be any. The languages text and console, and a
// fence without a language, are an error elsewhere: nobody could write such a
// block anew. A drawing has a language of its own, such as diagram.
//
// The command is run by `sh -c` in the workbook's root. PATH starts with the
// root, so that task and ./task are this clone's wrapper. There is no terminal,
// no colour, standard input is empty, standard error goes where standard output
// goes, and after [Options.Deadline] the command is killed with all that it
// started. It must leave no process behind and must not change the workbook: it
// is run in the author's own clone, at every `task verify`. The same command is
// run once, however many files show it. Exit status 3 says that this machine cannot
// show it, as it does for `task test`: then nothing is compared, and the row tells.
//
// What differs from run to run (pids, durations, …) is not compared; see
// normal.go. Output that names the root, the home folder or the folder for
// temporary files is refused, because it is true on one machine only; unless the
// command itself names that path.
//
// # Commands
//
// Blocks of the language sh (also bash, shell) are commands. They are read, not
// run. So are code spans that start with task, ./task or workbook. A task must
// stand in Taskfile.yml, and each key=value must be a variable that it uses. The
// arguments of workbook must be such that its own parser takes them. Any other
// command must stand in allow.go or be an executable file of the workbook.
//
// A word of capitals is a placeholder (chapter=N, --impl DIR), [brackets] are
// for what may be left out, and nothing is asked of a word that holds "…".
//
// # Paths
//
// The target of every relative link must exist, and so must its #anchor: a
// heading, or #L12 in a file that is not Markdown. A code span that looks like a
// path of the workbook must exist, a pattern with * must match, and the line of
// path:LINE must be within the file. Names with NN, NAME or … are placeholders.
//
// # Non-goals
//
// This is not a Markdown parser. Where something would escape the checks (a
// fence in a quotation, a block made by indentation), it is an error.
package words

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"ipcworkbook/harness/judge/verify"
)

// law is the law's number.
const law = 6

// Options say what to prove, and with what.
type Options struct {
	Root string // the workbook's root, absolute
	// Parse parses arguments of workbook without running anything.
	Parse func(args []string) error
	// Chapter says whether there is a chapter of this number or name. With nil
	// nothing is asked.
	Chapter func(name string) error
	// Deadline is for one command; 0 means a minute.
	Deadline time.Duration
}

// Check compares, and changes nothing. There is one row for each file.
func Check(ctx context.Context, o Options) []verify.Row {
	p, err := newProver(o)
	if err != nil {
		return []verify.Row{row("README.md and docs", "", err.Error())}
	}
	return p.check(ctx)
}

// Write writes the shown outputs anew where they differ, and then checks. It
// returns the files that it changed.
func Write(ctx context.Context, o Options) (changed []string, rows []verify.Row, err error) {
	p, err := newProver(o)
	if err != nil {
		return nil, nil, err
	}
	for _, file := range p.files {
		ok, err := p.write(ctx, file)
		if err != nil {
			return changed, nil, err
		}
		if ok {
			changed = append(changed, file)
		}
	}
	return changed, p.check(ctx), ctx.Err()
}

// prover proves the law for one workbook.
type prover struct {
	Options
	files []string // relative to the root
	tasks taskfile
	run   *runner
}

func newProver(o Options) (*prover, error) {
	if os.Getenv(within) != "" {
		return nil, errors.New("a shown command proves the words itself, which would never end: show another one")
	}
	if o.Deadline == 0 {
		o.Deadline = time.Minute
	}
	tasks, err := readTaskfile(filepath.Join(o.Root, "Taskfile.yml"))
	if err != nil {
		return nil, err
	}
	p := &prover{Options: o, tasks: tasks, run: newRunner(o.Root, o.Deadline)}
	for _, pattern := range []string{"README.md", "docs/*.md", "chapters/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(o.Root, pattern))
		if err != nil {
			return nil, err
		}
		sort.Strings(found)
		for _, path := range found {
			rel, err := filepath.Rel(o.Root, path)
			if err != nil {
				return nil, err
			}
			p.files = append(p.files, rel)
		}
	}
	return p, nil
}

func (p *prover) check(ctx context.Context) []verify.Row {
	var rows []verify.Row
	for _, file := range p.missing() {
		rows = append(rows, row(file, "", file+": there is no such file yet; write it"))
	}
	for _, file := range p.files {
		if ctx.Err() != nil {
			return rows
		}
		begun := time.Now()
		d, err := read(p.Root, file)
		if err != nil {
			rows = append(rows, row(file, "", err.Error()))
			continue
		}
		c := p.checker(d)
		if c.outputs(ctx); ctx.Err() != nil {
			return rows
		}
		c.commands()
		c.paths()
		c.lesson()
		r := row(file, c.saw(), c.problem())
		r.Took = time.Since(begun).Round(10 * time.Millisecond)
		rows = append(rows, r)
	}
	return rows
}

// missing lists the files that a reader is sent to and that are not there: the
// README, and of each chapter the lesson and what is measured.
func (p *prover) missing() []string {
	want := []string{"README.md"}
	dirs, _ := filepath.Glob(filepath.Join(p.Root, "chapters", "[0-9]*"))
	for _, dir := range dirs {
		for _, file := range LessonFiles {
			want = append(want, filepath.Join("chapters", filepath.Base(dir), file))
		}
	}
	var missing []string
	for _, file := range want {
		if _, err := os.Stat(filepath.Join(p.Root, file)); err != nil {
			missing = append(missing, file)
		}
	}
	return missing
}

func row(file, saw, problem string) verify.Row {
	return verify.Row{Law: law, Chapter: "words", What: file, Saw: saw, Problem: problem}
}

// LessonFiles are the Markdown of a chapter: what is needed from zero to green, and what is
// measured then. The experiments of the second are numbered on from the first's.
var LessonFiles = []string{"README.md", "MEASURE.md"}

// checker checks one file.
type checker struct {
	*prover
	doc      *document
	problems []problem
	// functions that the blocks so far have defined: a reader types them into one shell
	functions map[string]bool

	countOutputs, countCommands, countPaths int
	countUnsupported                        int // of the outputs
}

// problem is something wrong at a line.
type problem struct {
	line int
	text string
}

func (c *checker) wrong(line int, format string, args ...any) {
	c.problems = append(c.problems, problem{line, fmt.Sprintf(format, args...)})
}

// checker checks a document of the prover's.
func (p *prover) checker(d *document) *checker {
	return &checker{prover: p, doc: d, functions: map[string]bool{}}
}

// saw counts what was looked at.
func (c *checker) saw() string {
	var all []string
	for _, one := range []struct {
		n    int
		noun string
	}{{c.countOutputs, "output"}, {c.countCommands, "command"}, {c.countPaths, "path"}} {
		if one.n > 0 {
			all = append(all, count(one.n, one.noun))
		}
		if one.noun == "output" && c.countUnsupported > 0 {
			all[0] += fmt.Sprintf(" (%d unsupported here)", c.countUnsupported)
		}
	}
	if len(all) == 0 {
		return "nothing to prove"
	}
	return strings.Join(all, ", ")
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// problem lists all that is wrong in the order of the lines.
func (c *checker) problem() string {
	all := append(append([]problem{}, c.doc.problems...), c.problems...)
	sort.SliceStable(all, func(i, j int) bool { return all[i].line < all[j].line })
	var b strings.Builder
	for _, p := range all {
		fmt.Fprintf(&b, "%s:%d: %s\n", c.doc.file, p.line, p.text)
	}
	return strings.TrimRight(b.String(), "\n")
}
