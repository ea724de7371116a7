// Package gauge measures a chapter's benchmarks side by side, and judges them by
// ratio.
//
// A figure means something beside another one of the same minute. So the
// contestants (the learner's code, the reference, the same work in Python and in
// C, and a limit) take turns: A B C D E, A B C D E. Each turn is a process of its
// own, with a second one that it starts. The first round is dropped. What is
// judged is the ratio of two contestants in the same round.
package gauge

import (
	"time"

	"ipcworkbook/harness/verdict"
)

// The contestants.
const (
	Yours     = "yours"
	Reference = "reference"
	Python    = "python"
	C         = "c"
	Limit     = "limit"  // the same bytes through memory that two processes share
	Memcpy    = "memcpy" // the same bytes, copied once, in one process
)

// Contestants are all of them, in the order in which they are shown.
var Contestants = []string{Yours, Reference, Python, C, Limit, Memcpy}

// Result is what was measured of one chapter.
type Result struct {
	Chapter int    `json:"chapter"`
	Name    string `json:"name"`
	Title   string `json:"title"`
	// Impl is whose code took the part of "yours": "" for the learner's, or
	// "reference", "wrong/NAME", a path.
	Impl    string          `json:"impl,omitempty"`
	Verdict verdict.Verdict `json:"verdict"`
	// Message says why the chapter does not build.
	Message string `json:"message,omitempty"`
	// Partial says why it ended before all was measured. What was is kept.
	Partial string `json:"partial,omitempty"`
	// Notes say what this machine does to the figures.
	Notes []string  `json:"notes,omitempty"`
	Date  time.Time `json:"date"`
	// Machine is on what was measured.
	Machine Machine `json:"machine"`
	// Missing says of each contestant that could not take part why.
	Missing    map[string]string `json:"missing,omitempty"`
	Benchmarks []Benchmark       `json:"benchmarks"`
}

// Machine is what a figure depends on.
type Machine struct {
	CPU    string `json:"cpu"`    // its model
	Cores  int    `json:"cores"`  // that this process may use
	Kernel string `json:"kernel"` // "Linux 6.18.1"
	Go     string `json:"go"`     // "go1.26.8"
	Python string `json:"python,omitempty"`
	C      string `json:"c,omitempty"` // the compiler
}

// The kinds of benchmarks.
const (
	Transfer = "transfer" // messages from a producer process to a consumer process
	PingPong = "pingpong" // a message there and back, again and again
	Crowd    = "crowd"    // messages through one queue: two processes put, three take
	Tasks    = "tasks"    // tasks of a pool: one process hands all over, and then takes all results
	// Operation is something that one process does again and again, while nobody else
	// wants the same: it is counted as messages are.
	Operation = "operation"
)

// hasMany says whether a benchmark of this kind has more than two processes.
func hasMany(kind string) bool { return kind == Crowd || kind == Tasks }

// IsStream says whether messages go one way: then a figure is bytes in a second.
func (b Benchmark) IsStream() bool { return b.Kind == Transfer || b.Kind == Crowd }

// Unjudged says that it was measured, and that there is no reference to hold it against.
func (b Benchmark) Unjudged() bool {
	return b.Verdict == verdict.Unsupported && b.Measured[Yours].Median > 0
}

// Benchmark is one benchmark and what all contestants made of it.
type Benchmark struct {
	Name     string `json:"name"`  // Transfer/1KiB
	Title    string `json:"title"` // "1 KiB messages from one process to another"
	Kind     string `json:"kind"`
	Size     int    `json:"bytes"`    // of a message
	Messages int    `json:"messages"` // in one turn; for a ping-pong, how many go there and back
	Cores    int    `json:"cores"`    // for the two processes: 1, 2, or -1 for the scheduler's choice
	// Gate is the least ratio that passes. Fast is for those who want more: a
	// ratio near the reference's own. It decides nothing.
	Gate float64 `json:"gate"`
	Fast float64 `json:"fast,omitempty"`
	// Ratio is the speed of yours divided by that of the reference: the median of
	// all rounds, and the 95 % confidence interval of that median. 0 if it is
	// not known.
	Ratio   float64         `json:"ratio"`
	Low     float64         `json:"ratio_low"`
	High    float64         `json:"ratio_high"`
	Rounds  int             `json:"rounds"` // the dropped one is not counted
	Verdict verdict.Verdict `json:"verdict"`
	Message string          `json:"message,omitempty"` // why it is not pass
	File    string          `json:"file,omitempty"`
	Line    int             `json:"line,omitempty"`
	// SecondsPerOp has the median of each contestant: seconds per message, or per
	// message there and back. nil for one that took no part.
	SecondsPerOp map[string]*float64 `json:"seconds_per_op"`
	// Measured has more of each contestant that took part.
	Measured map[string]Measure `json:"measured"`
}

// Measure is what one contestant made of one benchmark. All times are seconds.
type Measure struct {
	// Median of the seconds per message, and its 95 % confidence interval.
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	// Ratio is its speed divided by that of the reference in the same round, with
	// its interval. 0 where there is no reference.
	Ratio     float64 `json:"ratio,omitempty"`
	RatioLow  float64 `json:"ratio_low,omitempty"`
	RatioHigh float64 `json:"ratio_high,omitempty"`
	// Whole is the median of the whole turn: from before the second process was
	// started until the last message was received. The articles' figure "with
	// start-up" is Messages * Size / Whole.
	Whole   float64   `json:"whole"`
	Samples []float64 `json:"samples"` // seconds per message of each round
	Wholes  []float64 `json:"wholes"`
	// PerMessage is what both processes did for each message: calls and waits. It
	// is known of Go code only.
	PerMessage *PerMessage `json:"per_message,omitempty"`
}

// PerMessage is what a message cost in calls, on average.
type PerMessage struct {
	Reads  float64 `json:"reads"`
	Writes float64 `json:"writes"`
	Waits  float64 `json:"waits"`  // a thread gave up its core
	CPU    float64 `json:"cpu"`    // seconds of processor time
	Memory float64 `json:"memory"` // bytes that were allocated
}
