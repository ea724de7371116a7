package procfs

import (
	"os"
	"strconv"
	"strings"
)

// Mapping is one line of /proc/PID/maps that could be shared with other
// processes. See proc_pid_maps(5).
type Mapping struct {
	Start, End uint64
	Offset     uint64 // of Start in the object
	Shared     bool   // MAP_SHARED; else MAP_PRIVATE, a copy from the first write on
	Dev        string // as it is written there: "08:01"
	Inode      uint64 // of the object; the id of a System V segment
	Path       string // "/dev/shm/ring", "/memfd:ring (deleted)", "/SYSV0000002a (deleted)"
}

// readMaps leaves out what nobody else can have: memory without an object
// behind it, which is most of what a Go program has.
func readMaps(pid int) []Mapping {
	b, err := os.ReadFile(procPath(pid, "maps"))
	if err != nil {
		return nil
	}
	var maps []Mapping
	for line := range strings.Lines(string(b)) {
		if m, ok := parseMapping(line); ok && m.Path != "" && m.Path[0] == '/' {
			maps = append(maps, m)
		}
	}
	return maps
}

// parseMapping reads "7f01-7f02 rw-s 00001000 00:1b 77    /dev/shm/a b".
func parseMapping(line string) (m Mapping, ok bool) {
	f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 6)
	if len(f) < 6 || len(f[1]) != 4 {
		return m, false
	}
	start, end, _ := strings.Cut(f[0], "-")
	var errs [4]error
	m.Start, errs[0] = strconv.ParseUint(start, 16, 64)
	m.End, errs[1] = strconv.ParseUint(end, 16, 64)
	m.Offset, errs[2] = strconv.ParseUint(f[2], 16, 64)
	m.Inode, errs[3] = strconv.ParseUint(f[4], 10, 64)
	m.Shared = f[1][3] == 's'
	m.Dev = f[3]
	m.Path = strings.TrimLeft(f[5], " ")
	return m, errs == [4]error{}
}

// mapping returns what lies at an address, nil for memory without an object.
func (p *Process) mapping(addr uint64) *Mapping {
	for i := range p.Maps {
		if m := &p.Maps[i]; m.Start <= addr && addr < m.End {
			return m
		}
	}
	return nil
}

// at is the place of an address in the object.
func (m *Mapping) at(addr uint64) uint64 { return addr - m.Start + m.Offset }

// has reports whether that place of the object is in this mapping.
func (m *Mapping) has(object *Mapping, at uint64) bool {
	return m.Dev == object.Dev && m.Inode == object.Inode && m.Offset <= at && at < m.Offset+m.End-m.Start
}

// name is how people call the object.
func (m *Mapping) name() string {
	path, removed := strings.CutSuffix(m.Path, " (deleted)")
	switch {
	case strings.HasPrefix(path, "/memfd:"):
		return "the memfd " + quote(strings.TrimPrefix(path, "/memfd:"))
	case m.isSegment():
		key := strings.TrimLeft(strings.TrimPrefix(path, "/SYSV"), "0")
		if key == "" {
			return "the System V segment " + strconv.FormatUint(m.Inode, 10) + " (key IPC_PRIVATE)"
		}
		return "the System V segment " + strconv.FormatUint(m.Inode, 10) + " (key 0x" + key + ")"
	case m.anonymous():
		return "an anonymous shared mapping"
	case removed:
		return path + ", which was removed meanwhile"
	}
	return path
}

// isSegment reports whether it is System V shared memory. Its name says
// "deleted" all the time, since it has no directory.
func (m *Mapping) isSegment() bool { return strings.HasPrefix(m.Path, "/SYSV") }

// anonymous reports whether it is from mmap(2) with MAP_SHARED|MAP_ANONYMOUS.
func (m *Mapping) anonymous() bool { return m.Path == "/dev/zero (deleted)" }
