package signals

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
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
		held = rest(&all, r, exec.ErrWaitDelay)
	}
	if err == nil {
		err = held
	}
	return all.Bytes(), err
}

// rest takes what is in the pipe at this moment, and no more: who has it open may write for ever.
// Where nobody has it open there is no error.
func rest(all *bytes.Buffer, r *os.File, held error) error {
	raw, err := r.SyscallConn()
	if err != nil {
		return err
	}
	if err := raw.Control(func(fd uintptr) {
		var left int
		if left, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ); err != nil {
			return
		}
		p := make([]byte, left+1)
		for left >= 0 {
			n, readErr := unix.Read(int(fd), p[:left+1])
			switch {
			case readErr == unix.EINTR:
				continue
			case n == 0:
				held = nil // it is at its end
				return
			case n < 0:
				return
			}
			all.Write(p[:n])
			left -= n
		}
	}); err != nil {
		return err
	}
	return errors.Join(err, held)
}
