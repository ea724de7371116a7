package signals

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func Output(cmd *exec.Cmd, delay time.Duration) ([]byte, error) {
	if cmd.Stdout != nil {
		return nil, fmt.Errorf("the command has a Stdout: %w", unix.EINVAL)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	cmd.Stdout = w
	err = cmd.Start()
	w.Close()
	if err != nil {
		return nil, err
	}
	var all bytes.Buffer
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(&all, r)
		read <- err
	}()
	err = cmd.Wait()
	// What the child has written is in the pipe now. Only who has it open besides can add to it.
	if deadlineErr := r.SetReadDeadline(time.Now().Add(max(delay, 0))); deadlineErr != nil {
		return nil, deadlineErr
	}
	held := <-read
	if errors.Is(held, os.ErrDeadlineExceeded) {
		held = errors.Join(exec.ErrWaitDelay, rest(&all, r))
	}
	if err == nil {
		err = held
	}
	return all.Bytes(), err
}

// rest takes what is in the pipe, and does not wait.
func rest(all *bytes.Buffer, r *os.File) error {
	raw, err := r.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) {
		p := make([]byte, 64<<10)
		for {
			n, err := syscall.Read(int(fd), p)
			if err == syscall.EINTR {
				continue
			}
			if n <= 0 {
				return
			}
			all.Write(p[:n])
		}
	})
}
