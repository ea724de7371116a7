package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	signals "ipcworkbook/chapters/06-signals"
)

// grace is how long a worker may take to end.
const grace = time.Minute

// supervise runs until the first SIGTERM, or Ctrl-C, and then ends its workers in order. A
// second one ends it at once.
func supervise(job time.Duration) error {
	drain, err := signals.NewDrain(grace, unix.SIGTERM, unix.SIGINT)
	if err != nil {
		return err
	}
	news, err := signals.Listen(unix.SIGHUP, unix.SIGUSR1)
	if err != nil {
		return err
	}
	reaper, err := signals.NewReaper(func(e signals.Exit) { fmt.Printf("Orphan %d ended: %v.\n", e.PID, e) })
	if err != nil {
		return err
	}
	s, err := signals.NewSupervisor(signals.Policy{
		First: 200 * time.Millisecond, Most: 5 * time.Second, Healthy: time.Minute, Reaper: reaper, Tell: tell,
	})
	if err != nil {
		return err
	}
	fmt.Printf("The supervisor is process %d.\n", os.Getpid())
	// The workers read from it. If the supervisor is killed, they read the end.
	alive, ours, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ours.Close()
	for _, name := range []string{"a", "b"} {
		if err := s.Add(name, func() *exec.Cmd { return worker(name, job, alive) }); err != nil {
			return errors.Join(err, s.Stop(grace))
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-drain.Draining()
		cancel()
	}()
	for {
		sig, err := news.Wait(ctx)
		if err != nil {
			break
		}
		if sig == unix.SIGHUP {
			err = s.Signal(sig)
		} else {
			show(s)
		}
		if err != nil {
			return err
		}
	}
	fmt.Printf("%s: the workers are to end, the last one first.\n", signals.Name(drain.Signal()))
	if err := s.Stop(grace); err != nil {
		return err
	}
	fmt.Println("All have ended.")
	return errors.Join(drain.Wait(), news.Close(), reaper.Close())
}

func worker(name string, job time.Duration, alive *os.File) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", "-job", job.String(), "work", name)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = alive, os.Stdout, os.Stderr
	return cmd
}

func tell(e signals.Event) {
	switch {
	case e.Err != nil:
		fmt.Printf("Worker %s cannot be started: %v. The next try is in %v.\n", e.Worker, e.Err, e.Pause)
	case !e.Ended:
		fmt.Printf("Worker %s is process %d.\n", e.Worker, e.PID)
	case e.Pause == 0:
		fmt.Printf("Worker %s (%d) has ended: %v.\n", e.Worker, e.PID, e.Exit)
	default:
		fmt.Printf("Worker %s (%d) has ended: %v. It is started again in %v.\n", e.Worker, e.PID, e.Exit, e.Pause)
	}
}

func show(s *signals.Supervisor) {
	for _, w := range s.State() {
		fmt.Printf("State: worker %s, process %d, started again %d times.\n", w.Worker, w.PID, w.Restarts)
	}
}
