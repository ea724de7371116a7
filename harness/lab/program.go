package lab

import (
	"fmt"
	"os"
	"strings"

	"ipcworkbook/harness/verdict"
)

// Program is what a process does that the learner's code starts by itself, with
// [os/exec.Command]. The test binary is that program as well. Nothing of the lab is in such a
// process: no line to the test, and no descriptor but those that it was started with.
type Program struct {
	name string
	run  func() int
}

var programs = map[string]*Program{}

// NewProgram registers a program. It is called from a package variable next to the test:
//
//	var worker = lab.NewProgram("worker", func() int {
//		return status(pool.Work())
//	})
//
// What run returns is the process's exit status. The name is what a learner sees in a hang.
func NewProgram(name string, run func() int) *Program {
	if programs[name] != nil {
		panic("lab: program " + name + " is registered twice")
	}
	p := &Program{name: name, run: run}
	programs[name] = p
	return p
}

// Command is the program with its arguments, of which the first one is the path of the file. The
// program finds the others in os.Args[2:].
func (p *Program) Command(arguments ...string) []string {
	return append([]string{"/proc/self/exe", verdict.ArgProgram + p.name}, arguments...)
}

// isProgram says whether this process was started as a program, and not by the lab.
func isProgram() (name string, is bool) {
	if len(os.Args) < 2 {
		return "", false
	}
	return strings.CutPrefix(os.Args[1], verdict.ArgProgram)
}

// execute runs this process's program and returns its exit status.
func execute(name string) int {
	p := programs[name]
	if p == nil {
		fmt.Fprintf(os.Stderr, "lab: no program %q in this test binary\n", name)
		return 4
	}
	return p.run()
}
