package signals

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

type Policy struct {
	First, Most time.Duration
	Healthy     time.Duration
	Reaper      *Reaper
	Tell        func(Event)
}

type Event struct {
	Worker string
	PID    int
	Ended  bool
	Exit   Exit
	Pause  time.Duration
	Err    error
}

type State struct {
	Worker   string
	PID      int
	Restarts int
}

type Supervisor struct {
	policy Policy

	mu       sync.Mutex
	workers  []*worker
	stopping bool
	quits    chan struct{} // closed when stopping

	tells sync.Mutex
}

type worker struct {
	name     string
	command  func() *exec.Cmd
	cmd      *exec.Cmd
	process  *Process // nil while it does not run
	begun    time.Time
	restarts int
	pause    time.Duration
	over     chan struct{} // closed when it has ended for good
}

func NewSupervisor(p Policy) (*Supervisor, error) {
	if p.First <= 0 || p.Most < p.First || p.Healthy < 0 {
		return nil, fmt.Errorf("pauses from %v to %v: %w", p.First, p.Most, unix.EINVAL)
	}
	return &Supervisor{policy: p, quits: make(chan struct{})}, nil
}

func (s *Supervisor) Add(name string, command func() *exec.Cmd) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return fmt.Errorf("worker %s: %w", name, os.ErrClosed)
	}
	for _, w := range s.workers {
		if w.name == name {
			return fmt.Errorf("worker %s: %w", name, unix.EEXIST)
		}
	}
	w := &worker{name: name, command: command, over: make(chan struct{})}
	if err := s.start(w); err != nil {
		return fmt.Errorf("worker %s: %w", name, err)
	}
	s.workers = append(s.workers, w)
	go s.keep(w, Event{Worker: name, PID: w.process.PID()})
	return nil
}

// start is called with the mutex held.
func (s *Supervisor) start(w *worker) error {
	cmd := w.command()
	InGroup(cmd)
	start := (*exec.Cmd).Start
	if s.policy.Reaper != nil {
		start = s.policy.Reaper.Start
	}
	if err := start(cmd); err != nil {
		return err
	}
	process, err := Open(cmd.Process.Pid)
	if err != nil {
		cmd.Process.Kill()
		return errors.Join(err, s.wait(cmd))
	}
	w.cmd, w.process, w.begun = cmd, process, time.Now()
	return nil
}

func (s *Supervisor) wait(cmd *exec.Cmd) error {
	if s.policy.Reaper != nil {
		return s.policy.Reaper.Wait(cmd)
	}
	return cmd.Wait()
}

// keep follows one worker until it has ended for good.
func (s *Supervisor) keep(w *worker, started Event) {
	defer close(w.over)
	for {
		s.tell(started)
		e := s.ended(w)
		for again := false; !again; {
			e.Pause = s.next(w, e.Ended)
			s.tell(e)
			if !s.rest(e.Pause) {
				return
			}
			started, again = s.restart(w)
			if started.Err == errStopping {
				return // Stop was called in between
			}
			e = started
		}
	}
}

var errStopping = errors.New("it is not started again")

// restart returns what is to be told, and whether the worker runs.
func (s *Supervisor) restart(w *worker) (Event, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return Event{Err: errStopping}, false
	}
	if err := s.start(w); err != nil {
		return Event{Worker: w.name, Err: err}, false
	}
	w.restarts++
	return Event{Worker: w.name, PID: w.process.PID()}, true
}

func (s *Supervisor) tell(e Event) {
	s.tells.Lock()
	defer s.tells.Unlock()
	if s.policy.Tell != nil {
		s.policy.Tell(e)
	}
}

// ended waits for a worker's end. What is left of its group is killed before the worker is
// reaped: as long as it is not, nobody else can have the group's number.
func (s *Supervisor) ended(w *worker) Event {
	w.process.Wait(context.Background())
	s.mu.Lock()
	pid := w.process.PID()
	unix.Kill(-pid, unix.SIGKILL)
	w.process.Close()
	w.process = nil
	s.mu.Unlock()
	s.wait(w.cmd)
	return Event{Worker: w.name, PID: pid, Ended: true, Exit: ExitOf(w.cmd)}
}

// next is the pause before the next start: 0 if there will be none. Who could not be started has not
// run, however long the last run is over.
func (s *Supervisor) next(w *worker, ran bool) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopping:
		return 0
	case w.pause == 0 || ran && s.policy.Healthy > 0 && time.Since(w.begun) >= s.policy.Healthy:
		w.pause = s.policy.First
	case w.pause > s.policy.Most/2:
		w.pause = s.policy.Most
	default:
		w.pause *= 2
	}
	return w.pause
}

// rest reports whether the worker is to be started again.
func (s *Supervisor) rest(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-s.quits:
	case <-timer.C:
	}
	select {
	case <-s.quits:
		return false
	default:
		return true
	}
}

func (s *Supervisor) Signal(sig syscall.Signal) error {
	if err := number(sig); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, w := range s.workers {
		if w.process == nil {
			continue
		}
		if err := w.process.Signal(sig); !errors.Is(err, unix.ESRCH) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (s *Supervisor) State() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []State
	for _, w := range s.workers {
		state := State{Worker: w.name, Restarts: w.restarts}
		if w.process != nil {
			state.PID = w.process.PID()
		}
		all = append(all, state)
	}
	return all
}

func (s *Supervisor) Stop(grace time.Duration) error {
	s.mu.Lock()
	stopping := s.stopping
	s.stopping = true
	s.mu.Unlock()
	if stopping {
		return os.ErrClosed
	}
	close(s.quits)
	var errs []error
	for i := len(s.workers) - 1; i >= 0; i-- { // nobody adds one any more
		errs = append(errs, s.end(s.workers[i], grace))
	}
	return errors.Join(errs...)
}

// end ends a worker for good, its group with it. One that is stopped has to go on to hear of it.
func (s *Supervisor) end(w *worker, grace time.Duration) error {
	s.group(w, unix.SIGTERM)
	s.group(w, unix.SIGCONT)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-w.over:
		return nil
	case <-timer.C:
	}
	runs := s.group(w, unix.SIGKILL)
	<-w.over
	if !runs {
		return nil // it had ended by itself, or waited for its next start
	}
	return fmt.Errorf("worker %s: %w", w.name, ErrGrace)
}

// group signals a worker's group, if the worker is there, and reports whether it runs.
func (s *Supervisor) group(w *worker, sig syscall.Signal) (runs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.process != nil {
		runs = !w.process.Ended()
		unix.Kill(-w.process.PID(), sig)
	}
	return runs
}
