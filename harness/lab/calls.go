package lab

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/seccomp"
	"ipcworkbook/harness/verdict"
)

// Calls holds a process between two of its system calls, so that a test can do there
// what another process might do just then. Chance would bring it about once in a
// thousand runs, on somebody else's machine.
//
// The kernel asks the test before each call that looks at a file or changes one
// (SECCOMP_RET_USER_NOTIF, seccomp_unotify(2)). Calls that wait are not among them:
// what is done while a process waits needs no such means.
type Calls struct {
	lab          *Lab
	ours, theirs *os.File // a socket pair, over which the listener comes
	process      *Process

	stopped chan struct{} // a call is held
	goOn    chan struct{} // it may go on
	ended   chan struct{} // closed when no call will come any more
	broken  error         // read after ended is closed

	mu    sync.Mutex
	left  int // so many calls may pass, or all if it is negative
	seen  []string
	now   string // the call that is or was held
	held  bool
	moves bool     // no call was held since its step always moves
	past  []string // what has passed since Passed

	alone bool // only the thread is held that makes the call

	refusal refusal
}

// Calls makes a means to hold a process. It is handed over with [Calls.HandOver], and
// the role has to call [Child.ShowCalls].
func (l *Lab) Calls() *Calls {
	l.t.Helper()
	// A process can have one filter that asks, and the supervisor's asks before signals to others.
	if _, err := ask(verdict.Event{Kind: verdict.Calls}); err != nil {
		l.Fault("asking the supervisor: %v", err)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		l.Fault("making a pair of sockets: %v", err)
	}
	return &Calls{
		lab: l, left: -1, ours: os.NewFile(uintptr(fds[0]), "calls"), theirs: os.NewFile(uintptr(fds[1]), "calls"),
		stopped: make(chan struct{}, 1), goOn: make(chan struct{}), ended: make(chan struct{}),
	}
}

// HandOver gives the other side of it to a process.
func (c *Calls) HandOver() Handed { return HandOver(callsName, c.theirs) }

const callsName = "the system calls"

// Of takes the listener from the process that it was handed over to.
func (c *Calls) Of(p *Process) {
	c.lab.t.Helper()
	c.process = p
	defer c.ours.Close()
	listener, problem, err := receiveListener(c.ours)
	switch {
	case err != nil:
		<-p.ended
		p.checked = true
		c.lab.fail(finding(p.crash, p.role+" ended before its time", errors.Join(p.err, err)))
	case problem != "":
		c.lab.Unsupported("This machine cannot hold a process at its system calls: %s", problem)
	}
	c.lab.closers = append(c.lab.closers, func() { listener.Close() })
	go c.follow(listener)
}

// Hold tells the process to go on ([Process.Go]), lets so many of its calls pass, and
// holds the next one. It reports false when there is no such call: the process waits
// for something, or has reported, or has ended.
func (c *Calls) Hold(pass int) bool {
	c.lab.t.Helper()
	c.mu.Lock()
	c.left, c.seen, c.now, c.moves = pass, nil, "", false
	c.mu.Unlock()
	c.process.Go()
	return c.isHeld()
}

// Arm lets so many calls of the process pass, and holds the next one, whenever it comes: the
// process waits now, and the test is about to wake it. Held says whether the call came.
func (c *Calls) Arm(pass int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.seen, c.now, c.moves = pass, nil, "", false
}

// Held reports what Hold reports, after Arm.
func (c *Calls) Held() bool {
	c.lab.t.Helper()
	return c.isHeld()
}

// Alone has only that thread held which makes the call: the others of its process go on. So a
// goroutine can do something in the middle of what another one does. It comes before Hold.
func (c *Calls) Alone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alone = true
}

// HoldNext lets the call pass that is held, and holds the next one. It reports what Hold
// reports.
func (c *Calls) HoldNext() bool {
	c.lab.t.Helper()
	c.mu.Lock()
	c.seen = append(c.seen, c.now)
	c.mu.Unlock()
	c.pass(0)
	return c.isHeld()
}

// isHeld waits until a call is held, or none will be: everything sleeps, or always moves.
func (c *Calls) isHeld() bool {
	c.lab.t.Helper()
	reported := func(report json.RawMessage, ok bool) bool {
		if ok {
			c.process.early = append(c.process.early, report)
		}
		return c.giveUp(false)
	}
	ended := func() bool {
		c.mustWork()
		return false
	}
	wait := patience
	for asked := 0; ; asked++ {
		asleep := asked > 0 && settle()
		// What is there counts, whatever the clock says: of two that are ready, select
		// takes either.
		select {
		case <-c.stopped:
			return true
		case report, ok := <-c.process.reports:
			return reported(report, ok)
		case <-c.ended:
			return ended()
		default:
		}
		if asleep || asked > enough {
			return c.giveUp(!asleep)
		}
		select {
		case <-c.stopped:
			return true
		case report, ok := <-c.process.reports:
			return reported(report, ok)
		case <-c.ended:
			return ended()
		case <-time.After(wait):
			wait = 0
		}
	}
}

// mustWork ends the test when the kernel could not be answered any more.
func (c *Calls) mustWork() {
	c.lab.t.Helper()
	if c.broken != nil {
		c.lab.Fault("holding %s: %v", c.process.role, c.broken)
	}
}

// giveUp lets all calls pass, unless one was held in the last moment.
func (c *Calls) giveUp(moves bool) (held bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held {
		<-c.stopped
		return true
	}
	c.left, c.moves = -1, moves
	return false
}

// Go lets the call pass that is held, and all later ones.
func (c *Calls) Go() { c.pass(-1) }

// pass lets the call pass that is held, and so many later ones.
func (c *Calls) pass(later int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = later
	if c.held {
		c.held = false
		heldNow.set(c, false)
		select {
		case c.goOn <- struct{}{}:
		case <-c.process.ended:
		}
	}
}

// Reports asserts what the process reports next, as a text. It has no reason to wait
// for anything. After a colon in what stands the likeliest reason for a failure.
func (c *Calls) Reports(want, what string) {
	c.lab.t.Helper()
	got := "it goes on and on, and does not report"
	switch reported, asleep := c.process.soon(); {
	case reported:
		c.process.Report(&got)
	case asleep:
		got = "it waits"
	}
	select {
	case <-c.ended:
		c.mustWork()
	default:
	}
	if got != want {
		call, reason, _ := strings.Cut(what, ": ")
		c.lab.fail(failure{Verdict: verdict.Wrong, Call: call, Reason: reason,
			Detail: []string{"it was:   " + c.String(), "expected: " + want, "got:      " + got}})
	}
}

// shown is how many of the calls before are shown.
const shown = 3

// Passed returns the calls that the process was seen to make since the last Passed.
func (c *Calls) Passed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	past := c.past
	c.past = nil
	return past
}

// String tells where the process was held.
func (c *Calls) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	where := "at rest"
	if c.moves {
		where = "never at rest"
	}
	if c.now != "" {
		where = "held before " + c.now
	}
	if n := len(c.seen); n > 0 {
		where += ", after " + strings.Join(c.seen[max(n-shown, 0):], ", ")
	}
	return where
}

// follow answers the kernel.
func (c *Calls) follow(listener *os.File) {
	defer close(c.ended)
	defer func() {
		if c.broken != nil {
			listener.Close() // who is held gets ENOSYS, and does not wait for ever
		}
	}()
	for {
		next, err := seccomp.Next(listener)
		if err != nil {
			if !errors.Is(err, seccomp.ErrNoMore) && !errors.Is(err, os.ErrClosed) {
				c.broken = err
			}
			return
		}
		n := notification{next}
		if errno := c.refuses(n); errno != 0 {
			if err := n.Refuse(listener, errno); err != nil {
				c.broken = err
				return
			}
			continue
		}
		if n.ofTheRuntime() || c.passes(n) {
			if err := n.Pass(listener); err != nil {
				c.broken = err
				return
			}
			continue
		}
		c.stopped <- struct{}{}
		held := func() error {
			select {
			case <-c.goOn:
			case <-c.process.ended: // it was killed
			}
			return n.Pass(listener)
		}
		if c.alone {
			go held() // what does not work any more shows at the next call
			continue
		}
		if err := held(); err != nil {
			c.broken = err
			return
		}
	}
}

func (c *Calls) passes(n notification) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.past = append(c.past, n.String())
	if c.held { // another thread is: see Alone
		return true
	}
	if c.left == 0 {
		c.now, c.held = n.String(), true
		heldNow.set(c, true)
		return false
	}
	if c.left > 0 {
		c.left--
		c.seen = append(c.seen, n.String())
	}
	return true
}
