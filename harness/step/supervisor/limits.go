package supervisor

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"ipcworkbook/harness/verdict"
)

// The limits of a step. They are far above what any right solution needs, and
// far below what would take the machine down.
const (
	maxData      = 1 << 30 // bytes of memory that one process may write to
	maxFile      = 1 << 30 // bytes of one file
	maxProcesses = 200     // processes of the step at one time
	moreTasks    = 2000    // threads, beside those that the machine has now
)

// limit sets the limits of this process. All that it starts inherits them.
func limit() error {
	limits := []struct {
		name     string
		resource int
		value    uint64
	}{
		{"RLIMIT_DATA", unix.RLIMIT_DATA, maxData},
		{"RLIMIT_FSIZE", unix.RLIMIT_FSIZE, maxFile},
		{"RLIMIT_CORE", unix.RLIMIT_CORE, 0},
	}
	// The kernel counts all threads of the user, not only ours. As root it
	// does not count at all; the supervisor does (maxProcesses).
	if n, ok := tasks(); ok {
		limits = append(limits, struct {
			name     string
			resource int
			value    uint64
		}{"RLIMIT_NPROC", unix.RLIMIT_NPROC, n + moreTasks})
	}
	for _, l := range limits {
		var now unix.Rlimit
		if err := unix.Getrlimit(l.resource, &now); err != nil {
			return fmt.Errorf("reading %s: %w", l.name, err)
		}
		now.Cur = min(l.value, now.Max)
		if err := unix.Setrlimit(l.resource, &now); err != nil {
			return fmt.Errorf("setting %s: %w", l.name, err)
		}
	}
	return nil
}

// tooLittle says what this machine does not allow and every step takes for granted. A
// solution that fails for want of it would be called wrong.
func tooLittle() string {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err == nil && files.Max < verdict.LeastFiles {
		return fmt.Sprintf("A process may have %d files open here (RLIMIT_NOFILE), and a step needs up to %d.", files.Max, verdict.LeastFiles)
	}
	return ""
}

// tasks returns how many threads there are on the machine.
func tasks() (uint64, bool) {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0, false
	}
	var running, all uint64
	fields := strings.Fields(string(text))
	if len(fields) < 4 {
		return 0, false
	}
	_, err = fmt.Sscanf(fields[3], "%d/%d", &running, &all)
	return all, err == nil
}
