package supervisor

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/step/explain"
	"ipcworkbook/harness/step/procfs"
	"ipcworkbook/harness/verdict"
)

const (
	// gap is the time between the two looks that tell a hang from a slow machine.
	gap = 100 * time.Millisecond

	// tick is how often the supervisor counts the processes of the step.
	tick = 100 * time.Millisecond

	// settleGap is the time between two looks of a Settle. It is longer than
	// the 10 ms for which the Go runtime's own monitor thread sleeps at most
	// while something runs: a program that still moves is seen moving. Three
	// looks in a row have to be the same, and each core has to be seen alive in
	// between, since a machine that stood still (a virtual one may) shows nothing
	// moving either.
	settleGap   = 16 * time.Millisecond
	settleLooks = 3

	// restless is after how many looks that saw it run a step counts as one
	// that does not go to sleep. It counts what the step did, not time, so
	// that a slow machine makes no difference.
	restless = 60

	// mostUnrest is after how many such answers, one after the other, it hangs: what the
	// test waits for will not come.
	mostUnrest = 25

	// mostDozed is for how many deadlines, in all, a late step is waited for that sleeps and
	// has set a clock.
	mostDozed = 3
)

// begin starts a phase with a deadline of its own: the start-up, or one test.
func (s *step) begin(test string) {
	s.phase = test
	s.look(nil)
	s.moved, s.delayed, s.waited, s.answering, s.unrest, s.dozed = 0, 0, 0, 0, 0, 0
	s.phaseEnd = time.Now().Add(s.spec.Deadline)
	s.first = procfs.Look(s.pids())
}

// pids returns the processes of the step, the test itself first.
func (s *step) pids() []int { return procfs.Descendants(os.Getpid()) }

// all returns the same, in no order that means something, by the shortest way.
func (s *step) all() []int {
	if s.spec.Alone {
		return procfs.Others()
	}
	return s.pids()
}

// children returns those of them whose parent is this process.
func (s *step) children() []int { return procfs.Children(os.Getpid()) }

// watch returns when the step is over, or when its end is decided.
func (s *step) watch() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	deadline := time.NewTimer(time.Until(s.phaseEnd))
	defer deadline.Stop()
	waiting := true // for an end of the phase
	events := s.events
	take := func(e verdict.Event, open bool) (over bool) {
		if open {
			waiting = s.event(e, waiting)
		} else {
			// Either the test is about to end, or it lost its line to us.
			events = nil
			s.lostLine()
		}
		// An event after the deadline makes the next look no earlier.
		deadline.Reset(max(gap, time.Until(s.phaseEnd)))
		return !open && s.report.Finding.Verdict != ""
	}
	for {
		select {
		case err := <-s.exited:
			s.drain(events)
			s.report.Code = ExitStatus(err)
			return

		case e, open := <-events:
			if take(e, open) {
				return
			}

		case a := <-s.settled:
			s.settling = false
			s.look(nil)
			if late := time.Since(s.phaseEnd); late > 0 {
				s.answering += min(late, time.Since(s.asked))
			}
			if s.unrest++; a.Asleep {
				s.unrest = 0
			}
			if s.unrest == mostUnrest && waiting {
				now := procfs.Look(s.pids())
				s.look(&now) // so what wakes up is seen
				procfs.Pause(settleGap)
				s.hang(false)
				return
			}
			s.answer(a)

		case <-deadline.C:
			if !waiting {
				continue
			}
			select {
			case e, open := <-events:
				// Of two that are ready, select takes either. What was said comes first.
				if take(e, open) {
					return
				}
				s.look(nil)
			default:
				if s.overdue() {
					return
				}
				deadline.Reset(gap)
			}

		case <-ticker.C:
			if n := len(s.all()); n > maxProcesses {
				s.found(verdict.Crashed, fmt.Sprintf(
					"The step started %d processes; %d is the limit.\nDoes it start processes in a loop?", n, maxProcesses))
				return
			}

		case sig := <-s.signals:
			if sig == syscall.SIGQUIT && s.phase != "" {
				// go test -timeout: explain, since somebody gave up waiting.
				s.hang(false)
				return
			}
			s.report.Finding = fault("stopped by %v", sig)
			return

		case <-s.parent:
			s.report.Finding = fault("whoever started the step is gone")
			return
		}
	}
}

// event takes one line from the lab and says whether a deadline runs now.
func (s *step) event(e verdict.Event, waiting bool) bool {
	switch e.Kind {
	case verdict.Ready:
		s.ready = true
		return false
	case verdict.Start:
		s.ended, s.cause = nil, verdict.Finding{}
		s.begin(e.Test)
		s.last, s.bench = e.Test, e.Bench
		s.report.Seeded = false
		return true
	case verdict.End:
		s.report.Ends[e.Test] = e.Finding
		if e.Measured != nil {
			s.report.Measured[e.Test] = *e.Measured
		}
		s.phase = ""
		return false
	case verdict.Child:
		s.who[e.PID] = e.Role
		s.ended = append(s.ended, explain.Ended{Role: e.Role, PID: e.PID, How: e.How})
		if e.Finding.Verdict != "" {
			s.cause = e.Finding
		}
	case verdict.Seeded:
		s.report.Seeded = true
	case verdict.Calls:
		s.release()
		s.answer(verdict.Settled{})
	case verdict.Kill:
		if procfs.IsBelow(os.Getpid(), e.PID) {
			unix.Kill(e.PID, unix.SIGKILL)
		}
	case verdict.LastPID:
		s.answer(verdict.Settled{Refused: s.nextPID(e.PID)})
	case verdict.Settle:
		if !s.settling {
			s.settling, s.asked = true, time.Now()
			go s.settle(e.Held)
		}
	}
	return waiting
}

// drain takes the events that were sent before the test ended.
func (s *step) drain(events <-chan verdict.Event) {
	if events == nil {
		return
	}
	for e := range events {
		s.event(e, false)
	}
}

const lostLine = "The test lost its line to the supervisor: its descriptor was closed.\n" +
	"Does your code close descriptors that it did not open? Close only what is yours."

// lostLine decides what it means that the lab's line is closed. A test binary
// that ends closes it; so does code that closes descriptors it does not own.
func (s *step) lostLine() {
	select {
	case err := <-s.exited:
		s.exited <- err
	case <-time.After(gap):
		if p, err := procfs.Who(s.cmd.Process.Pid); err != nil || p.Exiting {
			return
		}
		s.found(verdict.Crashed, lostLine)
	}
}

// look keeps what was seen, for the next look. With nil that is the first one again.
func (s *step) look(now *procfs.Sight) { s.looked, s.alarm = now, time.Time{} }

// wakesUp reports whether a step that is asleep since the last look may still wake up by itself:
// one of its threads waits for no longer than a deadline, as in the time that somebody is given to end in.
// When that is over, and it still sleeps, it does not. Nor is it waited for again and again: who only
// looks once a second whether something has come hangs.
func (s *step) wakesUp() bool {
	if s.alarm.IsZero() {
		s.alarm = time.Now()
		if d, ok := procfs.Alarm(s.pids()); ok && d <= s.spec.Deadline {
			s.alarm = s.alarm.Add(d + gap)
		}
	}
	if s.dozed >= mostDozed*s.spec.Deadline || !time.Now().Before(s.alarm) {
		return false
	}
	s.dozed += gap // until the next look
	return true
}

// overdue looks at a step whose deadline has passed, and says whether that
// decides it. Two looks with nothing moved between them, and no clock that is about to wake
// somebody up: it hangs. A step that
// moves may be on a slow machine: it goes on until ten times its deadline, not counted what
// it waited for a processor, or until one of its processes has used three times its deadline
// in CPU time, which no load can add. One that moves bytes all the while may be slow, as
// with a read for each byte: it gets twice of both. A slow processor gets more of both as
// well (pace).
//
// While the test waits for our answer whether anything moves, it does not hang: it is
// we who are slow, on a busy machine. Nor does that time make it late.
func (s *step) overdue() bool {
	if s.settling {
		s.look(nil)
		return false
	}
	now := procfs.Look(s.pids())
	if s.looked == nil {
		s.look(&now)
		s.waits()
		return false
	}
	if now.Asleep() && now.SameAs(*s.looked) {
		if s.wakesUp() {
			return false
		}
		// One more look, for a machine that stood still all the while.
		procfs.Pause(settleGap)
		if last := procfs.Look(s.pids()); last.Asleep() && last.SameAs(now) {
			s.hang(false)
			return true
		}
		return false
	}
	if s.bench && s.spec.Show {
		s.look(&now)
		return false // plain go test -bench: it takes as long as -benchtime asks for
	}
	used, late := now.MostCPU(s.first), time.Since(s.phaseEnd)
	moved := procfs.Transferred(s.pids())
	moves := moved != s.moved && s.moved > 0 // less is left of one that has ended: that moves, too
	s.moved = moved
	patience := s.spec.Deadline * time.Duration(s.pace.slower())
	if moves {
		patience *= 2
	}
	// What waits for its turn on a busy machine, or one of a tenth of a core, is not late.
	late -= s.waits() + s.answering
	if late > 9*patience || used > 3*patience {
		s.hang(used > s.spec.Deadline)
		return true
	}
	s.look(&now)
	return false
}

// waits is how long the step's threads have waited for a processor since the deadline, from
// look to look. One that ends takes its number with it.
func (s *step) waits() time.Duration {
	delayed := procfs.Delayed(s.pids())
	if s.delayed > 0 {
		s.waited += max(delayed-s.delayed, 0)
	}
	s.delayed = delayed
	return s.waited
}

// settle answers when nothing in the step moves any more, or when it has been
// seen moving so often that it never will be still. Held are processes that the test holds.
func (s *step) settle(held []int) {
	var last procfs.Awake
	unmoved := 0
	for seen := 0; seen <= restless; {
		w, awake := procfs.WatchAll(s.all(), held)
		switch {
		case w != nil:
			asleep := s.rests(w)
			w.Close()
			if asleep {
				s.settled <- verdict.Settled{Asleep: true}
				return
			}
			seen++
		case awake != last:
			seen++
		default: // it waits for its turn, or for a disk
			if unmoved++; unmoved%10 == 0 {
				seen++ // one that does not answer: this must end, too
			}
		}
		if last = awake; w == nil {
			time.Sleep(settleGap)
		}
	}
	s.settled <- verdict.Settled{}
}

// rests looks again and again, as often as settleLooks says, and reports whether nothing
// ran in between. The looks are cheap ones: on a slow machine a program may sleep and wake
// up as it should, and three looks that take long would never find it asleep.
func (s *step) rests(w *procfs.Watch) bool {
	for range settleLooks - 1 {
		procfs.Pause(settleGap)
		if !w.Rests() {
			return false
		}
	}
	// What is not watched was started before the first of them.
	return w.AreAll(s.all())
}

// found records the supervisor's finding about the test that runs.
func (s *step) found(v verdict.Verdict, message string) {
	s.report.Test = s.phase
	s.report.Finding = verdict.Finding{Verdict: v, Message: message}
}
