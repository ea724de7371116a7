package procfs

import (
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
)

// Mapping is memory of a process that comes from a file or from another object, so
// that others could have it too. See proc_pid_maps(5).
type Mapping struct {
	Start, End uint64
	Offset     uint64 // of Start in the object
	Shared     bool   // MAP_SHARED; else MAP_PRIVATE, a copy from the first write on
	Writable   bool
	Dev, Inode uint64 // of the object; Inode is the id of a System V segment
	Path       string // "/dev/shm/ring", "/memfd:ring (deleted)", "/SYSV0000002a (deleted)"
}

// Maps returns the mappings of a process. Left out is what nobody else can have:
// memory without an object behind it, which is most of what a Go program has.
func Maps(pid int) ([]Mapping, error) {
	fs, err := procfs.NewFS(root)
	if err != nil {
		return nil, err
	}
	p, err := fs.Proc(pid)
	if err != nil {
		return nil, err
	}
	all, err := p.ProcMaps()
	var maps []Mapping
	for _, m := range all {
		if strings.HasPrefix(m.Pathname, "/") {
			maps = append(maps, Mapping{uint64(m.StartAddr), uint64(m.EndAddr), uint64(m.Offset),
				m.Perms.Shared, m.Perms.Write, m.Dev, m.Inode, m.Pathname})
		}
	}
	return maps, err
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

// shared names the objects that a process has mapped and shares with others: where a
// loop without a call looks for what another process writes.
func (p *Process) shared() []string {
	var names []string
	for _, m := range p.Maps {
		if m.Shared && !slices.Contains(names, m.Path) {
			names = append(names, m.Path)
		}
	}
	return names
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
