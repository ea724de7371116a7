package lab

import (
	"strconv"
	"time"

	"ipcworkbook/harness/step/procfs"
)

// Sleeps asserts that the process sleeps now and then, though it looks again and again
// whether it can go on: who never sleeps burns a core. After a colon in what stands the
// likeliest reason for a failure.
//
// No time is measured. A process that only asks and never pauses is found running at
// each look, on a slow machine and on a busy one. One that pauses is found asleep. One that
// has not run since the last look waits for a core: that says nothing.
func (p *Process) Sleeps(what string) {
	p.lab.t.Helper()
	process := []int{p.PID()}
	last := procfs.Look(process)
	for asleep, running := 0, 0; asleep < looks/20; procfs.Pause(time.Millisecond) {
		select {
		case <-p.ended:
			p.checked = true
			p.lab.fail(finding(p.crash, p.role+" ended before its time", p.err))
		default:
		}
		first, again := procfs.Look(process), procfs.Look(process)
		switch {
		case first.Asleep() && again.Asleep(): // a goroutine may just have changed its thread
			asleep++
		case again.MostCPU(last) > 0:
			running++
			last = again
		}
		if asleep+running == looks {
			p.lab.wrong(what, "it sleeps in between", "it was running in "+strconv.Itoa(running)+" of "+strconv.Itoa(looks)+" looks")
		}
	}
}

// looks is how often Sleeps looks at most. The process has to sleep in a twentieth.
const looks = 100
