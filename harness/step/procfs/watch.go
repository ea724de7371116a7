package procfs

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Watch looks again and again at the threads of some processes that all rest. Their files
// stay open, so a look takes a fraction of the time of [Look]. On a slow machine that one
// takes longer than many a pause of a program, and never meets the program at rest.
type Watch struct {
	threads map[threadID]*watched
	leftOut map[threadID]bool
}

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
//
// Of processes that are held at a system call (seccomp_unotify(2)) a thread is left out that
// naps. It is the monitor thread of Go's runtime: to that a raw system call that is held is a
// goroutine that runs, and so it looks every 10 ms.
func WatchAll(pids, held []int) (*Watch, Awake) {
	w := &Watch{map[threadID]*watched{}, map[threadID]bool{}}
	for id := range threadsOf(pids) {
		t := &watched{dir: id.dir(), files: map[string]int{}}
		w.threads[id] = t
		for _, file := range []string{"syscall", "status"} {
			if fd, ok := open(t.dir+"/"+file, unix.O_RDONLY); ok {
				t.files[file] = fd
			}
		}
		if slices.Contains(held, id.pid) && t.naps() {
			t.close()
			delete(w.threads, id)
			w.leftOut[id] = true
			continue
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

func (t *watched) look() (glimpse, bool) { return restOf(t.read) }

func (t *watched) read(file string, show func(text []byte)) bool {
	if fd, ok := t.files[file]; ok {
		return glimpseIn(fd, show)
	}
	return glimpseOf(t.dir+"/"+file, show)
}

// naps says whether the thread sleeps for a time, and for nothing else.
func (t *watched) naps() (does bool) {
	t.read("syscall", func(text []byte) {
		number, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.Atoi(number)
		does = err == nil && (n == unix.SYS_NANOSLEEP || n == unix.SYS_CLOCK_NANOSLEEP)
	})
	return does
}

func (t *watched) close() {
	for _, fd := range t.files {
		unix.Close(fd)
	}
}

// AreAll reports whether the processes have the threads that are watched, and no others.
func (w *Watch) AreAll(pids []int) bool {
	n := 0
	for id := range threadsOf(pids) {
		if w.threads[id] == nil && !w.leftOut[id] {
			return false
		}
		n++
	}
	return n == len(w.threads)+len(w.leftOut)
}

// Close closes the files.
func (w *Watch) Close() {
	for _, t := range w.threads {
		t.close()
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
