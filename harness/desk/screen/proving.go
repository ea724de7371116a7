package screen

import (
	"fmt"
	"os"
	"sync"

	"ipcworkbook/harness/judge/verify"
)

// Proving is the line below the rows of verify: how far it is, what runs now, and how
// long it still takes. Where there is no terminal there is none. There a row is named that many
// others have overtaken: in a log nobody would see for which one everything waits.
type Proving struct {
	mu    sync.Mutex
	p     *Progress
	last  verify.Status
	shown bool
	began map[string]int // how many rows had ended when a row began that runs
}

// overtaken is by how many rows. None takes so long by itself.
const overtaken = 200

// NewProving shows the line on a file.
func NewProving(f *os.File) *Proving { return &Proving{p: NewProgress(f, 0)} }

// Begin says how many rows there are.
func (p *Proving) Begin(plan verify.Plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.p.total = plan.Rows
}

// Now shows how far it is.
func (p *Proving) Now(s verify.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.last.Done
	p.last = s
	p.draw()
	if !p.p.screen.terminal {
		p.name(s, before)
	}
}

// name names each row once that runs while many others have ended: so many had before.
func (p *Proving) name(s verify.Status, before int) {
	began := map[string]int{}
	for _, row := range s.Running {
		at, known := p.began[row]
		if !known {
			at = s.Done
		}
		began[row] = at
		if before < at+overtaken && s.Done >= at+overtaken {
			p.p.screen.Line("  … %s still runs: %d rows have ended since it began", row, overtaken)
		}
	}
	p.began = began
}

// Show shows the line again after it was hidden.
func (p *Proving) Show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draw()
}

func (p *Proving) draw() {
	if !p.p.screen.terminal || p.last.Rows == 0 || len(p.last.Running) == 0 {
		return
	}
	what := fmt.Sprintf("%d of %d · %s", p.last.Done, p.last.Rows, p.last.Running[0])
	if more := len(p.last.Running) - 1; more > 0 {
		what += fmt.Sprintf(" and %d more", more)
	}
	p.p.steps = p.last.Done + 1
	p.p.screen.write("\r" + p.p.drawn(what, p.last.Left) + "\x1b[K")
	p.shown = true
}

// Hide takes the line away, so that a row can stand in its place.
func (p *Proving) Hide() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		p.p.screen.write("\r\x1b[K")
		p.shown = false
	}
}
