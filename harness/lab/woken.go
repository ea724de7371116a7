package lab

import (
	"fmt"
	"time"

	"ipcworkbook/harness/step/procfs"
)

// SleepsUntilWoken says that no thread of the process is in a call that ends by itself after a short time.
// A loop with such a call looks again and again, and if the time is long enough no look at the
// process finds it awake.
//
// No time is measured: the kernel shows with which timeout a call was made. What may not be
// read, and what waits for longer than that, is taken for a sleep. After a garbage collection Go's
// runtime has such timeouts of its own: ask no process that has called [CollectGarbage].
func SleepsUntilWoken(p *Process) Evidence {
	return Evidence{
		claim: p.role + " sleeps until something wakes it",
		reason: "A sleep with a timeout in a loop is a look again and again, only more seldom.\n" +
			"Let one blocking call wait for all that may come: poll(2) takes many descriptors.",
		look: func() (found string, ok bool) {
			for range enough { // Go's runtime may have something to do that is no part of the program
				if found, ok = longSleep(p.PID()); ok {
					return found, true
				}
				settle()
			}
			return found, false
		},
	}
}

// aSleep is a timeout that is none: Go's monitor thread has one of a minute.
const aSleep = 30 * time.Second

func longSleep(pid int) (found string, ok bool) {
	p, err := procfs.Read(pid)
	if err != nil {
		return err.Error(), true // that it has ended is said by others
	}
	for _, t := range p.Threads {
		if d, timed := t.Timeout(pid); timed && d < aSleep {
			return fmt.Sprintf("it sleeps for %v at most, in %s", d, t.Syscall), false
		}
	}
	return "it does", true
}
