package lab

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Ran is how much a process has run so far.
type Ran struct {
	CPU   time.Duration // processor time
	Wakes int           // how often it went to sleep, and was woken up again
}

// Ran counts what all threads of the process have run (proc_pid_status(5), and
// the kernel's Documentation/scheduler/sched-stats). Take it when nothing moves,
// so that no thread comes or goes between two of them.
func (p *Process) Ran() Ran {
	p.lab.t.Helper()
	select {
	case <-p.ended:
		p.checked = true
		p.lab.fail(finding(p.crash, p.role+" ended before its time", p.err))
	default:
	}
	var r Ran
	threads, err := filepath.Glob("/proc/" + strconv.Itoa(p.PID()) + "/task/*")
	if err != nil || len(threads) == 0 {
		p.lab.Fault("process %d has no threads to look at: %v", p.PID(), err)
	}
	for _, dir := range threads {
		status, err := os.ReadFile(dir + "/status")
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(status)) {
			if n, ok := strings.CutPrefix(line, "voluntary_ctxt_switches:"); ok {
				switches, _ := strconv.Atoi(strings.TrimSpace(n))
				r.Wakes += switches
			}
		}
		schedstat, err := os.ReadFile(dir + "/schedstat")
		if err != nil {
			p.lab.Unsupported("This kernel does not count the processor time of a thread exactly: %v", err)
		}
		first, _, _ := strings.Cut(string(schedstat), " ")
		ns, _ := strconv.ParseInt(first, 10, 64)
		r.CPU += time.Duration(ns)
	}
	return r
}

// Since is what was run since an earlier look.
func (r Ran) Since(before Ran) Ran {
	return Ran{CPU: r.CPU - before.CPU, Wakes: r.Wakes - before.Wakes}
}

// Burn uses that much processor time. It is a clock that a busy machine does not
// make run faster: others have had the chance to run as long, at least.
func (c *Child) Burn(d time.Duration) {
	for begun := cpuClock(); cpuClock()-begun < d; {
	}
}

func cpuClock() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &now); err != nil {
		panic("lab: clock_gettime: " + err.Error())
	}
	return time.Duration(now.Nano())
}
