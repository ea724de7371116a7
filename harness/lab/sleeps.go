package lab

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Sleeps asserts that the process sleeps now and then, though it looks again and again
// whether it can go on: who never sleeps burns a core. After a colon in what stands the
// likeliest reason for a failure.
//
// No time is measured. A process that only asks and never pauses is found running at
// each look, on a slow machine and on a busy one. One that pauses is found asleep.
func (p *Process) Sleeps(what string) {
	p.lab.t.Helper()
	asleep := 0
	for range looks {
		first := p.isAsleep()
		if again := p.isAsleep(); first && again { // a goroutine may just have changed its thread
			asleep++
		}
		if asleep == looks/20 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	select {
	case <-p.ended:
		p.checked = true
		p.lab.fail(finding(p.crash, p.role+" ended before its time", p.err))
	default:
	}
	p.lab.wrong(what, "it sleeps in between", "it was running in "+strconv.Itoa(looks-asleep)+" of "+strconv.Itoa(looks)+" looks")
}

// looks is how often Sleeps looks at most. The process has to sleep in a twentieth.
const looks = 100

// isAsleep reports whether no thread of the process runs or would like to.
func (p *Process) isAsleep() bool {
	threads, err := filepath.Glob("/proc/" + strconv.Itoa(p.PID()) + "/task/*/stat")
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, path := range threads {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		// The name before the state may have brackets and blanks in it.
		rest := stat[bytes.LastIndexByte(stat, ')')+1:]
		if state := bytes.TrimLeft(rest, " "); len(state) == 0 || state[0] != 'S' {
			return false
		}
	}
	return true
}
