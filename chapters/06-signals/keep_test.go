package signals_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	signals "ipcworkbook/chapters/06-signals"
	"ipcworkbook/harness/lab"
)

// told is an Event in words, and the process; or what a role says besides.
type told struct {
	Text string
	PID  int
}

func tell(c *lab.Child) func(signals.Event) {
	return func(e signals.Event) {
		t := told{e.Worker + ": started", e.PID}
		switch {
		case e.Ended:
			t.Text = fmt.Sprintf("%s: ended, %v, pause %v", e.Worker, e.Exit, e.Pause)
			if e.Exit.PID != e.PID {
				t.Text = fmt.Sprintf("%s: PID %d, and Exit.PID %d", e.Worker, e.PID, e.Exit.PID)
			}
		case e.Err != nil:
			t.Text = fmt.Sprintf("%s: %v, pause %v", e.Worker, cause(e.Err), e.Pause)
		}
		c.Report(t)
	}
}

// event is the next one that a supervisor tells.
func event(p *lab.Process) (t told) {
	p.Report(&t)
	return t
}

// policy hands over what a role's policy is made of.
func policy(first, most, healthy time.Duration) []lab.Handed {
	return []lab.Handed{lab.Tell("first", first.String()), lab.Tell("most", most.String()), lab.Tell("healthy", healthy.String())}
}

func supervisorOf(c *lab.Child) (*signals.Supervisor, error) {
	p := signals.Policy{Tell: tell(c)}
	to := []*time.Duration{&p.First, &p.Most, &p.Healthy}
	for i, name := range []string{"first", "most", "healthy"} {
		d, err := time.ParseDuration(c.Text(name))
		if err != nil {
			return nil, err
		}
		*to[i] = d
	}
	s, err := signals.NewSupervisor(p)
	if err != nil {
		return nil, fmt.Errorf("NewSupervisor(): %w", err)
	}
	return s, nil
}

const ms = time.Millisecond

// Step 21: a worker that ends is started again, after a pause that grows; SIGKILL is told.
func TestWorkersAreStartedAgain(t *testing.T) {
	l := lab.New(t)
	for _, p := range []signals.Policy{{}, {First: -1, Most: 1}, {First: 2, Most: 1}, {First: 1, Most: 1, Healthy: -1}, {Most: 1}} {
		_, err := signals.NewSupervisor(p)
		require.ErrorIs(l, err, unix.EINVAL, "NewSupervisor() with pauses from %v to %v, and Healthy %v", p.First, p.Most, p.Healthy)
	}
	s, err := signals.NewSupervisor(signals.Policy{First: 1, Most: 1})
	require.NoError(l, err, "NewSupervisor() that tells nobody")
	require.ErrorIs(l, s.Add("a", func() *exec.Cmd { return exec.Command("/no/such/program") }), os.ErrNotExist, "Add() of a program that is not there")
	require.Empty(l, s.State(), "State() after Add() has returned an error")
	require.NoError(l, s.Signal(unix.SIGHUP), "Supervisor.Signal() without workers")
	require.ErrorIs(l, s.Signal(65), signals.ErrSignal, "Supervisor.Signal() of a number that is no signal")
	require.NoError(l, s.Stop(0), "Stop() without workers")
	require.ErrorIs(l, s.Stop(0), os.ErrClosed, "Stop(), the second time")
	require.NoError(l, s.Signal(unix.SIGHUP), "Supervisor.Signal() after Stop(): no worker runs.")
	require.ErrorIs(l, s.Add("a", func() *exec.Cmd { return sh("exit 0") }), os.ErrClosed, "Add() after Stop()")

	one, err := signals.NewSupervisor(signals.Policy{First: long, Most: long})
	require.NoError(l, err, "NewSupervisor()")
	other, err := signals.NewSupervisor(signals.Policy{First: long, Most: long})
	require.NoError(l, err, "NewSupervisor()")
	require.ErrorIs(l, one.Add("a", func() *exec.Cmd { return exec.Command("/no/such/program") }), os.ErrNotExist, "Add() of a program that is not there")
	require.NoError(l, one.Add("a", func() *exec.Cmd { return sh("exit 0") }), "Add() of a name whose first start has failed before: there is no such worker.")
	require.NoError(l, other.Add("a", func() *exec.Cmd { return sh("exit 0") }), "Add() of a name that another Supervisor has")
	require.NoError(l, errors.Join(one.Stop(long), other.Stop(long)), "Stop() of two")
	require.Equal(l, "file already closed", said(l.Start(hasAClosedReaper)), "Add() where Policy.Reaper was closed: it is the Reaper that starts the workers.")
	isAsked(l)

	r, w := aPipe(l)
	p := l.Start(supervises, append(policy(2*ms, 11*ms, 0), lab.HandOver("r", r))...)
	now := event(p)
	require.Equal(l, "a: started", now.Text, "the first event")
	var pids []int
	for _, pause := range []string{"2ms", "4ms", "8ms", "11ms", "11ms"} {
		worker := l.Other("the worker", now.PID)
		l.Until("the worker: it leads a group of its own.", lab.InGroup(worker, now.PID))
		pids = append(pids, now.PID)
		end := "killed by SIGKILL"
		if pause == "8ms" {
			end = "exit status 3"
			_, err := w.WriteString("\n") // it ends after a line
			require.NoError(l, err, "writing")
		} else {
			require.NoError(l, unix.Kill(now.PID, unix.SIGKILL), "kill(2) of the worker")
		}
		require.Equal(l, told{"a: ended, " + end + ", pause " + pause, now.PID}, event(p), "what Tell was told of the worker's end: the pause is twice the last one, from 2ms up to 11ms.")
		now = event(p)
		require.Equal(l, "a: started", now.Text, "what Tell was told next")
		require.NotContains(l, pids, now.PID, "the process of a worker that was started again")
	}
	p.Go()
	require.Equal(l, fmt.Sprintf("[{a %d 5}]", now.PID), event(p).Text, "State() after the worker was started again 5 times")
	require.Equal(l, "file exists", event(p).Text, "what Add() returned for a name that is there")
	require.Equal(l, told{"a: ended, killed by SIGTERM, pause 0s", now.PID}, event(p), "what Tell was told after Stop()")
	require.Equal(l, "stop: <nil>", event(p).Text, "what Stop() returned")
	require.Equal(l, "[{a 0 5}]", event(p).Text, "State() after Stop()")
	require.Equal(l, "file already closed", event(p).Text, "what Add() returned after Stop() for a name that is there: after Stop() it is os.ErrClosed, whatever the name.")
	require.NoError(l, p.Wait(), "the supervisor")

	// A worker that was well for long enough begins anew; one that cannot be started waits longer.
	r, _ = aPipe(l)
	healthy := l.Start(supervises, append(policy(2*ms, 11*ms, 1), lab.HandOver("r", r))...)
	for range 3 {
		now := event(healthy)
		require.NoError(l, unix.Kill(now.PID, unix.SIGKILL), "kill(2) of the worker")
		require.Equal(l, told{"a: ended, killed by SIGKILL, pause 2ms", now.PID}, event(healthy), "what Tell was told of a worker that ran longer than Healthy, which is 1ns here")
	}
	healthy.Kill()
	require.Equal(l, "1ms 2ms 4ms 1ms 2ms 4ms 8ms", said(l.Start(wellInBetween)), "the pauses of a worker that ends at once, but for its fourth run, which takes longer than Healthy: it is each run that counts, from its own start, and after the long one all begins with First again.")
	missing := l.Start(missesOne, policy(2*ms, 11*ms, 0)...)
	require.Equal(l, "a: started", event(missing).Text, "the first event")
	require.Equal(l, "a: ended, exit status 0, pause 2ms", event(missing).Text, "what Tell was told of a worker whose program is missing for one start")
	require.Equal(l, told{Text: "a: no such file or directory, pause 4ms"}, event(missing), "what Tell was told of a start for which there is no program: it has no process.")
	now = event(missing)
	require.Equal(l, "a: started", now.Text, "what Tell was told, when there was a program again")
	missing.Go()
	require.Equal(l, fmt.Sprintf("[{a %d 1}]", now.PID), event(missing).Text, "State() after one start that has failed, and one that has not")
	require.NoError(l, unix.Kill(now.PID, unix.SIGKILL), "kill(2) of the worker")
	require.Equal(l, told{"a: ended, killed by SIGKILL, pause 8ms", now.PID}, event(missing), "what Tell was told of the worker's end")
	missing.Kill()
	startsFail(l)

	// A pause is no sleep that Stop waits for, and nothing runs meanwhile.
	r, w = aPipe(l)
	resting := l.Start(supervises, append(policy(long, long, 0), lab.HandOver("r", r))...)
	now = event(resting)
	_, err = w.WriteString("\n")
	require.NoError(l, err, "writing")
	require.Equal(l, told{fmt.Sprint("a: ended, exit status 3, pause ", long), now.PID}, event(resting), "what Tell was told of the worker's end")
	resting.Blocks("the pause is long")
	resting.Go()
	require.Equal(l, "[{a 0 0}]", event(resting).Text, "State() while the worker is not there")
	require.Equal(l, "file exists", event(resting).Text, "what Add() returned for a name that is there")
	require.Equal(l, "stop: <nil>", event(resting).Text, "what Stop() returned while a worker was to be started again much later")
	require.Equal(l, "[{a 0 0}]", event(resting).Text, "State() after Stop()")
	require.Equal(l, "file already closed", event(resting).Text, "what Add() returned after Stop() for a name that is there")
	require.NoError(l, resting.Wait(), "the supervisor")

	stopsAtRest(l)
	leavesSomething(l, "/dev/null")
	leavesSomething(l, "a pipe")
}

// line is the next line in a pipe, byte by byte: what is behind it stays.
func line(l *lab.Lab, r *os.File) string {
	var text []byte
	for b := make([]byte, 1); ; {
		_, err := r.Read(b)
		require.NoError(l, err, "what a worker says next: EOF is that all who could say something have ended without a word.")
		if b[0] == '\n' {
			return string(text)
		}
		text = append(text, b...)
	}
}

// supervises has one worker, which ends with 3 after a line. At a word it tells its state and stops.
var supervises = lab.NewRole("supervisor", func(c *lab.Child) error {
	s, err := supervisorOf(c)
	if err != nil {
		return err
	}
	r := c.File("r")
	add := func() error {
		return s.Add("a", func() *exec.Cmd {
			cmd := sh("read x; exit 3")
			cmd.Stdin = r
			return cmd
		})
	}
	if err := add(); err != nil {
		return fmt.Errorf("Add(): %w", err)
	}
	c.Wait()
	c.Report(told{Text: fmt.Sprint(s.State())})
	c.Report(told{Text: fmt.Sprint(cause(add()))})
	c.Report(told{Text: fmt.Sprint("stop: ", s.Stop(long))})
	c.Report(told{Text: fmt.Sprint(s.State())})
	c.Report(told{Text: fmt.Sprint(bare(add()))})
	return nil
})

var missesOne = lab.NewRole("supervisor whose program is missing once", func(c *lab.Child) error {
	s, err := supervisorOf(c)
	if err != nil {
		return err
	}
	starts, nobody := 0, never()
	if err := s.Add("a", func() *exec.Cmd {
		switch starts++; starts {
		case 1:
			return sh("exit 0")
		case 2:
			return exec.Command("/no/such/program")
		}
		return workerOf("read x <&3", nobody)()
	}); err != nil {
		return fmt.Errorf("Add(): %w", err)
	}
	c.Wait()
	c.Report(told{Text: fmt.Sprint(s.State())})
	c.Wait()
	return nil
})

// workerOf makes commands of a script whose descriptors from 3 on are these files.
func workerOf(script string, files ...*os.File) func() *exec.Cmd {
	return func() *exec.Cmd {
		cmd := sh(script)
		cmd.ExtraFiles = files
		return cmd
	}
}

// never is the end of a pipe from which nothing comes, and no end.
func never() *os.File {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		panic(err)
	}
	return os.NewFile(uintptr(fds[0]), "never") // nobody closes the other end
}

// Step 22: Stop ends the workers one after the other, the last one first, and takes all along.
func TestStopTakesAllAlong(t *testing.T) {
	l := lab.New(t)
	p, log, w, pids := stopping(l, "a: trap 'echo a >&4; exit 0' TERM; trap 'echo hup a >&4' HUP",
		"b: trap 'echo b is told >&4; read x <&3; echo b >&4; exit 0' TERM; trap 'echo hup b >&4' HUP")
	bs := l.Other("what the last worker had started", pids["b"])
	p.Go() // Signal(SIGHUP)
	both := []string{line(l, log), line(l, log)}
	slices.Sort(both)
	require.Equal(l, []string{"hup a", "hup b"}, both, "what two workers say after Signal(SIGHUP)")
	require.Equal(l, "signal: <nil>", event(p).Text, "what Signal() returned")
	p.Blocks("the workers have what they need: Signal() is for the worker alone, and not for what it has started.")
	_, err := os.Stat(fmt.Sprintf("/proc/%d", bs.PID()))
	require.NoError(l, err, "looking for what the last worker had started, after Signal(): it is for the worker alone.")
	p.Go() // Stop
	require.Equal(l, "b is told", line(l, log), "what the workers say when Stop() has begun: the last one is first.")
	bs.Ends("its group was told: SIGTERM is for all of it, and not for the worker alone.")
	p.Blocks("the last worker has not ended, and the first one's turn has not come")
	p.Go()
	require.Equal(l, "state: a b, signal: <nil>, stop: file already closed", event(p).Text, "what State(), Signal() and a second Stop() returned, while Stop() waits for a worker: the last one is first, and the other one is told when that has ended.")
	n, err := lab.Waiting(log)
	require.NoError(l, err, "asking a pipe how much is in it")
	require.Zero(l, n, "bytes that the workers have said: the last one is first, and the other one is told when that has ended.")
	_, err = w.WriteString("\n")
	require.NoError(l, err, "writing")
	require.Equal(l, "b", line(l, log), "what the workers say next: the last one is first.")
	require.Equal(l, "a", line(l, log), "what the workers say next")
	require.Equal(l, "b: ended, exit status 0, pause 0s", event(p).Text, "what Tell was told")
	require.Equal(l, "a: ended, exit status 0, pause 0s", event(p).Text, "what Tell was told")
	require.Equal(l, "stop: <nil>", event(p).Text, "what Stop() returned")
	nothingIsLeft(l, p, "Stop()")

	// One that ends by itself before its turn is not started again.
	p, log, w, pids = stopping(l, "a: trap : HUP", "b: trap 'echo b is told >&4; read x <&3; exit 0' TERM; trap : HUP")
	first, err := unix.Getpgid(pids["a"])
	require.NoError(l, err, "getpgid(2)")
	p.Go()
	require.Equal(l, "signal: <nil>", event(p).Text, "what Signal() returned")
	l.Rests() // SIGHUP has been handled
	p.Go()
	require.Equal(l, "b is told", line(l, log), "what the workers say when Stop() has begun: the last one is first.")
	require.NoError(l, unix.Kill(first, unix.SIGKILL), "kill(2) of the first worker")
	const notAgain = "while Stop() waits for the last worker, and the first one has ended by itself: once Stop() has begun none is started again."
	require.Equal(l, "a: ended, killed by SIGKILL, pause 0s", event(p).Text, "what Tell was told, "+notAgain)
	l.Rests()
	p.Go()
	require.Equal(l, "state: a b, signal: <nil>, stop: file already closed", event(p).Text, "what State(), Signal() and a second Stop() returned, "+notAgain)
	_, err = w.WriteString("\n")
	require.NoError(l, err, "writing")
	require.Equal(l, "b: ended, exit status 0, pause 0s", event(p).Text, "what Tell was told")
	require.Equal(l, "stop: <nil>", event(p).Text, "what Stop() returned")
	nothingIsLeft(l, p, "Stop()")

	// One that does not listen is killed, and all that it has started. Each has the grace for itself.
	p, _, _, _ = stopping(l, "one: trap '' TERM HUP", "deaf: trap '' TERM HUP")
	p.Go()
	require.Equal(l, "signal: <nil>", event(p).Text, "what Signal() returned")
	l.Rests() // SIGHUP has been handled
	p.Go()
	for _, name := range []string{"deaf", "one"} {
		require.Equal(l, name+": ended, killed by SIGKILL, pause 0s", event(p).Text, "what Tell was told of two workers that ignore SIGTERM")
	}
	require.Equal(l, "as long as two graces: true", event(p).Text, "how long Stop() took, with two workers that ignore SIGTERM: each has the grace for itself, and not all together.")
	killed := event(p).Text
	require.Contains(l, killed, "ErrGrace: ", "what Stop() returned where two workers ignored SIGTERM: is it an error for errors.Is?")
	for _, name := range []string{"one", "deaf"} {
		require.Regexp(l, `\b`+name+`\b`, killed, "what Stop() returned where two workers, one and deaf, ignored SIGTERM: does it name both?")
	}
	nothingIsLeft(l, p, "Stop()")
	p, log, _, pids = stopping(l, "deaf: trap '' TERM HUP", "calm: trap 'echo calm >&4; exit 0' TERM; trap : HUP")
	other := l.Other("what the worker had started", pids["deaf"])
	p.Go()
	require.Equal(l, "signal: <nil>", event(p).Text, "what Signal() returned")
	l.Rests() // SIGHUP has been handled
	p.Go()
	require.Equal(l, "calm", line(l, log), "what the workers say")
	require.Equal(l, "calm: ended, exit status 0, pause 0s", event(p).Text, "what Tell was told")
	require.Equal(l, "deaf: ended, killed by SIGKILL, pause 0s", event(p).Text, "what Tell was told of a worker that ignores SIGTERM")
	text := event(p).Text
	require.Contains(l, text, "ErrGrace: ", "what Stop() returned where one worker ignored SIGTERM: is it an error for errors.Is?")
	require.Contains(l, text, "deaf", "what Stop() returned where one worker ignored SIGTERM: does it name the worker?")
	require.NotContains(l, text, "calm", "what Stop() returned where one worker ignored SIGTERM, and another one did not")
	other.Ends("its worker was killed, and the whole group should be")
	nothingIsLeft(l, p, "Stop()")

	// One that is stopped hears of it. What it leaves behind is killed here, too.
	p, _, _, pids = stopping(l, "a: cat() { trap '' TERM; command cat; }; trap 'echo a >&4; exit 0' TERM; trap : HUP")
	left := l.Other("what the worker had started", pids["a"])
	l.Until("what the worker has started", lab.Ignores(left, unix.SIGTERM))
	group, err := unix.Getpgid(pids["a"])
	require.NoError(l, err, "getpgid(2)")
	require.NoError(l, unix.Kill(group, unix.SIGSTOP), "stopping the worker")
	l.Until("the worker", lab.IsStopped(l.Other("the worker", group)))
	p.Go()
	require.Equal(l, "signal: <nil>", event(p).Text, "what Signal() returned")
	l.Rests() // SIGHUP has been handled
	p.Go()
	require.Equal(l, "a: ended, exit status 0, pause 0s", event(p).Text, "what Tell was told of a worker that was stopped (SIGSTOP) when Stop() was called: it has to go on (SIGCONT) to hear of SIGTERM.")
	left.Ends("it ignores SIGTERM, but its worker has ended: what is left of the group is killed.")
	require.Equal(l, "stop: <nil>", event(p).Text, "what Stop() returned")
	nothingIsLeft(l, p, "Stop()")
}

// stopping starts a supervisor with these workers, each "name: script", and waits until each is
// ready. Log is what the workers say, w is what they read, and pids are those of what each has started.
func stopping(l *lab.Lab, workers ...string) (p *lab.Process, log, w *os.File, pids map[string]int) {
	r, w := aPipe(l)
	log, theirs := aPipe(l)
	p = l.Start(stops, lab.Tell("workers", strings.Join(workers, "\n")), lab.HandOver("r", r), lab.HandOver("log", theirs))
	pids = map[string]int{}
	for range workers {
		now := event(p)
		require.Contains(l, now.Text, ": started", "what Tell was told")
		l.Until("the worker: it leads a group of its own.", lab.InGroup(l.Other("the worker", now.PID), now.PID))
		var name string
		var pid int
		_, err := fmt.Sscanf(line(l, log), "%s has started %d", &name, &pid)
		require.NoError(l, err, "what a worker says")
		pids[name] = pid
	}
	p.Blocks("no signal was sent, and its workers wait") // what they have started is what it will be, too
	return p, log, w, pids
}

// stops is a supervisor that signals its workers at the first word, and stops at the second.
var stops = lab.NewRole("supervisor that stops", func(c *lab.Child) error {
	grace, err := long, error(nil)
	allDeaf := strings.HasPrefix(c.Text("workers"), "one: ")
	if allDeaf {
		grace = 150 * ms // nobody ends in it, however slow the machine is
	} else if strings.Contains(c.Text("workers"), "deaf") {
		if grace, err = enough(); err != nil {
			return err
		}
	}
	s, err := signals.NewSupervisor(signals.Policy{First: ms, Most: ms, Tell: tell(c)})
	if err != nil {
		return fmt.Errorf("NewSupervisor(): %w", err)
	}
	files := []*os.File{c.File("r"), c.File("log"), never()}
	for worker := range strings.Lines(c.Text("workers")) {
		name, script, _ := strings.Cut(strings.TrimSpace(worker), ": ")
		script += "; cat <&5 >/dev/null & echo " + name + " has started $! >&4; wait; wait; wait"
		if err := s.Add(name, workerOf(script, files...)); err != nil {
			return fmt.Errorf("Add(): %w", err)
		}
	}
	c.Wait()
	c.Report(told{Text: fmt.Sprint("signal: ", s.Signal(unix.SIGHUP))})
	c.Wait()
	stopped := make(chan error, 1)
	begun := time.Now()
	go func() { stopped <- s.Stop(grace) }()
	if strings.Contains(c.Text("workers"), "is told") {
		c.Wait()
		c.Report(told{Text: fmt.Sprintf("state: %s, signal: %v, stop: %v", names(s.State()), s.Signal(unix.SIGWINCH), bare(s.Stop(0)))})
	}
	err = <-stopped
	if allDeaf {
		c.Report(told{Text: fmt.Sprintf("as long as two graces: %v", time.Since(begun) >= 2*grace)})
	}
	c.Report(told{Text: "stop: " + inTime(err)})
	leftNothing(c)
	return nil
})

// enough is a grace in which a shell that listens has ended: ten times what this machine needs for
// one, and less than the step's deadline.
func enough() (time.Duration, error) {
	begun := time.Now()
	for range 3 {
		if err := exec.Command("sh", "-c", "trap 'exit 0' TERM; kill $$; exit 1").Run(); err != nil {
			return 0, fmt.Errorf("a shell that catches SIGTERM: %w", err)
		}
	}
	return min(20*ms+3*time.Since(begun), time.Second), nil
}
