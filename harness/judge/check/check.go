// Package check runs the steps of a chapter on one implementation and says how
// each of them ended.
//
// The test binary is compiled once, with the sealed tests and the implementation
// in the place of the stub. Then each step runs in a process of its own, below a
// supervisor of its own, so that no step can hide or disturb another. A step
// passes when the lab says so, on a line of its own, and exactly one pass event
// of the Go test runner confirms it.
package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/step/limits"
	"ipcworkbook/harness/verdict"
)

// Options say what to check.
type Options struct {
	Root    string // the workbook's root, absolute
	Chapter book.Chapter
	Impl    overlay.Impl
	Steps   []int  // numbers of the steps to run; all if empty
	Race    bool   // build with the race detector
	NoCgo   bool   // build as on a machine without a C compiler
	Seed    uint64 // of the run's random numbers
	From    string // the folder that paths are shown from
	// Progress is told how many steps have ended, of how many; first none, while the
	// chapter is built. It may be nil.
	Progress func(ended, all int)
	// Like says how a similar implementation is built. It may be nil.
	Like *Recipe
	// Together is what else may have been built with this one. It may be nil.
	Together *Together
	// Turns are shared with other runs at the same time; nil is one for this run alone.
	Turns *Turns
	// First is the number of a step that is run before the others; 0 is none.
	First int
	// Ended is told of each step as soon as it has ended. It may be nil.
	Ended func(Step)
	// Tests are used in place of the chapter's sealed ones, if they are set:
	// verify judges test files that are being worked on.
	Tests map[string][]byte
}

// Step is how one step ended.
type Step struct {
	Number  int             `json:"step"`
	Test    string          `json:"test"`
	Title   string          `json:"title"`
	Verdict verdict.Verdict `json:"verdict"`
	Seconds float64         `json:"seconds"`
	Message string          `json:"message"`
	File    string          `json:"file"` // where to look or to edit, relative to Options.From
	Line    int             `json:"line"`
	// Seed is that of the run, if the step's course depends on it and it failed.
	Seed uint64 `json:"seed,omitempty"`
}

// Result is how a chapter ended.
type Result struct {
	Chapter int             `json:"chapter"`
	Name    string          `json:"name"`
	Verdict verdict.Verdict `json:"verdict"`
	// Message says what holds for the chapter as a whole: why it does not
	// build, or which tests were edited.
	Message string `json:"message,omitempty"`
	// Note says what this machine does not allow, if that matters.
	Note  string `json:"note,omitempty"`
	Steps []Step `json:"steps"`
	// Sum names the files that were judged, as they were before they were built.
	Sum string `json:"-"`
}

// Passed returns how many steps passed.
func (r Result) Passed() int {
	n := 0
	for _, s := range r.Steps {
		if s.Verdict == verdict.Pass {
			n++
		}
	}
	return n
}

// First returns the first step that did not pass: one that somebody can mend, if
// there is one, before one that this machine cannot run.
func (r Result) First() (Step, bool) {
	for _, lacking := range []bool{false, true} {
		for _, s := range r.Steps {
			if s.Verdict != verdict.Pass && lacking == (s.Verdict == verdict.Unsupported) {
				return s, true
			}
		}
	}
	return Step{}, false
}

// Built is a chapter's compiled test binary.
type Built struct {
	o      Options
	tmp    string
	remove func()
	binary string
	over   *overlay.Overlay
	tests  map[string][]byte // that were built
	broken Result            // its verdict is set if the package does not build
	sum    string            // of the files, before they were built
	marks  int               // how many blocks have a mark; see Reached
	sites  sites
}

// Run builds and runs.
func Run(ctx context.Context, o Options) (Result, error) {
	if steps, err := chosen(o); err == nil && o.Progress != nil {
		o.Progress(0, len(steps))
	}
	b, err := Build(ctx, o)
	if err != nil {
		return Result{}, err
	}
	defer b.Close()
	return b.Run(ctx, o.Seed)
}

// Run runs the steps once.
func (b *Built) Run(ctx context.Context, seed uint64) (Result, error) {
	if b.broken.Verdict != "" {
		return b.broken, nil
	}
	o := b.o
	r := Result{Chapter: o.Chapter.Number, Name: o.Chapter.Name, Sum: b.sum}
	if edited := o.Chapter.Edited(o.Root, true); o.Tests == nil && len(edited) > 0 {
		r.Message = fmt.Sprintf("Test files are not as they were handed out: %s. The tests that were handed out are used.",
			strings.Join(edited, ", "))
	}
	steps, err := chosen(o)
	if err != nil {
		return r, err
	}
	folder := filepath.Join(o.Root, o.Chapter.Dir())
	before := listed(folder)
	r.Steps = make([]Step, len(steps))
	errs := make([]error, len(steps))
	var running sync.WaitGroup
	var ended atomic.Int32
	turns := o.Turns
	if turns == nil {
		turns = NewTurns(runtime.NumCPU())
	}
	run := func(i int, done func()) {
		defer done()
		if ctx.Err() != nil {
			return
		}
		r.Steps[i], errs[i] = b.step(ctx, steps[i], seed)
		n := ended.Add(1)
		if ctx.Err() != nil || errs[i] != nil {
			return
		}
		if o.Ended != nil {
			o.Ended(r.Steps[i])
		}
		if o.Progress != nil {
			o.Progress(int(n), len(steps))
		}
	}
	first := slices.IndexFunc(steps, func(s book.Step) bool { return s.Number == o.First })
	if first >= 0 {
		done := turns.step() // before the others ask
		running.Go(func() { run(first, done) })
	}
	for i := range steps {
		if i != first {
			running.Go(func() { run(i, turns.step()) })
		}
	}
	running.Wait()
	if err := errors.Join(append(errs, ctx.Err())...); err != nil {
		return r, err
	}
	var all []verdict.Verdict
	for _, s := range r.Steps {
		all = append(all, s.Verdict)
	}
	r.Verdict = verdict.Of(all)
	if appeared := listed(folder, before...); len(appeared) > 0 {
		r.Message = strings.TrimSpace(r.Message + fmt.Sprintf(" While this ran, something appeared in %s: %s. Does your code make it?",
			overlay.Relative(folder, o.From), strings.Join(appeared, ", ")))
	}
	if why := launch.Refused(); why != "" {
		r.Note = fmt.Sprintf("Steps run without namespaces of their own here (%s). "+
			"What a step leaves in the kernel is told by its name and its maker.", why)
	}
	return r, nil
}

// listed lists a folder, without what editors make and without the names given.
// No kernel says which of two runs made a file, so this is no verdict.
func listed(folder string, but ...string) (names []string) {
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		name := e.Name()
		if !slices.Contains(but, name) && !strings.HasPrefix(name, ".") && !strings.HasPrefix(name, "#") && !strings.HasSuffix(name, "~") {
			names = append(names, name)
		}
	}
	return names
}

func chosen(o Options) ([]book.Step, error) {
	if len(o.Steps) == 0 {
		return o.Chapter.Steps, nil
	}
	var steps []book.Step
	for _, n := range o.Steps {
		s, err := o.Chapter.Step(n)
		if err != nil {
			return nil, err
		}
		steps = append(steps, s)
	}
	return steps, nil
}

// step runs one step and judges it.
func (b *Built) step(ctx context.Context, s book.Step, seed uint64) (Step, error) {
	begun := time.Now()
	spec := b.spec(seed, "-test.run=^"+s.Test+"$", "-test.v=test2json", "-test.count=1")
	if b.marks > 0 {
		spec.Env = append(spec.Env, markEnv+"="+b.marksOf(s.Number))
	}
	report, err := launch.Run(ctx, spec, nil, nil, nil)
	if err != nil {
		return Step{}, err
	}
	f := judge(s, report)
	if f.Verdict != verdict.Pass && f.Verdict != verdict.Todo && f.Verdict != verdict.Unsupported {
		if why := limits.Blame(f.Message, limits.All(b.tmp)); why != "" {
			f = verdict.Finding{Verdict: verdict.Unsupported, Message: why + "\n\nThe step itself said:\n" + f.Message}
		}
	}
	step := Step{
		Number: s.Number, Test: s.Test, Title: s.Title, Verdict: f.Verdict,
		Seconds: float64(time.Since(begun).Milliseconds()) / 1000,
	}
	if f.Verdict != verdict.Pass && report.Seeded {
		step.Seed = seed
	}
	if source := b.tests[filepath.Base(report.TestFile)]; f.Verdict == verdict.Hung && source != nil {
		f.Message = explain.AtLine(f.Message, fmt.Sprintf("%s:%d", report.TestFile, report.TestLine), source, report.TestLine)
	}
	f = b.shown(f, s.Edit)
	step.Message, step.File, step.Line = f.Message, f.File, f.Line
	return step, nil
}

// spec is what a supervisor is asked to run.
func (b *Built) spec(seed uint64, args ...string) verdict.Spec {
	return verdict.Spec{
		Path: b.binary,
		Args: append(args, "-test.paniconexit0", "-test.timeout=0"),
		Dir:  filepath.Join(b.o.Root, b.o.Chapter.Dir()),
		Env: []string{
			fmt.Sprintf("%s=%d", verdict.EnvSeed, seed),
			verdict.EnvJudged + "=1",
			"GOTRACEBACK=all",
			// What the step makes is gone with the workbook, even by SIGKILL.
			"TMPDIR=" + b.tmp,
		},
		Deadline: verdict.Deadline,
	}
}

// shown is a finding as a reader sees it: its paths are from where he stands, and
// its place is the one to edit, if that is known. Edit is what the step is about.
func (b *Built) shown(f verdict.Finding, edit string) verdict.Finding {
	f.Message = b.over.Text(ownFolder.ReplaceAllString(f.Message, "…/"), b.o.From)
	if f.Verdict == verdict.Pass {
		f.File, f.Line = "", 0
		return f
	}
	at := b.placeOf(edit, f)
	if f.File != "" && !strings.HasSuffix(f.File, "_test.go") {
		at = site{file: b.over.Real(f.File), line: f.Line}
	}
	f.File, f.Line = "", 0
	if at.file != "" {
		f.File, f.Line = overlay.Relative(at.file, b.o.From), at.line
	}
	return f
}

// ownFolder is the step's folder for temporary files. Its path says nothing to a
// reader, and is gone already.
var ownFolder = regexp.MustCompile(`[^\s"]*/workbook-[0-9a-f]{8}/s\d+/(?:t\d+|tmp)/`)

var calledFunction = regexp.MustCompile(`\b([A-Z]\w*)\(`)

// placeOf finds the function to edit where the finding names no line: the one
// that the message says was called, or the one that the step is about.
func (b *Built) placeOf(edit string, f verdict.Finding) site {
	if f.Verdict == verdict.Crashed && strings.Contains(f.Message, "exit status") {
		if at, only := exits(b.o.Impl); only {
			return at
		}
	}
	for _, m := range calledFunction.FindAllStringSubmatch(f.Message, -1) {
		if name := b.sites.declared(m[1], f.Message, edit); name != "" {
			return b.sites[name]
		}
	}
	return b.sites[edit]
}

// Close removes what Build made.
func (b *Built) Close() { b.remove() }
