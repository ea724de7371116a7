package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// both starts a worker, sends what is typed, and then the end. What it has made it
// removes.
func both(j jobs) error {
	if err := j.open(); err != nil {
		return fmt.Errorf("opening the queue: %w", err)
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	worker := exec.Command(program, append(j.flags(), "work")...)
	worker.Stdout, worker.Stderr = os.Stdout, os.Stderr
	if err := worker.Start(); err != nil {
		return fmt.Errorf("starting the worker: %w", err)
	}
	fmt.Printf("This is the producer (pid %d). The worker is a second process (pid %d).\n", os.Getpid(), worker.Process.Pid)
	sendErr := typed(j)
	if sendErr == nil {
		sendErr = j.send("", false) // after all that wait: none has a lower priority
	}
	if sendErr != nil {
		worker.Process.Kill()
	}
	workErr := worker.Wait()
	fmt.Printf("producer (pid %d): the worker has ended: %v\n", os.Getpid(), worker.ProcessState)
	return errors.Join(sendErr, workErr, j.remove())
}

// produce sends what is typed. The queue stays.
func produce(j jobs) error {
	if err := j.open(); err != nil {
		return fmt.Errorf("opening the queue: %w", err)
	}
	fmt.Printf("This is a producer (pid %d).\n", os.Getpid())
	if err := typed(j); err != nil {
		return err
	}
	return show(j)
}

// typed sends each line that is typed as a job, until Ctrl-D.
func typed(j jobs) error {
	fmt.Println("Type a job and press Enter. One that begins with ! is urgent. Ctrl-D ends the input.")
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20) // to refuse a job that is too long is the queue's task
	for lines.Scan() {
		text, isUrgent := strings.CutPrefix(lines.Text(), "!")
		if text == "" {
			continue // an empty job is the end
		}
		err := j.send(text, isUrgent)
		if errors.Is(err, unix.EMSGSIZE) {
			fmt.Println("That is too long for a job:", err)
			continue
		}
		if err != nil {
			return fmt.Errorf("sending a job: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading what you type: %w", err)
	}
	return nil
}

// work prints each job. A worker that is killed loses the job that it has taken, and no
// other one.
func work(j jobs) error {
	if err := j.open(); err != nil {
		return fmt.Errorf("opening the queue: %w", err)
	}
	me := fmt.Sprintf("worker (pid %d)", os.Getpid())
	fmt.Printf("%s waits for jobs\n", me)
	for n := 0; ; n++ {
		text, isUrgent, err := j.receive()
		switch {
		case isGone(err):
			fmt.Printf("%s: the queue was removed\n", me)
			return nil
		case err != nil:
			return fmt.Errorf("%s: receiving a job: %w", me, err)
		case text == "":
			fmt.Printf("%s: the end, after %s\n", me, count(n, "job"))
			return nil
		case isUrgent:
			fmt.Printf("%s does, at once: %s\n", me, text)
		default:
			fmt.Printf("%s does: %s\n", me, text)
		}
	}
}

// show tells how many jobs wait, and how another terminal sees them.
func show(j jobs) error {
	if err := j.open(); err != nil {
		return fmt.Errorf("opening the queue: %w", err)
	}
	n, err := j.waiting()
	if err != nil {
		return err
	}
	wait := "wait"
	if n == 1 {
		wait = "waits"
	}
	fmt.Printf("%s %s in the queue, which stays until it is removed.\n", count(n, "job"), wait)
	fmt.Println("Another terminal sees it with:", j.look())
	return nil
}

func remove(j jobs) error {
	if err := j.remove(); err != nil {
		return fmt.Errorf("removing the queue: %w", err)
	}
	fmt.Println("The queue is gone, with all that was in it.")
	return nil
}

// count is a number and its noun: "1 job", "5 jobs".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
