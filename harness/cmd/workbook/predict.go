package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ipcworkbook/harness/desk/progress"
	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/words"
)

// predictCmd asks an experiment of a lesson before it runs.
type predictCmd struct {
	chapterFlag
	Experiment string `help:"Number of the experiment; without it the first one that was not asked yet." placeholder:"K"`
	Again      bool   `help:"Ask one anew that was guessed on an earlier day, a wrong guess first."`
}

func (o predictCmd) Run(ctx context.Context, p place) error {
	c, err := o.chapter(p)
	if err != nil {
		return err
	}
	all, err := experiments(p, c)
	if err != nil {
		return err
	}
	before, err := progress.Guesses(p.root, c)
	if err != nil {
		return usageError{err}
	}
	s := screen.New(os.Stdout, p.task)
	e, err := o.choose(c, all, before)
	if err != nil {
		return err
	}
	if e == nil {
		s.Line("%s", o.none(p, c, len(all)))
		return nil
	}
	guess, err := ask(ctx, p, s, c, *e, len(all))
	if err != nil {
		return err
	}
	return o.follow(p, s, c, all, *e, append(before, guess))
}

// experiments are those of a chapter's lesson, and of what is measured behind it.
func experiments(p place, c book.Chapter) (all []words.Experiment, err error) {
	var files []string
	for _, file := range words.LessonFiles {
		if path := filepath.Join(c.Dir(), file); exists(filepath.Join(p.root, path)) {
			files = append(files, path)
		}
	}
	if all, err = words.Experiments(p.root, files...); err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, wrongUsage("the lesson of chapter %d has no experiments; git restore %s brings it back", c.Number, c.Dir())
	}
	return all, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// chapter is the one that was named, or the first one that has something to ask.
func (o predictCmd) chapter(p place) (book.Chapter, error) {
	if o.Chapter != "" || o.Experiment != "" {
		return o.find(p)
	}
	chapters, err := book.Chapters()
	if err != nil {
		return book.Chapter{}, err
	}
	for _, c := range chapters {
		all, noLesson := experiments(p, c)
		before, err := progress.Guesses(p.root, c)
		if err != nil {
			return c, usageError{err}
		}
		if e, err := o.choose(c, all, before); noLesson == nil && err == nil && e != nil {
			return c, nil
		}
	}
	return o.find(p)
}

// choose finds the experiment to ask. It is nil if there is none.
func (o predictCmd) choose(c book.Chapter, all []words.Experiment, before []progress.Guess) (*words.Experiment, error) {
	if o.Experiment != "" {
		for i := range all {
			if fmt.Sprint(all[i].Number) == o.Experiment {
				return &all[i], nil
			}
		}
		return nil, wrongUsage("chapter %d has the experiments 1 to %d, not %q", c.Number, len(all), o.Experiment)
	}
	var due []*words.Experiment
	for i := range all {
		last, guessed := lastGuess(before, all[i])
		if !o.Again && !guessed || o.Again && guessed && !today(last.At) {
			due = append(due, &all[i])
		}
	}
	if len(due) == 0 {
		return nil, nil
	}
	if o.Again {
		slices.SortStableFunc(due, func(a, b *words.Experiment) int {
			x, _ := lastGuess(before, *a)
			y, _ := lastGuess(before, *b)
			return cmp.Or(rank(x)-rank(y), x.At.Compare(y.At))
		})
	}
	return due[0], nil
}

// rank puts what was guessed wrong before what nothing is known of, and that before the rest.
func rank(g progress.Guess) int { return slices.Index([]string{"no", "", "yes"}, g.Right) }

func today(t time.Time) bool {
	return t.Local().Format(time.DateOnly) == time.Now().Format(time.DateOnly)
}

func lastGuess(all []progress.Guess, e words.Experiment) (last progress.Guess, is bool) {
	for _, g := range all {
		if g.Experiment == e.Title {
			last, is = g, true
		}
	}
	return last, is
}

// none says why there is nothing to ask.
func (o predictCmd) none(p place, c book.Chapter, experiments int) string {
	if o.Again {
		return fmt.Sprintf("Nothing is to be asked again today: what was guessed on an earlier day is asked anew.\nThe first time:\n  %s predict chapter=%d", p.task, c.Number)
	}
	return fmt.Sprintf("All %d experiments of chapter %d were asked. On another day:\n  %s predict chapter=%d again=1", experiments, c.Number, p.task, c.Number)
}

// ask asks one experiment, keeps what was guessed, and shows what comes.
func ask(ctx context.Context, p place, s screen.Screen, c book.Chapter, e words.Experiment, of int) (progress.Guess, error) {
	g := progress.Guess{Experiment: e.Title}
	in := linesOf(os.Stdin)
	where := ""
	if e.File != words.LessonFiles[0] {
		where = " (" + e.File + ")"
	}
	s.Paragraph(fmt.Sprintf("Chapter %d, experiment %d of %d%s: %s", c.Number, e.Number, of, where, e.Title))
	s.Line("")
	s.Markdown(e.Question)
	say(s, "What do you expect? An empty line ends your guess.")
	for {
		line, err := in.next(ctx)
		if err != nil && ctx.Err() != nil {
			return g, ctx.Err()
		}
		if err != nil || strings.TrimSpace(line) == "" && g.Text != "" {
			break
		}
		g.Text = strings.TrimSpace(g.Text + "\n" + line)
	}
	if g.Text == "" {
		return g, wrongUsage("nothing was guessed, so nothing was run. One word is enough: a wrong guess teaches more than none.")
	}
	g.At = time.Now()
	if err := progress.Guessed(p.root, c, g); err != nil { // before it runs: nobody guesses twice
		return g, err
	}
	if err := answer(ctx, p, s, in, c, e); err != nil {
		return g, err
	}
	s.Line("\nYou expected:\n")
	s.Text(indent(g.Text))
	say(s, "Were you right? y, n, or Enter for neither.")
	word, err := in.next(ctx)
	if err != nil && ctx.Err() != nil {
		return g, ctx.Err()
	}
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "y", "yes":
		g.Right = "yes"
	case "n", "no":
		g.Right = "no"
	}
	return g, progress.Guessed(p.root, c, g)
}

// answer shows the answer of an experiment. What a command prints is printed by it now.
func answer(ctx context.Context, p place, s screen.Screen, in *input, c book.Chapter, e words.Experiment) error {
	runs := slices.ContainsFunc(e.Answer, func(a words.Piece) bool { return a.Command != "" })
	if !runs {
		say(s, "Try it now, in another terminal. Then press Enter.")
		if _, err := in.next(ctx); err != nil && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	read := e.Question
	for _, a := range e.Answer {
		s.Line("")
		if a.Command == "" {
			s.Markdown(a.Text)
			read = a.Text
			continue
		}
		if strings.Contains(a.Command, " impl=") && hasReference(p, c) != nil {
			s.Paragraph(fmt.Sprintf("It needs the reference, which is not in this copy of the workbook (the folder %s is missing). Elsewhere it printed:", c.Solution()))
			s.Line("")
			s.Text(indent(a.Shown))
			continue
		}
		s.Line("It runs now:\n")
		if !strings.Contains(read, "```sh\n") { // else it stands there, as a person types it
			s.Text(indent(a.Command) + "\n")
			s.Line("")
		}
		exit, problem := words.Show(ctx, p.root, a.Command, &indented{to: os.Stdout, begin: true})
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case problem != "":
			say(s, "It did not end as it should: %s", problem)
		case words.Cannot(exit, a.Exit):
			say(s, "This machine cannot show it (exit status %d). Elsewhere it printed:", exit)
			s.Line("")
			s.Text(indent(a.Shown))
		case exit != a.Exit:
			say(s, "It ended with exit status %d. For the lesson it was %d, and it printed:", exit, a.Exit)
			s.Line("")
			s.Text(indent(a.Shown))
		}
	}
	return nil
}

// say writes a paragraph below an empty line.
func say(s screen.Screen, format string, args ...any) {
	s.Line("")
	s.Paragraph(fmt.Sprintf(format, args...))
}

func indent(text string) string { return "    " + strings.ReplaceAll(text, "\n", "\n    ") }

// indented writes four blanks before each line.
type indented struct {
	to    io.Writer
	begin bool
}

func (w *indented) Write(b []byte) (int, error) {
	var out strings.Builder
	for _, c := range b {
		if w.begin && c != '\n' {
			out.WriteString("    ")
		}
		w.begin = c == '\n'
		out.WriteByte(c)
	}
	if _, err := io.WriteString(w.to, out.String()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// follow shows an earlier guess beside the new one, and what comes next.
func (o predictCmd) follow(p place, s screen.Screen, c book.Chapter, all []words.Experiment, e words.Experiment, guesses []progress.Guess) error {
	if last, is := lastGuess(guesses[:len(guesses)-1], e); is {
		s.Line("\nOn %s you expected:\n", last.At.Local().Format(time.DateOnly))
		s.Text(indent(last.Text))
	}
	o.Experiment = ""
	next, err := o.choose(c, all, guesses)
	if err != nil {
		return err
	}
	if next == nil {
		s.Line("\n%s", o.none(p, c, len(all)))
		return nil
	}
	again := ""
	if o.Again {
		again = " again=1"
	}
	s.Line("\nNext: %s predict chapter=%d%s", p.task, c.Number, again)
	return nil
}

// input is lines that somebody types.
type input struct {
	lines chan string
	err   error
}

func linesOf(f *os.File) *input {
	in := &input{lines: make(chan string)}
	go func() {
		defer close(in.lines)
		for r := bufio.NewReader(f); ; {
			line, err := r.ReadString('\n')
			if line != "" {
				in.lines <- strings.TrimRight(line, "\r\n")
			}
			if err != nil {
				in.err = err
				return
			}
		}
	}()
	return in
}

func (in *input) next(ctx context.Context) (string, error) {
	select {
	case line, more := <-in.lines:
		if !more {
			return "", in.err
		}
		return line, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
