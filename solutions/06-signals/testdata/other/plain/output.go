package signals

import (
	"fmt"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// Output reads from a pipe that never blocks here, by poll(2).
func Output(cmd *exec.Cmd, delay time.Duration) ([]byte, error) {
	if cmd.Stdout != nil {
		return nil, fmt.Errorf("the command has a Stdout: %w", unix.EINVAL)
	}
	r, err := cmd.StdoutPipe() // its end here is closed by Wait: so a copy of it is read
	if err != nil {
		return nil, err
	}
	fd := -1
	if conn, ok := r.(interface{ Fd() uintptr }); ok {
		fd, err = unix.FcntlInt(conn.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	}
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	stop, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(stop)
	go func() {
		err := cmd.Wait()
		unix.Write(stop, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		ended <- err
	}()
	var all []byte
	// Until the command has ended, and then until the delay is over.
	all, whole := readUntil(fd, stop, time.Time{}, all)
	err = <-ended
	if !whole {
		all, whole = readUntil(fd, -1, time.Now().Add(max(delay, 0)), all)
	}
	if !whole {
		all, whole = rest(fd, all)
	}
	if err == nil && !whole {
		err = exec.ErrWaitDelay
	}
	return all, err
}

// readUntil reads until the end of the pipe, which it reports, or until stop is readable, or the
// deadline has passed.
func readUntil(fd, stop int, deadline time.Time, all []byte) ([]byte, bool) {
	p := make([]byte, 64<<10)
	for {
		timeout := -1
		if !deadline.IsZero() {
			if timeout = int(min(time.Until(deadline).Milliseconds(), 1<<30)); timeout < 0 || !time.Now().Before(deadline) {
				return all, false
			}
		}
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(stop), Events: unix.POLLIN}}
		if _, err := unix.Poll(polled, timeout); err == nil && polled[1].Revents != 0 {
			return all, false
		}
		n, err := unix.Read(fd, p)
		if err == nil && n == 0 {
			return all, true
		}
		all = append(all, p[:max(n, 0)]...)
	}
}

// rest reads what is in the pipe now, and reports whether that is its end.
func rest(fd int, all []byte) ([]byte, bool) {
	left, _ := unix.IoctlGetInt(fd, unix.TIOCINQ)
	p := make([]byte, left+1)
	for left >= 0 {
		n, err := unix.Read(fd, p[:left+1])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return all, false
		case n == 0:
			return all, true
		}
		all = append(all, p[:n]...)
		left -= n
	}
	return all, false
}
