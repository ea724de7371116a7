package explain

import (
	"cmp"
	"slices"
	"strings"

	"ipcworkbook/harness/step/procfs"
)

// gather joins goroutines that wait at the same line for the same thing, and
// tells each one that is in a lock or a channel what the others of the process
// do. The waits are the learner's, of one process.
func gather(ws []wait) []wait {
	var kept []wait
	for _, w := range ws {
		if i := likeness(kept, &w); i >= 0 {
			kept[i].same = append(kept[i].same, w)
			continue
		}
		kept = append(kept, w)
	}
	// What waits in a lock is the likely cause, then what the test has called.
	slices.SortStableFunc(kept, func(v, w wait) int {
		return cmp.Or(cmp.Compare(v.place(), w.place()), cmp.Compare(v.g.ID, w.g.ID))
	})
	// A lock that the test's call waits for comes first, unless the test made
	// a call too that waits. That one could hold the lock.
	calls, testCalls := false, false
	for i := range kept {
		if w := &kept[i]; w.how != inProcess {
			calls = true
			testCalls = testCalls || !w.started
		}
	}
	for i := range kept {
		if w := &kept[i]; w.how == inProcess {
			w.callsToo = calls
			w.first = onLock(w.g.Wait) && !w.started && !testCalls
		}
	}
	return kept
}

// place sorts the goroutines of a process that wait inside it.
func (w *wait) place() int {
	switch {
	case w.how == inProcess && onLock(w.g.Wait):
		return 0
	case !w.started:
		return 1
	}
	return 2
}

// company puts what waits inside the process into one paragraph: the first one's.
// The others are told there.
func company(ws []wait) []wait {
	var kept []wait
	leader := -1 // in kept
	for _, w := range ws {
		switch {
		case w.how != inProcess || w.owner != learner || w.g.Calls("time.Sleep") || w.onSignal() || w.onChild():
			kept = append(kept, w)
		case leader < 0:
			leader = len(kept)
			kept = append(kept, w)
		default:
			kept[leader].others = append(kept[leader].others, w)
		}
	}
	if leader >= 0 && onLock(kept[leader].g.Wait) {
		for i, w := range kept {
			if i != leader && w.owner == learner {
				kept[leader].others = append(kept[leader].others, w)
			}
		}
	}
	return kept
}

// likeness finds a wait at the same line, for the same thing.
func likeness(ws []wait, w *wait) int {
	if w.how != inProcess {
		return -1
	}
	for i, v := range ws {
		if v.how == inProcess && v.frame == w.frame && v.g.Wait == w.g.Wait && thing(v.g) == thing(w.g) {
			return i
		}
	}
	return -1
}

// thing is the address of what a goroutine waits for, as far as the dump shows
// it: a lock's semaphore, a channel.
func thing(g *procfs.Goroutine) string {
	for _, f := range g.Frames {
		switch f.Func {
		case "runtime.semacquire1", "runtime.chanrecv", "runtime.chansend", "sync.runtime_notifyListWait":
			first, _, _ := strings.Cut(f.Args, ",")
			return first
		}
	}
	return ""
}
