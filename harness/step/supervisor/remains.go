package supervisor

import (
	"errors"
	"fmt"
	"strings"

	"ipcworkbook/harness/step/procfs"
	"ipcworkbook/harness/step/residue"
)

// places says where the step can leave something that outlives its processes.
func (s *step) places() residue.Places {
	return residue.Places{Alone: s.spec.Alone, Dir: s.dir, Queues: s.queues, Folders: []string{s.ownTemp()}}
}

// remains removes what the step left in the kernel and in its folder, and returns
// it. The lab does the same after each test; this finds what came later, and all
// of it where the test did not come to its end. It is called when no process of
// the step is left.
func (s *step) remains() ([]residue.Object, error) {
	where := s.places()
	own := where.Own(residue.Look(where).Since(s.before), s.who)
	return own, errors.Join(residue.Remove(own), residue.CleanUp(s.dir))
}

// leftText tells a step that was right what it left behind.
func leftText(processes []procfs.Process, objects []residue.Object) string {
	var b strings.Builder
	b.WriteString("The step was right, but left something behind:")
	for _, p := range processes {
		fmt.Fprintf(&b, "\n  %s (pid %d), a process", p.Role, p.PID)
	}
	for _, o := range objects {
		fmt.Fprintf(&b, "\n  %s", o)
	}
	reasons := residue.Reasons(objects)
	if len(processes) > 0 {
		reasons = append([]string{"If you start a process, wait for its end (wait4(2), exec.Cmd.Wait)."}, reasons...)
	}
	fmt.Fprintf(&b, "\n\n%s", strings.Join(reasons, "\n"))
	return b.String()
}
