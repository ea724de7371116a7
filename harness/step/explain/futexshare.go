package explain

import (
	"strings"

	"ipcworkbook/harness/step/procfs"
)

// sharer is another process of the step that maps the same place.
type sharer struct {
	p *procfs.Process
	m *procfs.Mapping
}

func (c *Case) sharers(self *procfs.Process, object *procfs.Mapping, at uint64) []sharer {
	var found []sharer
	for i := range c.Processes {
		p := &c.Processes[i]
		for j := range p.Maps {
			if p.PID != self.PID && p.Maps[j].Has(object, at) {
				found = append(found, sharer{p, &p.Maps[j]})
				break
			}
		}
	}
	return found
}

func sharerLines(sharers []sharer) []string {
	if len(sharers) == 0 {
		return []string{"No other process of the step maps it."}
	}
	lines := []string{"The same memory is mapped by"}
	for _, s := range sharers {
		line := "  " + name(s.p)
		if !s.m.Shared {
			line += " as a private copy (MAP_PRIVATE), which shows nothing to others"
		}
		lines = append(lines, line)
	}
	return lines
}

// sameNameMapped finds processes that map another object of that name: somebody
// removed it and made it anew, or each made one of its own.
func (c *Case) sameNameMapped(self *procfs.Process, object *procfs.Mapping) []string {
	if anonymous(object) || strings.HasPrefix(object.Path, "/SYSV00000000") {
		return nil
	}
	var lines []string
	for i := range c.Processes {
		p := &c.Processes[i]
		for j := range p.Maps {
			m := &p.Maps[j]
			if p.PID != self.PID && plainPath(m) == plainPath(object) && (m.Dev != object.Dev || m.Inode != object.Inode) {
				lines = append(lines, name(p)+" maps another object of that name.")
				break
			}
		}
	}
	return lines
}
