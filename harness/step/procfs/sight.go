package procfs

import (
	"maps"
	"strconv"
	"strings"
	"time"
)

// Sight is one look at the threads of some processes. Two of them tell whether
// anything happened in between.
type Sight struct {
	threads map[threadID]glimpse
}

type threadID struct{ pid, tid int }

type glimpse struct {
	state    byte
	switches switches
	cpu      time.Duration
}

// switches counts how often a thread gave the processor away, and how often it
// was taken away. A thread that did anything at all between two sights, and
// sleeps again, has one more of the first.
type switches struct{ voluntary, involuntary string }

// Look looks at every thread of the processes. A process that is gone has none.
func Look(pids []int) Sight {
	s := Sight{map[threadID]glimpse{}}
	for id := range threadsOf(pids) {
		if g, ok := glance(id.dir()); ok {
			s.threads[id] = g
		}
	}
	return s
}

func glance(dir string) (g glimpse, ok bool) {
	g, ok = restOf(func(file string, show func(text []byte)) bool { return glimpseOf(dir+"/"+file, show) })
	if ok {
		g.cpu = cpuTime(dir)
	}
	return g, ok
}

// restOf is what tells whether a thread rests: all but its processor time.
func restOf(read func(file string, show func(text []byte)) bool) (g glimpse, ok bool) {
	// A thread that wants to sleep, and loses its core just before it does, is "S"
	// already, and may wait for a core for long. The kernel waits until it sleeps
	// before it says in which call (wait_task_inactive). Who may not ask goes without.
	read("syscall", nil)
	there := read("status", func(text []byte) {
		if state := field(text, "State"); state != "" {
			g.state = state[0]
		}
		g.switches = switches{field(text, "voluntary_ctxt_switches"), field(text, "nonvoluntary_ctxt_switches")}
	})
	// Who is held at a system call (seccomp_unotify(2)) waits for somebody's answer, and
	// not for a disk. A signal has met it: it waits on as one whom only a deadly one wakes.
	if g.state == 'D' {
		read("wchan", func(text []byte) {
			if strings.HasPrefix(string(text), "seccomp_") {
				g.state = 'S'
			}
		})
	}
	return g, there && g.state != 0
}

// cpuTime prefers schedstat, which counts nanoseconds. The ticks in stat are
// too coarse to see 10 ms of work. schedstat needs CONFIG_SCHED_INFO.
func cpuTime(dir string) time.Duration {
	var used time.Duration
	known := false
	glimpseOf(dir+"/schedstat", func(text []byte) {
		first, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(first, 10, 64)
		used, known = time.Duration(ns), err == nil
	})
	if known {
		return used
	}
	s, _ := readStat(dir + "/stat")
	return s.cpu
}

// Asleep reports whether no thread can run before something from outside wakes
// it: each sleeps, is stopped, or is a zombie. A thread that waits for a disk
// (D) is not asleep, since that ends by itself.
//
// A sight of nothing is not asleep: where all is gone nothing hangs.
func (s Sight) Asleep() bool {
	for _, g := range s.threads {
		if !resting(g.state) {
			return false
		}
	}
	return len(s.threads) > 0
}

func resting(state byte) bool {
	switch state {
	case 'S', 'T', 't', 'Z', 'X':
		return true
	}
	return false
}

// Alive reports whether there is a thread that has not ended.
func (s Sight) Alive() bool {
	for _, g := range s.threads {
		if g.state != 'Z' && g.state != 'X' {
			return true
		}
	}
	return false
}

// SameAs reports whether both sights have the same threads with the same
// counts of context switches. If both are asleep too, nothing ran in between.
func (s Sight) SameAs(t Sight) bool {
	return maps.EqualFunc(s.threads, t.threads, func(a, b glimpse) bool {
		return a.switches == b.switches
	})
}

// CPU returns the processor time that all threads used since they started.
// The time of threads that ended is not in it, so it can go down.
func (s Sight) CPU() time.Duration {
	var sum time.Duration
	for _, g := range s.threads {
		sum += g.cpu
	}
	return sum
}

// MostCPU returns the processor time that one process has used since an earlier sight, the
// one that used most.
func (s Sight) MostCPU(since Sight) time.Duration {
	used := map[int]time.Duration{}
	for id, g := range s.threads {
		used[id.pid] += g.cpu
	}
	for id, g := range since.threads {
		if _, there := used[id.pid]; there {
			used[id.pid] -= g.cpu
		}
	}
	var most time.Duration
	for _, u := range used {
		most = max(most, u)
	}
	return most
}
