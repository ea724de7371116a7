package console

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a process that may be anybody's child: one that the program at the
// terminal has started, for example. Its pidfd means the same process for ever, and
// becomes readable when that process ends (pidfd_open(2)).
type Process struct {
	t          testing.TB
	pid, pidfd int
}

// Watch returns the process with this number, as a pattern has found it.
func Watch(t testing.TB, pid string) *Process {
	t.Helper()
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatalf("console: %q is no number of a process", pid)
	}
	fd, err := unix.PidfdOpen(n, 0)
	if err != nil {
		t.Fatalf("console: process %d: %v", n, err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return &Process{t, n, fd}
}

// Kill ends the process by SIGKILL, and waits until it has ended.
func (p *Process) Kill() {
	p.t.Helper()
	if err := unix.PidfdSendSignal(p.pidfd, unix.SIGKILL, nil, 0); err != nil {
		p.t.Fatalf("console: killing process %d: %v", p.pid, err)
	}
	p.Ends()
}

// Ends waits until the process has ended. An orphan may stay in /proc as a zombie
// until whoever is its parent now looks after it.
func (p *Process) Ends() {
	p.t.Helper()
	const patience = 10 * time.Second
	n, err := 0, error(unix.EINTR)
	for err == unix.EINTR {
		n, err = unix.Poll([]unix.PollFd{{Fd: int32(p.pidfd), Events: unix.POLLIN}}, int(patience.Milliseconds()))
	}
	if err != nil || n != 1 {
		p.t.Fatalf("console: process %d is still there after %v (%v)", p.pid, patience, err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err == nil && !over(string(stat)) {
		p.t.Fatalf("console: process %d has ended, and /proc shows no zombie: %s", p.pid, stat)
	}
}

// over says whether a line of /proc is that of a process that has ended: a zombie (Z), or one that
// its parent is just reaping (X).
func over(stat string) bool {
	_, rest, _ := strings.Cut(stat[strings.LastIndexByte(stat, ')')+1:], " ")
	return strings.HasPrefix(rest, "Z ") || strings.HasPrefix(rest, "X ")
}
