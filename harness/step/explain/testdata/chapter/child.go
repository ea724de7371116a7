package chapter

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// Cat starts cat and waits for it, but never ends what it reads.
func Cat() {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	check(0, err)
	check(0, cmd.Start())
	io.WriteString(in, "hello")
	cmd.Wait()
}

// Zeros waits for a process that writes more than its pipe holds.
func Zeros() {
	cmd := exec.Command("cat", "/dev/zero")
	out, err := cmd.StdoutPipe()
	check(0, err)
	check(0, cmd.Start())
	_, err = cmd.Process.Wait()
	check(0, err)
	io.ReadAll(out)
}

// Background wants the output of a shell that leaves a process behind.
func Background() {
	var out bytes.Buffer
	cmd := exec.Command("sh", "-c", "sleep 1000 & echo done")
	cmd.Stdout = &out
	check(0, cmd.Run())
}

// Unread gives a command an input that never ends.
func Unread(in *os.File) {
	cmd := exec.Command("true")
	cmd.Stdin = io.MultiReader(in)
	check(0, cmd.Run())
}

// WaitRaw starts a process that sleeps and waits for it.
func WaitRaw() {
	var status unix.WaitStatus
	_, err := unix.Wait4(sleeper(), &status, 0, nil)
	check(0, err)
}

// WaitID does the same by waitid(2).
func WaitID() {
	check(0, unix.Waitid(unix.P_PID, sleeper(), nil, unix.WEXITED, nil))
}

// WaitPidfd polls a pidfd.
func WaitPidfd() {
	pidfd, err := unix.PidfdOpen(sleeper(), 0)
	check(0, err)
	check(unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, -1))
}

// WaitAny collects every child, and one of them is not meant.
func WaitAny() {
	sleeper()
	check(0, exec.Command("true").Start())
	for {
		_, err := unix.Wait4(-1, nil, 0, nil)
		check(0, err)
	}
}

// WaitStopped waits for a process that it has stopped.
func WaitStopped() {
	pid := sleeper()
	check(0, unix.Kill(pid, unix.SIGSTOP))
	p, err := os.FindProcess(pid)
	check(0, err)
	p.Wait()
}

// Gone looks whether its child is gone, and does not wait for it.
func Gone() {
	cmd := exec.Command("true")
	check(0, cmd.Start())
	for unix.Kill(cmd.Process.Pid, 0) == nil {
		time.Sleep(50 * time.Millisecond)
	}
}

func sleeper() int {
	cmd := exec.Command("sleep", "1000")
	check(0, cmd.Start())
	return cmd.Process.Pid
}

// Stolen starts a command and waits until it is told of its end. But a loop that
// waits for any child takes that end, and knows nothing of the command.
func Stolen() {
	ends := map[int]chan struct{}{}
	gone := make(chan struct{})
	cmd := exec.Command("true")
	check(0, cmd.Start())
	go func() {
		for {
			pid, err := unix.Wait4(-1, nil, 0, nil)
			if err == unix.ECHILD {
				return
			}
			if end := ends[pid]; end != nil {
				close(end)
			}
		}
	}()
	<-gone
}
