package procfs

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// procUnix reads /proc/PID/net/unix, which every kernel has. It tells names and
// who listens, but neither other ends nor queues. See proc_pid_net(5).
func procUnix(pid int) []SocketInfo {
	text, _ := os.ReadFile(procPath(pid, "net", "unix"))
	var all []SocketInfo
	for line := range strings.Lines(string(text)) {
		// Num RefCount Protocol Flags Type St Inode Path
		f := strings.SplitN(strings.Join(strings.Fields(line), " "), " ", 8)
		if len(f) < 7 {
			continue
		}
		flags, _ := strconv.ParseUint(f[3], 16, 32)
		kind, _ := strconv.ParseUint(f[4], 16, 32)
		inode, err := strconv.ParseUint(f[6], 10, 64)
		if err != nil {
			continue // the header
		}
		const accepts = 1 << 16 // __SO_ACCEPTCON
		s := SocketInfo{
			Family: unix.AF_UNIX, Type: int(kind), Listening: flags&accepts != 0,
			Inode: inode, Unread: -1, Waiting: -1, Backlog: -1,
		}
		if len(f) == 8 {
			s.Name = f[7]
		}
		all = append(all, s)
	}
	return all
}
