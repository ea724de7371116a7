package words

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// clearUp waits a moment for the children that were not there before, kills and
// reaps those that remain, and names them. A killed process leaves its children
// to this one, so it looks again until there is none.
func clearUp(before map[int]child, wait time.Duration) (killed []string) {
	named := map[int]bool{}
	for end := time.Now().Add(wait); ; time.Sleep(10 * time.Millisecond) {
		left := 0
		for pid, c := range children() {
			if _, ours := before[pid]; ours {
				continue
			}
			left++
			if c.state != 'Z' && time.Now().After(end) {
				if !named[pid] {
					killed = append(killed, fmt.Sprintf("%s (pid %d)", c.name, pid))
				}
				named[pid] = true
				unix.Kill(pid, unix.SIGKILL)
			}
			// A zombie is reaped now, a killed one in the next round.
			unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
		if left == 0 {
			return killed
		}
	}
}

// child is what /proc/PID/stat says of a process.
type child struct {
	name  string
	state byte
}

// children finds the processes whose parent is this one. /proc/PID/task/*/children
// would be quicker, but is not in every kernel.
func children() map[int]child {
	found := map[int]child{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return found
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		b, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue // it has just ended
		}
		// The name stands in brackets and may hold brackets and blanks itself.
		open, end := strings.IndexByte(string(b), '('), strings.LastIndexByte(string(b), ')')
		if open < 0 || end < open {
			continue
		}
		fields := strings.Fields(string(b[end+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			found[pid] = child{string(b[open+1 : end]), fields[0][0]}
		}
	}
	return found
}
