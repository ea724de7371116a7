package procfs

import (
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Watch looks again and again at the threads of some processes that all rest. Their files
// stay open, so a look takes a fraction of the time of [Look]. On a slow machine that one
// takes longer than many a pause of a program, and never meets the program at rest.
type Watch struct{ threads map[threadID]*watched }

type watched struct {
	dir   string
	files map[string]int // those that could be opened: of open files there is a limit
	first glimpse
}

// Awake is a thread that was found awake, and the processor time that it had used. One that
// is found with the same time once more has not had its turn in between.
type Awake struct {
	id  threadID
	cpu time.Duration
}

// WatchAll opens the files of all threads of the processes and looks for the first time. It
// has to be closed. It ends at the first thread that does not rest, or if there is none:
// then there is nothing to watch, and it is nil.
func WatchAll(pids []int) (*Watch, Awake) {
	w := &Watch{map[threadID]*watched{}}
	for id := range threadsOf(pids) {
		t := &watched{dir: id.dir(), files: map[string]int{}}
		w.threads[id] = t
		for _, file := range []string{"syscall", "status"} {
			if fd, ok := open(t.dir+"/"+file, unix.O_RDONLY); ok {
				t.files[file] = fd
			}
		}
		if now, there := t.look(); there && !resting(now.state) {
			w.Close()
			return nil, Awake{id, cpuTime(t.dir)}
		}
	}
	if len(w.threads) == 0 {
		return nil, Awake{}
	}
	// Only when all are open: from here on the looks follow each other soon.
	for _, t := range w.threads {
		t.first, _ = t.look()
	}
	return w, Awake{}
}

// Rests reports whether each of the threads was asleep at the first look, and has not
// run since.
func (w *Watch) Rests() bool {
	for _, t := range w.threads {
		now, there := t.look()
		if !there || !resting(now.state) || now != t.first {
			return false
		}
	}
	return true
}

func (t *watched) look() (glimpse, bool) {
	return restOf(func(file string, show func(text []byte)) bool {
		if fd, ok := t.files[file]; ok {
			return glimpseIn(fd, show)
		}
		return glimpseOf(t.dir+"/"+file, show)
	})
}

// AreAll reports whether the processes have the threads that are watched, and no others.
func (w *Watch) AreAll(pids []int) bool {
	n := 0
	for id := range threadsOf(pids) {
		if w.threads[id] == nil {
			return false
		}
		n++
	}
	return n == len(w.threads)
}

// Close closes the files.
func (w *Watch) Close() {
	for _, t := range w.threads {
		for _, fd := range t.files {
			unix.Close(fd)
		}
	}
}

func (id threadID) dir() string { return procPath(id.pid, "task", strconv.Itoa(id.tid)) }

// threadsOf are all threads of the processes. A process that is gone has none.
func threadsOf(pids []int) func(yield func(threadID) bool) {
	return func(yield func(threadID) bool) {
		for _, pid := range pids {
			tids, err := numbers(procPath(pid, "task"))
			if err != nil {
				continue
			}
			for _, tid := range tids {
				if !yield(threadID{pid, tid}) {
					return
				}
			}
		}
	}
}
