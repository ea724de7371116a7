package gauge

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/step/launch"
	"ipcworkbook/harness/verdict"
)

// Options say what to measure.
type Options struct {
	Root    string // the workbook's root, absolute
	Chapter book.Chapter
	Impl    overlay.Impl // whose code takes the part of "yours"
	Name    string       // of it, if it is not the learner's
	From    string       // the folder that paths are shown from
	// Benchmarks are the names of those to measure; all if empty.
	Benchmarks []string
	// Also takes part beside the others, under its own name.
	Also []overlay.Impl
	// Alone leaves out the peers: yours and the reference only.
	Alone bool
	// Cores says where the two processes run: AsBook, Shared, Apart, Free.
	Cores int
	// Core is which of the cores that this process may use comes first, from 0: who
	// measures two things side by side gives each one of its own.
	Core int
	// Rounds is how many are measured. One in which the gate is within the ratio's
	// interval goes on for up to three times as many.
	Rounds int
	// Hasty ends a benchmark as soon as its gate is outside the interval.
	Hasty bool
	// Progress is called before each turn: which one it is, of how many, and about
	// how long all will still take.
	Progress func(Turn)
}

// Turn is what is about to run.
type Turn struct {
	Benchmark, Contestant string
	Round, Rounds         int // from 1; the one that is dropped is round 0
	Turns                 int // how many there will be, if nothing needs more rounds
	Left                  time.Duration
}

// race is a run of the gauge.
type race struct {
	Options
	contestants map[string]map[string]contestant // by benchmark's peer, by name
	order       []string                         // of the contestants
	lanes       []*lane
	result      Result
	turns       int // that have run
	spent       time.Duration
}

// lane is one benchmark in the race.
type lane struct {
	book.Benchmark
	on       cores
	finding  verdict.Finding // of yours; not pass takes the benchmark out
	messages map[string]int
	turns    map[string][]turn
	out      map[string]bool // contestants that cannot take part in it
	why      map[string]string
	rounds   int
	done     bool
	unjudged bool // nobody has to be faster than anybody
}

func newLane(b book.Benchmark, on cores) *lane {
	return &lane{Benchmark: b, on: on, messages: map[string]int{}, turns: map[string][]turn{}, out: map[string]bool{}, why: map[string]string{}}
}

// Run measures. The end of ctx ends it early: then Partial says so, and the error
// is nil, as what was measured is of use.
func Run(ctx context.Context, o Options) (Result, error) {
	if o.Rounds == 0 {
		o.Rounds = DefaultRounds
	}
	r := &race{Options: o, result: Result{
		Chapter: o.Chapter.Number, Name: o.Chapter.Name, Title: o.Chapter.Title, Impl: o.Name,
		Date: time.Now().UTC().Truncate(time.Second), Machine: here(), Notes: notes(),
		Missing: map[string]string{}, Benchmarks: []Benchmark{},
	}}
	tmp, remove, err := launch.Folder()
	if err != nil {
		return r.result, err
	}
	defer remove()
	close, err := r.enter(ctx, tmp)
	defer close()
	if err == nil && r.result.Verdict == "" {
		err = r.run(ctx)
	}
	if ctx.Err() != nil {
		r.result.Partial = "It was stopped before all was measured."
		err = nil
	}
	if err != nil {
		return r.result, err
	}
	r.sumUp()
	return r.result, nil
}

// DefaultRounds is how many rounds are measured if nobody says otherwise.
const DefaultRounds = 10

// run runs the rounds. All benchmarks take part in each, so that a bad minute of
// the machine meets all of them alike.
func (r *race) run(ctx context.Context) error {
	for round := 0; ; round++ {
		going := false
		for _, l := range r.lanes {
			if l.done {
				continue
			}
			going = true
			if err := r.round(ctx, l, round); err != nil {
				return err
			}
			l.done = l.done || l.isDecided(r.Options)
		}
		if !going {
			return nil
		}
	}
}

// round gives each contestant its turn. Round 0 warms up, finds out how many
// messages each can do in a turn, and is dropped.
func (r *race) round(ctx context.Context, l *lane, round int) error {
	took := map[string]turn{}
	for _, name := range r.order {
		c := r.contestants[l.Peer][name]
		if c == nil || l.out[name] || name == Memcpy && l.Kind != Transfer || name == Limit && l.Kind != Transfer && l.Kind != PingPong {
			continue // a ping-pong is no copy, an operation moves no bytes, and the limit has two processes and no pool
		}
		messages := l.asked(name, round)
		r.tell(l, name, round)
		begun := time.Now()
		t, f, err := c.turn(ctx, l.Benchmark, messages, l.on)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		r.turns++
		r.spent += time.Since(begun)
		if f.Verdict != verdict.Pass {
			if r.leaves(l, name, f); l.done {
				return nil
			}
			continue
		}
		if round == 0 {
			l.messages[name] = enough(t, l.Messages)
		}
		took[name] = t
	}
	if round == 0 {
		return nil
	}
	// Only whole rounds count: every one that is in it has the same number.
	for name, t := range took {
		l.turns[name] = append(l.turns[name], t)
	}
	l.rounds++
	return nil
}

// asked is how many messages a contestant sends in a round.
func (l *lane) asked(name string, round int) int {
	switch {
	case l.Whole:
		return l.Messages
	case round == 0:
		return max(1, l.Messages/probing)
	}
	return l.messages[name]
}

const (
	probing  = 256                    // the part of the messages that the first round sends
	longest  = 0.1                    // seconds that one turn may take, without its warm-up
	patience = 3                      // times the rounds, for a gate that is within the interval
	far      = 2                      // times the gate, or that part of it: no interval is needed to tell
	fewest   = 4                      // messages of a turn
	guess    = 100 * time.Millisecond // for the first turn, before anything is known
)

// enough is how many messages a contestant sends in a turn: as many as it is
// asked for, or less if it is so slow that a turn would take too long.
func enough(probe turn, asked int) int {
	n := int(longest / probe.perMessage())
	return min(asked, max(n, fewest))
}

// leaves takes a contestant out of a benchmark.
func (r *race) leaves(l *lane, name string, f verdict.Finding) {
	switch name {
	case Yours:
		l.finding, l.done = f, true
	case Reference:
		l.finding = verdict.Finding{Verdict: verdict.Fault,
			Message: fmt.Sprintf("The reference does not pass its own benchmark. It is %s:\n%s", f.Verdict, f.Message)}
		l.done = true
	default:
		l.out[name] = true
		l.why[name] = fmt.Sprintf("%s: %s", f.Verdict, f.Message)
		delete(l.turns, name)
		if _, said := r.result.Missing[name]; !said {
			r.result.Missing[name] = fmt.Sprintf("%s: %s", l.Name, f.Message)
		}
	}
}

// hastyRounds is after how many rounds who is in haste may stop, where each of them was
// far from the gate.
const hastyRounds = 3

// isDecided reports whether a benchmark has been measured enough.
func (l *lane) isDecided(o Options) bool {
	if l.unjudged {
		return l.rounds >= o.Rounds
	}
	m := measureOf(l.turns[Yours], l.turns[Reference], l.Messages)
	if o.Hasty && l.rounds >= hastyRounds && (m.RatioLow > far*l.Gate || m.RatioHigh < l.Gate/far) {
		return true
	}
	if l.rounds < LeastRounds && l.rounds < o.Rounds {
		return false
	}
	clear := m.RatioLow > l.Gate || m.RatioHigh < l.Gate
	switch {
	case clear && l.rounds >= LeastRounds && (o.Hasty || l.rounds >= o.Rounds):
		return true
	case o.Rounds < LeastRounds:
		return l.rounds >= o.Rounds
	}
	return l.rounds >= patience*o.Rounds
}

// tell says what runs now.
func (r *race) tell(l *lane, name string, round int) {
	if r.Progress == nil {
		return
	}
	each := guess
	if r.turns > 0 {
		each = r.spent / time.Duration(r.turns)
	}
	left, all := 0, 0
	for _, other := range r.lanes {
		turns := len(r.order) - len(other.out)
		all += (r.Rounds + 1) * turns
		if !other.done {
			left += max(0, r.Rounds+1-round) * turns
		}
	}
	r.Progress(Turn{
		Benchmark: l.Name, Contestant: name, Round: round, Rounds: max(r.Rounds, round), Turns: all,
		Left: (time.Duration(left) * each).Round(time.Second),
	})
}

// sumUp fills in the result.
func (r *race) sumUp() {
	var all []verdict.Verdict
	for _, l := range r.lanes {
		b := l.sumUp()
		all = append(all, b.Verdict)
		r.result.Benchmarks = append(r.result.Benchmarks, b)
	}
	if r.result.Verdict == "" {
		r.result.Verdict = verdict.Of(all)
	}
	if r.result.Partial != "" && len(r.lanes) > 0 {
		least := slices.MinFunc(r.lanes, func(a, b *lane) int { return a.rounds - b.rounds }).rounds
		r.result.Partial = fmt.Sprintf("Stopped after %d of %d rounds.", least, r.Rounds)
	}
}

func (l *lane) sumUp() Benchmark {
	b := Benchmark{
		Name: l.Name, Title: l.Title, Kind: l.Kind, Size: l.Size, Messages: l.Messages, Cores: l.Cores, Gate: l.Gate, Fast: l.Fast,
		Rounds: l.rounds, Verdict: l.finding.Verdict, Message: l.finding.Message, File: l.finding.File, Line: l.finding.Line,
		SecondsPerOp: map[string]*float64{}, Measured: map[string]Measure{},
	}
	for _, name := range Contestants {
		b.SecondsPerOp[name] = nil
	}
	for name, turns := range l.turns {
		if len(turns) == 0 {
			continue
		}
		m := measureOf(turns, l.turns[Reference], l.Messages)
		b.Measured[name] = m
		b.SecondsPerOp[name] = &m.Median
	}
	yours := b.Measured[Yours]
	b.Ratio, b.Low, b.High = yours.Ratio, yours.RatioLow, yours.RatioHigh
	switch {
	case b.Verdict != "":
	case l.rounds == 0: // it was stopped before
		b.Verdict, b.Message = verdict.Unsupported, "It was not measured."
	case len(l.turns[Reference]) == 0:
		b.Verdict, b.Message = verdict.Unsupported, "The gate is a part of the reference's speed. "+noReference
	case b.Ratio < b.Gate:
		b.Verdict, b.Message = verdict.Slow, slowness(b)
	default:
		b.Verdict = verdict.Pass
	}
	return b
}
