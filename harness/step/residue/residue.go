// Package residue finds what a step left behind, says what it is and who made
// it, and removes it: open descriptors, and what outlives its process in the
// kernel and in folders.
//
// A step that has namespaces of its own ([Places].Alone) made everything that is
// there and was not there before. Without them the machine is shared, and a thing
// is the step's only if it bears a name or a key that the step was given
// ([Given]), or if the kernel names a process of the step as its maker. All else
// may be another program's: it is neither spoken of nor touched.
package residue

import (
	"cmp"
	"os"
	"slices"
	"strings"

	"ipcworkbook/harness/verdict"
)

// Object is something that was left behind.
type Object struct {
	Kind   Kind
	Name   string // a POSIX queue's name, or a path
	ID     int    // System V: the id; a descriptor: its number
	Key    int    // System V: 0 is IPC_PRIVATE
	Maker  int    // the pid that the kernel keeps beside it, or 0
	Role   string // who that is
	Detail string
	// Removed says of a segment that it is there only because somebody has it
	// attached.
	Removed bool
}

// Places says where to look.
type Places struct {
	// Alone says that the step has IPC, PID and mount namespaces of its own.
	Alone bool
	// Dir is the step's own folder. What the step was given is noted there.
	Dir string
	// Queues is where the file system of the POSIX queues is mounted, or "".
	// Nothing else lists them (mq_overview(7)).
	Queues string
	// Folders are the step's own: what lies in them is the step's.
	Folders []string
}

// Here returns the places of the step that this process belongs to. The folder
// for temporary files counts only if it is the step's own.
func Here() Places {
	p := Places{
		Alone:  os.Getenv(verdict.EnvAlone) != "",
		Dir:    os.Getenv(verdict.EnvDir),
		Queues: os.Getenv(verdict.EnvQueues),
	}
	if tmp := os.TempDir(); p.Dir != "" && strings.HasPrefix(tmp, p.Dir+"/") {
		p.Folders = []string{tmp}
	}
	return p
}

// identity tells one object from all others.
type identity struct {
	kind Kind
	name string
	id   int
}

// Objects are what one look found.
type Objects map[identity]Object

func (o Objects) add(one Object) { o[identity{one.Kind, one.Name, one.ID}] = one }

// Look returns what is there. What cannot be read is not there.
func Look(where Places) Objects {
	found := Objects{}
	for _, t := range tables {
		t.read(found)
	}
	listQueues(where.Queues, found)
	probeQueues(ReadGiven(where.Dir).Names, found)
	for _, folder := range append([]string{memoryFolder}, where.Folders...) {
		listFolder(folder, found)
	}
	return found
}

// Since returns what was not there before.
func (o Objects) Since(before Objects) []Object {
	var left []Object
	for id, one := range o {
		if _, was := before[id]; !was {
			left = append(left, one)
		}
	}
	slices.SortFunc(left, func(a, b Object) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return left
}
