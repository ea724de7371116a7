package signals_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	signals "ipcworkbook/chapters/06-signals"
	"ipcworkbook/harness/lab"
)

// isAsked asks a supervisor what it has, in Tell too, and while Tell does not return.
func isAsked(l *lab.Lab) {
	r, w := aPipe(l)
	gate, opens := aPipe(l)
	p := l.Start(asked, lab.HandOver("r", r), lab.HandOver("gate", gate))
	l.Rests() // what returns has returned
	p.Go()
	now := event(p)
	require.Equal(l, "signal: <nil>, add: <nil>", now.Text, "what Signal() and Add() returned that Tell called, after State(): it may call all methods but Stop. Is Tell called with a lock held that they need?")
	l.Until("the worker: it leads a group of its own.", lab.InGroup(l.Other("the worker", now.PID), now.PID))
	p.Go()
	require.Equal(l, "a b z c y d", event(p).Text, "the workers of State(): they are in the order of Add().")
	require.Equal(l, "a session of its own: true", event(p).Text, "a worker whose command has Setsid in its SysProcAttr: what else it says is kept.")
	_, err := w.WriteString("\n\n")
	require.NoError(l, err, "letting two workers end")
	for range 2 {
		require.Equal(l, "ended, calls of Tell: 1", event(p).Text, "what Tell was told, and how many calls of it are under way: it is told one Event at a time.")
		l.Rests() // another call has had the time to begin
		_, err := opens.WriteString("\n")
		require.NoError(l, err, "letting Tell return")
	}
	p.Go()
	require.Equal(l, "what State() had returned is as it was: true", event(p).Text, "the State()s of before, when two workers had ended and State() was called again: are they in memory that it uses again?")
	require.Equal(l, "stop: <nil>", event(p).Text, "what Stop() returned")
	nothingIsLeft(l, p, "Stop()")
}

var asked = lab.NewRole("supervisor that is asked", func(c *lab.Child) error {
	var s *signals.Supervisor
	var calls atomic.Int32
	var asks, stops atomic.Bool
	var said atomic.Value // what Tell has asked
	said.Store(told{Text: "Tell was not called"})
	r, gate := c.File("r"), c.File("gate")
	worker := func() *exec.Cmd {
		cmd := sh("read x; exit 3")
		cmd.Stdin = r
		return cmd
	}
	s, err := signals.NewSupervisor(signals.Policy{First: long, Most: long, Tell: func(e signals.Event) {
		n := calls.Add(1)
		defer calls.Add(-1)
		switch {
		case e.Ended && !stops.Load():
			c.Report(told{Text: fmt.Sprintf("ended, calls of Tell: %d", n)})
			_, _ = gate.Read(make([]byte, 1))
		case e.Worker == "a" && !e.Ended && !asks.Swap(true):
			said.Store(told{Text: "State() does not return"})
			s.State()
			said.Store(told{Text: "Signal() does not return"})
			signalled := s.Signal(unix.SIGCONT)
			said.Store(told{Text: "Add() does not return"})
			said.Store(told{fmt.Sprintf("signal: %v, add: %v", signalled, s.Add("b", worker)), e.PID})
		}
	}})
	if err != nil {
		return fmt.Errorf("NewSupervisor(): %w", err)
	}
	added := make(chan error, 1)
	go func() { added <- s.Add("a", worker) }()
	c.Wait()
	c.Report(said.Load())
	if err := <-added; err != nil {
		return fmt.Errorf("Add(): %w", err)
	}
	c.Wait()
	for _, name := range strings.Fields("z c y d") {
		if err := s.Add(name, func() *exec.Cmd {
			cmd := worker()
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: name == "z"}
			return cmd
		}); errors.Is(err, unix.EPERM) && name == "z" {
			return fmt.Errorf("Add() of a worker whose SysProcAttr.Setsid is true: %w: who leads a session leads a group already, and setpgid(2) of it is EPERM", err)
		} else if err != nil {
			return fmt.Errorf("Add(): %w", err)
		}
	}
	before := s.State()
	was, order := fmt.Sprint(before), names(before)
	for range 50 {
		if now := names(s.State()); now != order {
			order += ", and then " + now
			break
		}
	}
	c.Report(told{Text: order})
	session, err := unix.Getsid(before[2].PID)
	c.Report(told{Text: fmt.Sprintf("a session of its own: %v", err == nil && session == before[2].PID)})
	c.Wait()
	s.State()
	c.Report(told{Text: fmt.Sprintf("what State() had returned is as it was: %v", fmt.Sprint(before) == was)})
	stops.Store(true)
	c.Report(told{Text: fmt.Sprint("stop: ", s.Stop(long))})
	leftNothing(c)
	return nil
})

// wellInBetween has a worker that ends at once, but for its fourth run, which takes longer than
// Healthy. Where the machine is so slow that another one may have taken as long, Healthy is larger.
var wellInBetween = lab.NewRole("supervisor whose worker is well in between", func(c *lab.Child) error {
	for healthy := 200 * ms; ; healthy *= 2 {
		pauses, sure, err := pausesWith(healthy)
		if err != nil {
			return err
		}
		if sure {
			c.Report(pauses)
			return nil
		}
	}
})

func pausesWith(healthy time.Duration) (pauses string, sure bool, err error) {
	const well, runs = 4, 7
	var mu sync.Mutex
	var begun time.Time
	run, nothing, done := 0, never(), make(chan bool)
	sure = true
	s, err := signals.NewSupervisor(signals.Policy{First: ms, Most: time.Hour, Healthy: healthy, Tell: func(e signals.Event) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case !e.Ended && run == well:
			time.AfterFunc(healthy, func() { _ = unix.Kill(e.PID, unix.SIGKILL) })
		case e.Ended && run <= runs:
			sure = sure && (run == well || time.Since(begun) < healthy)
			pauses += fmt.Sprint(" ", e.Pause)
			if run == runs {
				close(done)
			}
		}
	}})
	if err != nil {
		return "", false, fmt.Errorf("NewSupervisor(): %w", err)
	}
	if err := s.Add("a", func() *exec.Cmd {
		mu.Lock()
		defer mu.Unlock()
		run, begun = run+1, time.Now()
		if run == well {
			return workerOf("read x <&3", nothing)()
		}
		return sh("exit 0")
	}); err != nil {
		return "", false, fmt.Errorf("Add(): %w", err)
	}
	<-done
	err = s.Stop(long)
	mu.Lock()
	defer mu.Unlock()
	return strings.TrimSpace(pauses), sure, errors.Join(err, nothing.Close())
}

func names(all []signals.State) string {
	var names []string
	for _, one := range all {
		names = append(names, one.Worker)
	}
	return strings.Join(names, " ")
}

// nothingIsLeft asserts it of a process that calls leftNothing, after something was closed.
func nothingIsLeft(l *lab.Lab, p *lab.Process, closed string) {
	l.Rests() // what was about to end has ended
	p.Go()
	require.Equal(l, "goroutines: 0, pidfds: 0", event(p).Text, "what is left of this package after %s", closed)
	require.NoError(l, p.Wait(), "the process")
}

// leftNothing waits for a word, and tells what there is of this package's code.
func leftNothing(c *lab.Child) {
	c.Wait()
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	goroutines, pidfds := 0, 0
	for _, one := range strings.Split(string(stacks), "\n\n")[1:] { // the first one is this one
		if strings.Contains(one, "/06-signals.") {
			goroutines++
		}
	}
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		if is, _ := os.Readlink("/proc/self/fd/" + fd.Name()); is == "anon_inode:[pidfd]" || strings.HasPrefix(is, "pidfs:") {
			pidfds++
		}
	}
	c.Report(told{Text: fmt.Sprintf("goroutines: %d, pidfds: %d", goroutines, pidfds)})
}

// inTime says of an error whether it is ErrGrace.
func inTime(err error) string {
	if errors.Is(err, signals.ErrGrace) {
		return fmt.Sprintf("ErrGrace: %v", err)
	}
	return fmt.Sprint(err)
}

var hasAClosedReaper = lab.NewRole("supervisor whose Reaper was closed", func(c *lab.Child) error {
	r, err := signals.NewReaper(nil)
	if err != nil {
		return fmt.Errorf("NewReaper(): %w", err)
	}
	s, err := signals.NewSupervisor(signals.Policy{First: long, Most: long, Reaper: r})
	if err != nil {
		return fmt.Errorf("NewSupervisor(): %w", err)
	}
	if err := r.Close(); err != nil {
		return fmt.Errorf("Close(): %w", err)
	}
	c.Report(fmt.Sprint(bare(s.Add("a", func() *exec.Cmd { return sh("exit 0") }))))
	return s.Stop(long)
})
