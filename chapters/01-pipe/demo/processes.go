package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"

	pipe "ipcworkbook/chapters/01-pipe"
)

// role is the environment variable that makes this program a consumer.
const role = "IPCWORKBOOK_DEMO_ROLE"

// produce makes a pipe, starts the consumer at its read end, and lets send fill
// its write end. It returns when the consumer has ended.
//
// Nothing here takes care of Ctrl-C. The terminal sends SIGINT to both
// processes. Nothing takes care of a killed producer either: the kernel closes
// its write end, the consumer sees end of file, and ends by itself.
func produce(consumerRole string, send func(w *pipe.Writer, consumer int) error) error {
	r, w, err := pipe.New()
	if err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	consumer, err := startConsumer(consumerRole, r)
	if err != nil {
		return fmt.Errorf("starting the consumer: %w", err)
	}
	// Only the consumer reads. If we kept our copy of the read end, we would
	// never learn that the consumer is gone: there would still be a reader.
	if err := r.Close(); err != nil {
		return fmt.Errorf("closing our copy of the read end: %w", err)
	}

	sent := make(chan error, 1)
	go func() {
		sent <- send(w, consumer.Process.Pid)
		// The consumer sees end of file when the last write end is closed.
		w.Close()
	}()

	// To wait for the consumer and not for send: when the consumer ends early,
	// send may still be waiting for the keyboard.
	consumerErr := consumer.Wait()
	fmt.Printf("producer (pid %d): the consumer has ended: %v\n", os.Getpid(), consumer.ProcessState)
	if consumerErr != nil {
		consumerErr = fmt.Errorf("the consumer failed: %w", consumerErr)
	}
	select {
	case sendErr := <-sent:
		return errors.Join(sendErr, consumerErr)
	default:
	}
	if consumerErr == nil {
		return errors.New("the consumer has ended, but the producer had not closed the pipe")
	}
	return consumerErr
}

// startConsumer starts this program once more. The new process has r as its
// descriptor 3.
func startConsumer(consumerRole string, r *pipe.Reader) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f, err := duplicate(r)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), role+"="+consumerRole)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{f}
	return cmd, cmd.Start()
}

// duplicate returns a second descriptor of the same pipe end. It borrows the
// descriptor through SyscallConn: File.Fd would make the pipe blocking for
// every process that shares it (golang/go#22934). os/exec calls Fd on the copy,
// but os.NewFile leaves alone what did not block before. The copy is
// close-on-exec, like the original: it goes to this one child, and to no other.
func duplicate(end syscall.Conn) (*os.File, error) {
	conn, err := end.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd int
	var dupErr error
	err = conn.Control(func(original uintptr) {
		fd, dupErr = unix.FcntlInt(original, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err != nil {
		return nil, err
	}
	if dupErr != nil {
		return nil, os.NewSyscallError("fcntl", dupErr)
	}
	return os.NewFile(uintptr(fd), "pipe"), nil
}

// receiveFromProducer is the consumer: it finds its read end at descriptor 3.
func receiveFromProducer(receive func(*pipe.Reader) error) error {
	r := pipe.NewReader(os.NewFile(3, "pipe"))
	defer r.Close()
	return receive(r)
}
