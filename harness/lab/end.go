package lab

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"ipcworkbook/harness/step/residue"
	"ipcworkbook/harness/todo"
	"ipcworkbook/harness/verdict"
)

// end waits for the processes, closes what the test opened, looks for what was
// left behind, and tells the supervisor how the step ended.
func (l *Lab) end() {
	if unwinding() && len(l.failures) == 0 && l.missing == "" {
		// A panic or a Goexit of somebody else's is on its way up: the test has
		// not come to its end. The supervisor sees what becomes of it.
		return
	}
	if l.missing == "" {
		l.endProcesses()
	}
	for _, p := range l.processes {
		p.kill()
		<-p.ended
	}
	l.closeAll()
	if dir, err := os.Getwd(); dir != folder {
		l.record(failure{Verdict: verdict.Residue, Call: "after the step",
			Detail: []string{"expected: the working directory is still " + folder,
				"got:      " + dir + orNothing(err)},
			Reason: "The working directory belongs to the whole process. A package leaves it alone."})
		l.t.Fail()
		_ = os.Chdir(folder)
	}
	left := l.left()
	problem := residue.Remove(left)
	if len(left) > 0 && len(l.failures) == 0 && l.missing == "" {
		l.record(leftBehind(left, problem))
		l.t.Fail()
	}
	f := verdict.Finding{Verdict: verdict.Pass}
	switch {
	case len(l.failures) > 0:
		l.printed()
		f = l.failures[0].finding()
		if os.Getenv(verdict.EnvJudged) == "" {
			fmt.Fprint(l.t.Output(), f.Verdict, ": ", f.Message, "\n", l.again())
		}
	case l.missing != "":
		f = verdict.Finding{Verdict: verdict.Unsupported, Message: l.missing}
	}
	up.send(verdict.Event{Kind: verdict.End, Test: l.t.Name(), Finding: f, Measured: l.measured})
}

// closeAll closes what the test opened. In a test that has failed a call may still be
// under way, and a Close may have to wait for it: a right one too. The failure is what
// the learner has to see, and not a hang behind it.
func (l *Lab) closeAll() {
	for _, closeIt := range l.closers {
		if len(l.failures) == 0 {
			closeIt()
			continue
		}
		closing := l.Call("closing", func() error { closeIt(); return nil })
		select {
		case <-closing.done:
		case <-time.After(patience):
			closing.rests()
		}
	}
}

// unwinding reports whether this goroutine is on its way out by a panic or by
// runtime.Goexit. Clean-ups run on that way too, and testing.T does not know of
// the panic yet.
func unwinding() bool {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for {
		f, more := frames.Next()
		if f.Function == "runtime.gopanic" || f.Function == "runtime.Goexit" {
			return true
		}
		if !more {
			return false
		}
	}
}

// left returns what the step left behind, except processes that still run: they
// are the supervisor's part. A test that failed is cleaned up after too, so that the next
// one in this process begins as it did.
func (l *Lab) left() []residue.Object {
	who := map[int]string{os.Getpid(): "the test"}
	for _, p := range l.processes {
		who[p.PID()] = p.role
	}
	where := l.places
	if l.files != "" {
		where.Folders = append([]string{l.files}, where.Folders...)
	}
	objects := where.Own(residue.Look(where).Since(l.before), who)
	left := residue.OpenDescriptors().Since(l.open)
	if len(left) > 0 {
		// Close of an os.File returns before a Read of another goroutine has let the
		// descriptor go: what is on its way out is out then.
		settle()
		left = residue.OpenDescriptors().Since(l.open)
	}
	if others := residue.Children(who); len(others) > 0 {
		settle() // what is on its way out is out then
		left = append(left, residue.Zombies(others)...)
	}
	return append(left, objects...)
}

// leftBehind tells what was left, and the likeliest reason for each kind.
func leftBehind(left []residue.Object, problem error) failure {
	f := failure{Verdict: verdict.Residue, Call: "after the step", Reason: strings.Join(residue.Reasons(left), "\n")}
	f.Detail = []string{"descriptors are still open that were not open before it:"}
	if left[len(left)-1].Kind != residue.Descriptor { // they come first
		f.Detail[0] = "things are still there that were not there before it:"
	}
	for i, o := range left {
		if i == maxLines {
			f.Detail = append(f.Detail, fmt.Sprintf("… and %d more", len(left)-i))
			break
		}
		f.Detail = append(f.Detail, o.String())
	}
	if problem != nil {
		f.Beside = []string{"they could not be removed: " + problem.Error()}
	}
	return f
}

// endProcesses waits for processes that the test has not looked at: a role that
// failed or crashed fails the test too. In a test that has failed they are not
// waited for, since what they wait for may never come; but one that had ended
// with an error by then is the likelier cause.
func (l *Lab) endProcesses() {
	failed := len(l.failures) > 0
	if failed && len(l.processes) > 0 {
		// One that crashed may still be on its way out.
		settle()
	}
	for _, p := range l.processes {
		if failed {
			select {
			case <-p.ended:
			default:
				continue
			}
		} else {
			<-p.ended
		}
		if p.err == nil || p.killed || p.dies || (p.checked && !failed) {
			continue
		}
		if failed {
			l.failures[0].whole(p.err.Error())
		}
		f := finding(p.crash, p.role+" ended with an error", p.err)
		_, isTodo := todo.In(p.err.Error())
		switch {
		case !failed:
			l.record(f)
			l.t.Fail()
		case p.crash.Verdict != "" || isTodo:
			l.failures = append([]failure{f}, l.failures...)
		case !strings.Contains(l.failures[0].text(), p.err.Error()):
			l.failures[0].Beside = append(l.failures[0].Beside, fmt.Sprintf("process %d ended: %v", p.PID(), p.err))
			// That it ended is likelier than what the test would have guessed.
			l.failures[0].Reason = ""
		}
	}
}

// printed adds what the processes printed to the failure.
func (l *Lab) printed() {
	for _, p := range l.processes {
		text := strings.TrimSpace(string(p.output.Bytes()))
		if text != "" && p.crash.Verdict == "" {
			l.failures[0].Beside = append(l.failures[0].Beside, p.name()+" printed:\n  "+
				strings.ReplaceAll(verdict.LastLines(text), "\n", "\n  "))
		}
	}
}
