package lab

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"ipcworkbook/harness/verdict"
)

// Call is a call that runs in the background, in the test's own process.
type Call struct {
	lab  *Lab
	what string // what was called; after a colon the likeliest reason for a failure
	err  error
	done chan struct{}
}

// Call starts f in the background. What names the call, as a reader would write
// it: "Recv()".
func (l *Lab) Call(what string, f func() error) *Call {
	c := &Call{lab: l, what: what, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.err = f()
	}()
	return c
}

// Rests reports whether everything in the step sleeps, apart from the goroutine that asks:
// what has not come by then will not come by itself.
func (l *Lab) Rests() bool { return settle() }

// Blocks asserts that the call has not returned and cannot go on: everything in
// the step sleeps. Evidence is what the kernel shows meanwhile.
func (c *Call) Blocks(why string, evidence ...Evidence) {
	c.lab.blocks(c.what, c.done, func() error { return c.err }, why, evidence)
}

// blocks is Blocks for calls and for processes. After a colon in what or in why
// stands the likeliest reason for a failure.
func (l *Lab) blocks(what string, done <-chan struct{}, result func() error, why string, evidence []Evidence) {
	why, reason, found := strings.Cut(why, ": ")
	if found && strings.Contains(what, ": ") {
		what += " " + strings.ToUpper(reason[:1]) + reason[1:]
	} else if found {
		what += ": " + reason
	}
	asleep := settle()
	select {
	case <-done:
		got := "it returned without an error"
		if err := result(); err != nil {
			got = fmt.Sprintf("it did not wait: %v", err)
		}
		l.wrong(what, "it waits, since "+why, got)
	default:
	}
	call, _, _ := strings.Cut(what, ": ")
	if !asleep {
		l.restless(call, why)
	}
	for _, e := range evidence {
		if found, ok := e.look(); !ok {
			l.fail(failure{Verdict: verdict.Wrong, Call: call,
				Detail: []string{"expected: " + e.claim, "got:      " + found}, Reason: e.reason})
		}
	}
}

func (l *Lab) restless(call, why string) {
	l.fail(failure{Verdict: verdict.Wrong, Call: call,
		Detail: []string{"expected: it waits in one call of the kernel, since " + why, "got:      it wakes up again and again"},
		Reason: "A loop that asks again and again burns a core, or comes late if it sleeps in between.\n" +
			"Let one blocking call wait. What no call can wait for is looked at more and more seldom."})
}

// SleepsOrReturns asserts that the call does one of the two, when all that can happen without
// it has happened: it does not look again and again. It may have to wait, since why.
func (c *Call) SleepsOrReturns(why string) {
	c.lab.t.Helper()
	if settle() {
		return
	}
	call, _, _ := strings.Cut(c.what, ": ")
	c.lab.restless(call, why)
}

// Returns waits for the call's end and asserts its error: nil, or one that wraps
// want.
func (c *Call) Returns(want error) {
	<-c.done
	if want == nil && c.err == nil || want != nil && errors.Is(c.err, want) {
		return
	}
	call, reason, _ := strings.Cut(c.what, ": ")
	f := failure{Verdict: verdict.Wrong, Call: call, Reason: reason,
		Detail: []string{"expected: " + orNone(want), "got:      " + orNone(c.err)}}
	if want != nil && c.err != nil && sameWords(c.err.Error(), want.Error()) {
		f.Reason = alike
	}
	c.lab.fail(f)
}

// ReturnsSoon is Returns for a call that has no reason to wait: when everything
// in the step sleeps and it has not returned, that is the failure.
//
// What still moves is no failure: on a busy machine all takes its time. A call that is
// seen to move again and again, and does not return, looks whether it may go on and
// sleeps in between, or burns a core.
func (c *Call) ReturnsSoon(want error) {
	c.lab.t.Helper()
	c.soon(orNone(want))
	c.Returns(want)
}

// Happens is ReturnsSoon for what is no call of the learner's: it says what is to happen, and what is
// so when nothing moves any more and it has not.
func (c *Call) Happens(expected, otherwise string) {
	c.lab.t.Helper()
	returned, _ := c.rests()
	if !returned {
		c.lab.wrong(c.what, expected, otherwise)
	}
	c.Returns(nil)
}

// FailsSoon is ReturnsSoon for a call that has to return an error, whichever it is: a
// Recv whose descriptor another goroutine has closed, say.
func (c *Call) FailsSoon() {
	c.lab.t.Helper()
	c.soon("an error")
	c.ReturnsAnError()
}

// soon waits for the call's end, and fails the test when nothing brings it about.
func (c *Call) soon(expected string) {
	c.lab.t.Helper()
	switch returned, asleep := c.rests(); {
	case returned:
	case asleep:
		c.lab.wrong(c.what, expected, "it waits and does not return")
	default:
		c.lab.wrong(c.what, expected, "it goes on and on and does not return")
	}
}

// rests waits until the call has returned, or everything in the step sleeps, or it is
// plain that something always moves.
func (c *Call) rests() (returned, asleep bool) {
	for range enough {
		asleep = settle()
		select {
		case <-c.done:
			return true, asleep
		default:
		}
		if asleep {
			break
		}
	}
	return false, asleep
}

// ReturnsTheEnd is Returns(io.EOF) for a call that reads from a pipe whose last writer
// should be gone. If one is left, it waits for ever: the supervisor tells then who that
// is. If none is left (POLLHUP, poll(2)), the call has no reason to wait or to look again.
func (c *Call) ReturnsTheEnd(end conn) {
	c.lab.t.Helper()
	if returned, _ := c.rests(); returned {
		c.Returns(io.EOF)
		return
	}
	ended := false
	if err := control(end, func(fd int) error { ended = hungUp(fd); return nil }); err != nil {
		c.lab.fail(wrongEnd(err))
	}
	if ended {
		select {
		case <-c.done:
		default:
			call, _, _ := strings.Cut(c.what, ": ")
			c.lab.wrong(call+": A read of 0 bytes is the end of the stream, and it stays the end. Is it taken for \"nothing yet\", and tried again?",
				orNone(io.EOF), "no process has the write end any more, and it does not return")
		}
	}
	c.Returns(io.EOF)
}

// enough is how often the step may be found restless before a call that has no
// reason to wait is taken for one that never returns.
const enough = 5

// wrong fails the test. After a colon in what stands the likeliest reason.
func (l *Lab) wrong(what, expected, got string) {
	call, reason, _ := strings.Cut(what, ": ")
	l.fail(failure{Verdict: verdict.Wrong, Call: call,
		Detail: []string{"expected: " + expected, "got:      " + got}, Reason: reason})
}

func orNone(err error) string {
	if err == nil {
		return "no error"
	}
	return fmt.Sprintf("the error: %v", err)
}
