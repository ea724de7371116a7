package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"ipcworkbook/harness/desk/progress"
	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/check"
	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

// watchCmd checks a chapter again after each save.
type watchCmd struct {
	chapterFlag
}

// quiet is for how long nothing may be written before a run begins: an editor writes
// a file in pieces, or another one that it renames then.
const quiet = 80 * time.Millisecond

func (w watchCmd) Run(ctx context.Context, p place) error {
	c, err := w.find(p)
	if err != nil {
		return err
	}
	s, restore, err := screen.Interactive(os.Stdin, os.Stdout, p.task)
	if err != nil {
		return err
	}
	defer restore()
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching for saves: %w", err)
	}
	defer watcher.Close()
	v := &watching{place: p, screen: s, watcher: watcher, ended: make(chan outcome), keys: screen.Keys(ctx, os.Stdin)}
	defer v.forget()
	defer v.stop()
	if err := v.turnTo(ctx, c); err != nil {
		return err
	}
	return v.loop(ctx)
}

// watching is a chapter that is watched.
type watching struct {
	place
	screen  screen.Screen
	chapter book.Chapter
	watcher *fsnotify.Watcher
	keys    <-chan byte

	ended  chan outcome
	early  chan check.Step    // the step that was run first, of the run that is under way
	cancel context.CancelFunc // of the run that is under way; nil if there is none
	learns chan *check.Recipe // how the learner's files are built; nil if nobody finds that out
	unless context.CancelFunc // ends who finds it out
	like   *check.Recipe      // nil as long as it is not known
	last   check.Result       // of the last run that came to its end
	known  bool               // there is one
}

// outcome is how a run ended.
type outcome struct {
	result check.Result
	err    error
}

// turnTo watches another chapter, and checks it.
func (v *watching) turnTo(ctx context.Context, c book.Chapter) error {
	for _, path := range v.watcher.WatchList() {
		if err := v.watcher.Remove(path); err != nil {
			return err
		}
	}
	v.forget()
	v.chapter, v.known = c, false
	if err := v.watch(); err != nil {
		return err
	}
	v.start(ctx)
	return nil
}

// watch watches the chapter's folder, and not its files: an editor that renames on
// save makes a new file each time.
func (v *watching) watch() error {
	dir := filepath.Join(v.root, v.chapter.Dir())
	if err := v.watcher.Add(dir); err != nil {
		return wrongUsage("the folder %s cannot be watched: %v", overlay.Relative(dir, v.here), err)
	}
	return nil
}

func (v *watching) loop(ctx context.Context) error {
	var saved <-chan time.Time // a save was seen, and then nothing for a while
	for {
		select {
		case <-ctx.Done():
			return nil // Ctrl-C is a way to quit
		case e, open := <-v.watcher.Events:
			if !open {
				return nil
			}
			if filepath.Ext(e.Name) == ".go" && !strings.HasPrefix(filepath.Base(e.Name), ".") && e.Op != fsnotify.Chmod {
				saved = time.After(quiet)
			}
			if len(v.watcher.WatchList()) == 0 { // the folder was removed, or renamed
				saved = time.After(quiet)
			}
		case err := <-v.watcher.Errors:
			// Events were lost: look at all of it.
			v.screen.Line("watching: %v", err)
			saved = time.After(quiet)
		case <-saved:
			saved = nil
			if len(v.watcher.WatchList()) == 0 && v.watch() != nil {
				saved = time.After(3 * quiet) // until it is there again
				continue
			}
			v.start(ctx)
		case o := <-v.ended:
			v.cancel()
			v.cancel, v.early = nil, nil
			if o.err != nil {
				return o.err
			}
			v.last, v.known = o.result, true
			v.learn(ctx)
			if err := progress.Record(v.root, v.here, v.chapter, o.result); err != nil {
				return err
			}
			v.show()
		case step := <-v.early:
			v.screen.Clear()
			v.screen.Early(v.chapter, step)
		case like := <-v.learns:
			v.learns, v.like = nil, like
		case key, open := <-v.keys:
			if !open {
				v.keys = nil // the input has ended: there are no keys any more
				continue
			}
			if quit, err := v.key(ctx, key); quit || err != nil {
				return err
			}
		}
	}
}

// start stops the run that is under way, if there is one, and begins another. When it
// begins, nothing of the one before is left.
func (v *watching) start(ctx context.Context) {
	v.stop()
	v.dontLearn()
	ctx, v.cancel = context.WithCancel(ctx)
	early := make(chan check.Step, 1)
	v.early = early
	first := v.failing()
	c, p, like := v.chapter, v.place, v.like
	s, before := v.screen, ""
	if v.known {
		before = " Below: the run before."
	}
	s.Status(fmt.Sprintf("Checking chapter %d · %s …%s", c.Number, c.Name, before))
	tell := func(ended, all int) {
		if ended > 0 && ended < all {
			s.Update(fmt.Sprintf("Checking chapter %d · %s: %d of %d steps.%s", c.Number, c.Name, ended, all, before))
		}
	}
	go func() {
		var o outcome
		impl, err := implFlag{}.open(p, c)
		if err == nil {
			o.result, o.err = check.Run(ctx, check.Options{
				Root: p.root, Chapter: c, Impl: impl, Seed: 1, From: p.here, Progress: tell, Like: like, First: first,
				Ended: func(step check.Step) {
					if step.Number == first {
						early <- step
					}
				},
			})
		} else {
			// A file that an editor is just about to put back.
			o.result = check.Result{Chapter: c.Number, Name: c.Name, Verdict: verdict.Broken, Message: err.Error(),
				Steps: []check.Step{{Verdict: verdict.Broken, Message: err.Error()}}}
		}
		v.ended <- o
	}()
}

// failing is the step that did not pass the last time: whoever saves works on it. It is
// 0 if there is none.
func (v *watching) failing() int {
	if v.known {
		step, _ := v.last.First()
		return step.Number
	}
	if next, left := progress.Of(v.root, v.chapter).Next(v.chapter); left {
		return next.Number
	}
	return 0
}

// learn finds out how the learner's files are built, while nothing else goes on: the next
// build is quicker by what the go command would look at again.
func (v *watching) learn(ctx context.Context) {
	if v.last.Verdict == verdict.Broken || v.like != nil {
		return
	}
	ctx, v.unless = context.WithCancel(ctx)
	learns := make(chan *check.Recipe, 1)
	v.learns = learns
	c, p := v.chapter, v.place
	go func() {
		defer close(learns)
		impl, err := implFlag{}.open(p, c)
		if err != nil {
			return
		}
		// Without one the go command builds, as it does for everybody.
		if like, err := check.NewRecipe(ctx, check.Options{Root: p.root, Chapter: c, Impl: impl, From: p.here}); err == nil {
			learns <- like
		}
	}()
}

// dontLearn stops finding that out. What was found meanwhile is used.
func (v *watching) dontLearn() {
	if v.learns == nil {
		return
	}
	v.unless()
	if like := <-v.learns; like != nil {
		v.like = like
	}
	v.learns = nil
}

// forget forgets how the files are built.
func (v *watching) forget() {
	v.dontLearn()
	v.like.Close()
	v.like = nil
}

// stop stops the run that is under way and waits until nothing of it is left.
func (v *watching) stop() {
	if v.cancel == nil {
		return
	}
	v.cancel()
	<-v.ended
	v.cancel, v.early = nil, nil
}

func (v *watching) show() {
	v.screen.Clear()
	v.screen.Result(v.last)
	v.choices()
}

// choices are the keys, below what is shown.
func (v *watching) choices() {
	if v.keys != nil {
		v.screen.Line("")
		v.screen.Choices("[h]int", "[a]ll failures", "[b]ench", "[n]ext chapter", "[q]uit")
	}
}

// key does what a key stands for.
func (v *watching) key(ctx context.Context, key byte) (quit bool, err error) {
	if key == 'q' || key == 'Q' || key == 4 { // Ctrl-D
		return true, nil
	}
	if v.cancel != nil && key != 'n' {
		return false, nil // wait for what runs now
	}
	switch key {
	case 'h':
		return false, v.hint()
	case 'a':
		v.failures()
		v.choices()
	case 'b':
		v.dontLearn() // nothing else runs while it measures
		v.screen.Clear()
		b := benchCmd{chapterFlag: chapterFlag{Chapter: fmt.Sprint(v.chapter.Number)}, Rounds: gauge.DefaultRounds}
		var status exitStatus
		if err := b.Run(ctx, v.place); err != nil && !errors.As(err, &status) {
			v.screen.Line("%v", err)
		}
		v.choices()
	case 'n':
		next, err := v.next()
		if err != nil {
			return false, err
		}
		v.stop()
		return false, v.turnTo(ctx, next)
	default:
		v.show()
	}
	return false, nil
}

// failures shows every step in full that does not pass. One error is enough of a
// package that does not build.
func (v *watching) failures() {
	v.screen.Clear()
	first, failed := v.last.First()
	switch {
	case !failed:
		v.screen.Line("Every step passes.")
	case v.last.Verdict == verdict.Broken:
		v.screen.Failure(v.last, first)
	default:
		for _, step := range v.last.Steps {
			if step.Verdict != verdict.Pass {
				v.screen.Failure(v.last, step)
			}
		}
	}
}

// hint gives the next hint for the first step that does not pass.
func (v *watching) hint() error {
	v.show()
	failed, found := v.last.First()
	v.screen.Line("")
	switch {
	case !found:
		v.screen.Line("Every step passes: no hint is needed.")
		return nil
	case v.last.Verdict == verdict.Broken:
		v.screen.Line("It does not build yet: the compiler's words are above.")
		return nil
	}
	step, err := v.chapter.Step(failed.Number)
	if err != nil {
		return err
	}
	level := progress.Of(v.root, v.chapter).NextHint(step)
	v.screen.Hint(v.chapter, step, level, check.Step{}) // the cause stands above it
	return progress.Hinted(v.root, v.chapter, step.Number, level)
}

// next is the chapter behind this one; after the last one comes the first.
func (v *watching) next() (book.Chapter, error) {
	chapters, err := book.Chapters()
	if err != nil {
		return book.Chapter{}, err
	}
	for i, c := range chapters {
		if c.Number == v.chapter.Number {
			return chapters[(i+1)%len(chapters)], nil
		}
	}
	return v.chapter, fs.ErrNotExist
}
