package screen

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// Progress shows what runs now, while something that takes long is under way.
//
// On a terminal it is one line, drawn anew at each step and never wider than the
// terminal. Elsewhere it is a plain line for each new benchmark. Its place is
// standard error: standard output is for results.
type Progress struct {
	screen Screen
	f      *os.File
	total  int

	mu    sync.Mutex
	steps int
	seen  map[string]bool
	ended bool
}

// NewProgress returns the progress of something that has so many steps in all.
func NewProgress(f *os.File, total int) *Progress {
	return &Progress{screen: New(f, ""), f: f, total: total, seen: map[string]bool{}}
}

// Checking returns what shows how far a chapter's check is, on a terminal, and what
// removes that line. Elsewhere nothing is shown: results are what counts there.
func Checking(f *os.File, steps int) (show func(ended, all int), done func()) {
	p := NewProgress(f, steps+1)
	if !p.screen.terminal {
		return nil, func() {}
	}
	return func(ended, all int) {
		if ended == 0 {
			p.Step("building", 0)
		} else if ended < all {
			p.Step(fmt.Sprintf("%d of %d steps", ended, all), 0)
		}
	}, p.Done
}

// Step says what begins now, in the form "round 3 of 10 · Transfer/1KiB · python",
// and about how long it still takes until all is done; 0 says that nobody knows.
func (p *Progress) Step(what string, left time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.steps++
	text := ""
	if p.screen.terminal {
		// One write, over what is there: to erase it first would flicker.
		text = "\r" + p.drawn(what, left) + "\x1b[K"
	} else if name := benchmarkIn(what); !p.seen[name] {
		p.seen[name] = true
		text = name
		if left > 0 {
			text += ": " + about(left) + " left in all"
		}
		text += "\n"
	}
	p.screen.write(text)
}

// Done removes the line. Nothing is shown after it.
func (p *Progress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.screen.terminal && p.steps > 0 && !p.ended {
		p.screen.write("\r\x1b[K")
	}
	p.ended = true
}

// benchmarkIn is the benchmark in what a step says: its middle part.
func benchmarkIn(what string) string {
	if parts := strings.Split(what, " · "); len(parts) == 3 {
		return parts[1]
	}
	return what
}

// drawn is the line. It leaves the last column free: what is written there makes
// some terminals begin a new line. Where there is little room, the bar goes
// first, then words.
func (p *Progress) drawn(what string, left time.Duration) string {
	columns, _, err := term.GetSize(int(p.f.Fd()))
	if err != nil || columns <= 0 {
		columns = 80
	}
	most := columns - 1
	start := ""
	switch {
	case p.total <= 0 || columns < 60:
	case columns < 80:
		start = p.bar(8)
	default:
		start = p.bar(14)
	}
	if left > 0 {
		for _, end := range []string{about(left) + " left", span(left)} {
			if line := start + what + " · " + end; utf8.RuneCountInString(line) <= most {
				return line
			}
		}
	}
	return cut(start+what, most)
}

// bar shows how many steps are done. The one that runs is not.
func (p *Progress) bar(room int) string {
	done := min(p.steps-1, p.total)
	return "[" + bar(done*room*8/p.total, room, p.screen.blocks()) + "] "
}

func about(d time.Duration) string { return "about " + span(d) }

// span is a time in words, never less than it is.
func span(d time.Duration) string {
	seconds := int((d + time.Second - 1) / time.Second)
	if seconds < 100 {
		return fmt.Sprintf("%d s", seconds)
	}
	return fmt.Sprintf("%d min", (seconds+59)/60)
}
