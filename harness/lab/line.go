package lab

import (
	"encoding/json"
	"os"
	"sync"

	"ipcworkbook/harness/verdict"
)

// line is a connection between two processes that carries JSON values, one a
// line, both ways.
type line struct {
	f  *os.File
	mu sync.Mutex // one value at a time
	in *json.Decoder
}

func newLine(f *os.File) *line { return &line{f: f, in: json.NewDecoder(f)} }

// openLine opens this process's line upward, if it was given one.
func openLine() *line {
	f, ok := inherited(verdict.EnvControl)
	if !ok {
		return nil
	}
	// The other end reads in its own time; ours has no need of the poller.
	return newLine(f)
}

// send sends one value. When nobody listens any more the supervisor has seen
// that already, and there is nothing left to say.
func (l *line) send(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic("lab: " + err.Error())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.f.Write(append(text, '\n'))
}

// receive waits for the next value.
func (l *line) receive(v any) error { return l.in.Decode(v) }

var settling sync.Mutex // one question at a time

// settle waits until nothing in the step moves any more. It reports false when
// the step never comes to rest.
func settle() bool {
	a, err := ask(verdict.Event{Kind: verdict.Settle, Held: heldNow.pids()})
	return err == nil && a.Asleep
}

// ask puts a question to the supervisor, and waits for the answer.
func ask(e verdict.Event) (a verdict.Settled, err error) {
	settling.Lock()
	defer settling.Unlock()
	up.send(e)
	err = up.receive(&a)
	return a, err
}
