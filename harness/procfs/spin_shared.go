package procfs

import (
	"os"
	"slices"
	"strings"
)

// readShared names the files that a process has mapped and shares with others:
// where a loop without a call looks for what another process writes. See
// proc_pid_maps(5).
func readShared(pid int) []string {
	maps, err := os.ReadFile(procPath(pid, "maps"))
	if err != nil {
		return nil
	}
	var names []string
	for line := range strings.Lines(string(maps)) {
		// 7f12-7f13 rw-s 00000000 00:01 1024    /dev/shm/ring
		f := strings.Fields(line)
		if len(f) < 6 || !strings.HasSuffix(f[1], "s") || !strings.HasPrefix(f[5], "/") {
			continue
		}
		if name := strings.Join(f[5:], " "); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
