package lab

import (
	"strings"
	"time"

	"ipcworkbook/harness/verdict"
)

// Until waits until the kernel shows all of the evidence. It fails the test when everything
// in the step sleeps and some of it is not there: it will not come by itself. What names the
// event; after a colon stands the likeliest reason for a failure.
func (l *Lab) Until(what string, evidence ...Evidence) {
	l.t.Helper()
	for _, e := range evidence {
		found, ok := l.until(e.look)
		if ok {
			continue
		}
		call, reason, _ := strings.Cut(what, ": ")
		if reason == "" {
			reason = e.reason
		}
		l.fail(failure{Verdict: verdict.Wrong, Call: call,
			Detail: []string{"expected: " + e.claim, "got:      " + found}, Reason: reason})
	}
}

// until looks until it is so. It gives up when everything sleeps, or always moves.
func (l *Lab) until(is func() (found string, ok bool)) (found string, ok bool) {
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(time.Millisecond) {
		if found, ok = is(); ok {
			return found, ok
		}
	}
	for range enough {
		asleep := settle()
		if found, ok = is(); ok || asleep {
			return found, ok
		}
	}
	return found, ok
}
