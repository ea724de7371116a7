package signals_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	signals "ipcworkbook/chapters/06-signals"
	"ipcworkbook/harness/lab"
)

// called is the name of a signal in these tests.
func called(sig syscall.Signal) string {
	if sig >= signals.MinReal && sig <= signals.MaxSignal {
		return fmt.Sprintf("real-time signal %d", int(sig))
	}
	return unix.SignalName(sig)
}

// field is a line of /proc/PID/task/TID/status.
func field(l *lab.Lab, pid, tid int, name string) string {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", pid, tid))
	require.NoError(l, err, "looking at thread %d", tid)
	_, rest, _ := strings.Cut(string(status), "\n"+name+":")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

// inMask are the signals of a mask, by their names.
func inMask(bits uint64) string {
	var names []string
	for sig := syscall.Signal(1); sig <= signals.MaxSignal; sig++ {
		if bits&(1<<(sig-1)) != 0 {
			names = append(names, called(sig))
		}
	}
	return strings.Join(names, ", ")
}

// pending is one of the two masks of signals that wait, without SIGURG: that one the runtime sends
// to its own threads, at any moment.
func pending(l *lab.Lab, pid, tid int, name string) string {
	bits, err := strconv.ParseUint(field(l, pid, tid, name), 16, 64)
	require.NoError(l, err, "the %s of thread %d", name, tid)
	return inMask(bits &^ (1 << (unix.SIGURG - 1)))
}

// threadsOf are the threads of a process beside its first one.
func threadsOf(l *lab.Lab, pid int) (tids []int) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	require.NoError(l, err, "looking at the threads of process %d", pid)
	for _, e := range entries {
		if tid, _ := strconv.Atoi(e.Name()); tid != pid {
			tids = append(tids, tid)
		}
	}
	return tids
}
