package explain

import (
	"slices"
	"strconv"
	"strings"

	"ipcworkbook/harness/step/procfs"
)

// shared names the objects that a process has mapped and shares with others: where a
// loop without a call looks for what another process writes.
func shared(p *procfs.Process) []string {
	var names []string
	for _, m := range p.Maps {
		if m.Shared && !slices.Contains(names, m.Path) {
			names = append(names, m.Path)
		}
	}
	return names
}

// object is how people call what is mapped.
func object(m *procfs.Mapping) string {
	path, removed := strings.CutSuffix(m.Path, " (deleted)")
	switch {
	case strings.HasPrefix(path, "/memfd:"):
		return "the memfd " + quote(strings.TrimPrefix(path, "/memfd:"))
	case isSegment(m):
		key := strings.TrimLeft(strings.TrimPrefix(path, "/SYSV"), "0")
		if key == "" {
			return "the System V segment " + strconv.FormatUint(m.Inode, 10) + " (key IPC_PRIVATE)"
		}
		return "the System V segment " + strconv.FormatUint(m.Inode, 10) + " (key 0x" + key + ")"
	case anonymous(m):
		return "an anonymous shared mapping"
	case removed:
		return path + ", which was removed meanwhile"
	}
	return path
}

// isSegment reports whether it is System V shared memory. Its name says
// "deleted" all the time, since it has no directory.
func isSegment(m *procfs.Mapping) bool { return strings.HasPrefix(m.Path, "/SYSV") }

// anonymous reports whether it is from mmap(2) with MAP_SHARED|MAP_ANONYMOUS.
func anonymous(m *procfs.Mapping) bool { return m.Path == "/dev/zero (deleted)" }

// plainPath is the path without the mark of a name that is gone.
func plainPath(m *procfs.Mapping) string { return strings.TrimSuffix(m.Path, " (deleted)") }
