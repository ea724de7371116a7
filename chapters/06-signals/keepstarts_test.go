package signals_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	signals "ipcworkbook/chapters/06-signals"
	"ipcworkbook/harness/lab"
)

// startsFail has workers that run once and cannot be started any more then.
func startsFail(l *lab.Lab) {
	require.Equal(l, "10ms, 20ms, 40ms, 80ms, 160ms", said(l.Start(losesItsProgram)), "the pauses of a worker that ends at once and whose program is missing from then on, where Healthy is 50ms: each is twice the last one. A start that fails is no run, however long ago the last good start was.")
	require.Equal(l, "1ms, 2ms (file already closed), 4ms (file already closed)", said(l.Start(losesItsReaper)), "the pauses of a worker whose Policy.Reaper was closed while it ran, and the errors that Tell was told.")
}

var losesItsProgram = lab.NewRole("supervisor whose program is gone", func(c *lab.Child) error {
	return startsOnce(c, signals.Policy{First: 10 * ms, Most: time.Hour, Healthy: 50 * ms}, 5)
})

var losesItsReaper = lab.NewRole("supervisor whose Reaper was closed by somebody else", func(c *lab.Child) error {
	r, err := signals.NewReaper(nil)
	if err != nil {
		return fmt.Errorf("NewReaper(): %w", err)
	}
	return startsOnce(c, signals.Policy{First: ms, Most: time.Hour, Reaper: r}, 3)
})

// startsOnce has a worker whose program is missing from the second start on, or whose Reaper is closed
// after the first one. It reports so many pauses.
func startsOnce(c *lab.Child, p signals.Policy, want int) error {
	pauses := make(chan string, 100)
	p.Tell = func(e signals.Event) {
		switch {
		case e.Err != nil && p.Reaper != nil:
			pauses <- fmt.Sprintf("%v (%v)", e.Pause, bare(e.Err))
		case e.Err != nil, e.Ended:
			pauses <- e.Pause.String()
		}
	}
	s, err := signals.NewSupervisor(p)
	if err != nil {
		return fmt.Errorf("NewSupervisor(): %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	starts := 0
	if err := s.Add("a", func() *exec.Cmd {
		if starts++; starts > 1 && p.Reaper == nil {
			return exec.Command("/no/such/program")
		}
		return workerOf("read x <&3", r)()
	}); err != nil {
		return fmt.Errorf("Add(): %w", err)
	}
	if p.Reaper != nil {
		if err := p.Reaper.Close(); err != nil {
			return fmt.Errorf("Reaper.Close(): %w", err)
		}
	}
	if err := w.Close(); err != nil { // the worker ends
		return err
	}
	all := make([]string, want)
	for n := range all {
		all[n] = <-pauses
	}
	c.Report(strings.Join(all, ", "))
	return errors.Join(s.Stop(long), r.Close())
}

// stopsAtRest calls Stop without any time, while a worker waits for its next start.
func stopsAtRest(l *lab.Lab) {
	p := started(l, stopsInAPause)
	l.Rests() // whatever Stop does at once it has done
	p.Go()
	require.Equal(l, "<nil>", said(p), "what Stop(0) returned, whose only worker had ended and waited for its next start: nobody was killed.")
	require.NoError(l, p.Wait(), "the supervisor")
}

// stopsInAPause lets Tell return only when Stop was called: so the worker has ended, and its pause has not.
var stopsInAPause = lab.NewRole("supervisor that stops in a pause", func(c *lab.Child) error {
	ended, gate := make(chan bool, 1), make(chan bool)
	s, err := signals.NewSupervisor(signals.Policy{First: long, Most: long, Tell: func(e signals.Event) {
		if e.Ended {
			ended <- true
			<-gate
		}
	}})
	if err != nil {
		return fmt.Errorf("NewSupervisor(): %w", err)
	}
	if err := s.Add("a", func() *exec.Cmd { return sh("exit 0") }); err != nil {
		return fmt.Errorf("Add(): %w", err)
	}
	<-ended
	stopped := make(chan error, 1)
	go func() { stopped <- s.Stop(0) }()
	c.Report("Stop() was called")
	c.Wait()
	close(gate)
	c.Report(inTime(<-stopped))
	return nil
})

// leavesSomething has a worker that leaves a process behind. What a worker leaves behind is killed,
// also if it has the pipe open that os/exec makes for a cmd.Stdout that is no file.
func leavesSomething(l *lab.Lab, stdout string) {
	r, w := aPipe(l)
	note, noted := aPipe(l)
	p := l.Start(leaves, append(policy(long, long, 0), lab.HandOver("r", r), lab.HandOver("log", noted), lab.Tell("stdout", stdout))...)
	event(p)
	left := l.Other("the process that the worker left behind", pidOf(l, line(l, note)))
	_, err := w.WriteString("\n")
	require.NoError(l, err, "writing")
	require.Equal(l, "a: ended, exit status 3, pause "+long.String(), event(p).Text, "what Tell was told of the worker's end, which has left a process behind whose output is %s", stdout)
	left.Ends("the worker has ended, and what is left of its group is to be killed")
	p.Kill()
}

var leaves = lab.NewRole("supervisor whose worker leaves a process behind", func(c *lab.Child) error {
	s, err := supervisorOf(c)
	if err != nil {
		return err
	}
	start := workerOf("cat <&5 & echo $! >&4; read x <&3; exit 3", c.File("r"), c.File("log"), never())
	if err := s.Add("a", func() *exec.Cmd {
		cmd := start()
		if c.Text("stdout") == "a pipe" {
			cmd.Stdout = new(bytes.Buffer)
		}
		return cmd
	}); err != nil {
		return fmt.Errorf("Add(): %w", err)
	}
	c.Wait()
	return nil
})
