package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"

	"golang.org/x/sys/unix"

	file "ipcworkbook/chapters/02-file"
)

const (
	// role is the environment variable that makes this program a consumer.
	role = "IPCWORKBOOK_DEMO_ROLE"
	// place is the one that tells the consumer the file's path.
	place = "IPCWORKBOOK_DEMO_FILE"
)

// produce makes a file, starts a consumer that follows it, and lets send append to
// it. It returns when the consumer has ended.
//
// No end of anything is handed over, since a file has no ends: whoever knows its
// path can open it. So the kernel tells neither side of the other's death. The
// producer learns of the consumer's because it is its parent. The consumer of a
// producer that was killed between two records waits for the next writer.
func produce(consumerRole string, d file.Durability, send func(w *file.Writer, consumer int, path string) error) error {
	folder, err := os.MkdirTemp("", "demo-")
	if err != nil {
		return fmt.Errorf("making a folder for the file: %w", err)
	}
	defer os.RemoveAll(folder)
	alsoWhenInterrupted(func() { os.RemoveAll(folder) })
	path := filepath.Join(folder, "records")
	w, err := file.OpenWriter(path, d) // it makes the file, so the consumer finds it
	if err != nil {
		return fmt.Errorf("opening the file to append to it: %w", err)
	}
	consumer, err := startConsumer(consumerRole, path)
	if err != nil {
		return fmt.Errorf("starting the consumer: %w", err)
	}

	sent := make(chan error, 1)
	go func() {
		// Close writes the end mark, and the consumer ends there.
		sent <- errors.Join(send(w, consumer.Process.Pid, path), w.Close())
	}()

	// To wait for the consumer and not for send: when the consumer ends early,
	// send may still be waiting for the keyboard.
	consumerErr := consumer.Wait()
	var sendErr error
	if consumerErr == nil {
		sendErr = <-sent // it may still be waiting for the disk
	}
	fmt.Printf("producer (pid %d): the consumer has ended: %v\n", os.Getpid(), consumer.ProcessState)
	if consumerErr != nil {
		consumerErr = fmt.Errorf("the consumer failed: %w", consumerErr)
	}
	return errors.Join(sendErr, consumerErr)
}

// alsoWhenInterrupted tidies up before Ctrl-C or SIGTERM ends the program. The
// terminal sends SIGINT to the consumer too.
func alsoWhenInterrupted(tidy func()) {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, unix.SIGINT, unix.SIGTERM)
	go func() {
		s := <-interrupted
		tidy()
		signal.Reset() // now it ends the program, as if nobody had caught it
		unix.Kill(os.Getpid(), s.(unix.Signal))
	}()
}

// startConsumer starts this program once more.
func startConsumer(consumerRole, path string) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), role+"="+consumerRole, place+"="+path)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd, cmd.Start()
}

// followProducer is the consumer.
func followProducer(receive func(*file.Reader) error) error {
	r, err := file.OpenReader(os.Getenv(place))
	if err != nil {
		return fmt.Errorf("opening the file to follow it: %w", err)
	}
	defer r.Close()
	return receive(r)
}
