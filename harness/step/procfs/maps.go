package procfs

import (
	"os"
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

// Mapping returns what lies at an address, nil for memory without an object.
func (p *Process) Mapping(addr uint64) *Mapping {
	for i := range p.Maps {
		if m := &p.Maps[i]; m.Start <= addr && addr < m.End {
			return m
		}
	}
	return nil
}

// At is the place of an address in the object.
func (m *Mapping) At(addr uint64) uint64 { return addr - m.Start + m.Offset }

// Has reports whether that place of the object is in this mapping.
func (m *Mapping) Has(object *Mapping, at uint64) bool {
	return m.Dev == object.Dev && m.Inode == object.Inode && m.Offset <= at && at < m.Offset+m.End-m.Start
}

// readMemory reads what a process has at an address. See proc_pid_mem(5): it
// asks for the right to trace the process.
func readMemory(pid int, addr uint64, b []byte) error {
	mem, err := os.Open(procPath(pid, "mem"))
	if err != nil {
		return err
	}
	defer mem.Close()
	_, err = mem.ReadAt(b, int64(addr))
	return err
}
