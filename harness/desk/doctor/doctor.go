// Package doctor looks at the machine: is there what the workbook needs, what does not
// work without it, and which command mends it. It leaves nothing behind.
package doctor

import (
	"context"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// State is how well something is there.
type State string

const (
	Good    State = "good"
	Less    State = "less"    // it is not, and no step needs it
	Lacking State = "lacking" // it is not, and steps cannot run
)

// Finding is one thing that was looked at.
type Finding struct {
	Name    string `json:"name"`
	State   State  `json:"state"`
	Found   string `json:"found"`
	For     string `json:"for"`            // what it is for
	Without string `json:"without"`        // what works where it is not there
	Mend    string `json:"mend,omitempty"` // a command, or what to do; set unless it is good
}

// Machine is what is looked at.
type Machine struct {
	Root string // the workbook's folder
	Proc string // where proc(5) is mounted
	Shm  string // the folder for shared memory
	Temp string // the folder for temporary files
	Out  *os.File

	Program func(name string) (path string, err error)
	// Limit is how much of a resource a process may have: the hard limit, which a Go
	// program may reach (getrlimit(2)).
	Limit func(resource int) (uint64, error)
	// Needs are the steps that need a program of the machine: "3.14".
	Needs map[string][]string
}

// Here is this machine.
func Here(root string, out *os.File, needs map[string][]string) Machine {
	return Machine{
		Root: root, Proc: "/proc", Shm: "/dev/shm", Temp: os.TempDir(), Out: out,
		Program: exec.LookPath, Needs: needs,
		Limit: func(resource int) (uint64, error) {
			var l unix.Rlimit
			err := unix.Getrlimit(resource, &l)
			return l.Max, err
		},
	}
}

// Look looks at everything.
func (m Machine) Look(ctx context.Context) []Finding {
	all := []Finding{
		m.golang(ctx), m.modules(ctx),
		m.kernel(), m.namespaces(ctx), m.processes(),
		m.temporary(), m.pages(), m.inotify(),
		m.sharedMemory(), m.queues(), m.systemV(), m.pipes(),
		m.files(), m.tasks(), m.memory(), m.processors(), m.anotherUser(), m.usedUp(),
		m.terminals(), m.pids(), m.signals(),
	}
	all = append(all, m.programs(ctx)...)
	return append(all, m.terminal())
}

// Worst is the state of the machine as a whole.
func Worst(all []Finding) State {
	worst := Good
	for _, f := range all {
		if f.State == Lacking || worst == Good {
			worst = f.State
		}
	}
	return worst
}

// finding is one that is good so far.
func finding(name, purpose, without string) Finding {
	return Finding{Name: name, State: Good, For: purpose, Without: without}
}

// but makes it worse.
func (f *Finding) but(s State, found, mend string) {
	if f.State != Lacking {
		f.State = s
	}
	f.Found, f.Mend = found, mend
}
