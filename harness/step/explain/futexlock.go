package explain

import (
	"fmt"
	"strconv"

	"ipcworkbook/harness/step/procfs"
)

// A word may name who holds a lock, or who is at the other end of something.
const (
	holderFrees    = "If the word names who holds a lock: the holder has to free it, and then to wake with FUTEX_WAKE (futex(2))."
	otherSideWakes = "If it names who is at the other end: that one has to wake when there is something new."
)

// futexHolder says whom the word names as the holder of a lock. It is empty if
// the word names nobody.
func (c *Case) futexHolder(w *wait) (lines, advice []string) {
	f := w.t.Futex
	switch {
	case !f.Known:
		return nil, nil
	case f.LocksPI():
		return c.holderPI(w)
	}
	// A lock of the learner's own may hold the number of a process or of a
	// thread, with flags above it. Small numbers are states and counters.
	const smallest = 10
	n := f.Thread()
	if n < smallest {
		return nil, nil
	}
	number := strconv.Itoa(n)
	if f.Word != uint32(n) {
		number = fmt.Sprintf("Without its upper two bits that is %d, and %d", n, n)
	}
	for i := range c.Processes {
		p := &c.Processes[i]
		switch {
		case p.PID == n && p.PID == w.p.PID:
			return []string{number + " is the pid of " + p.Role + " itself."}, []string{
				"If the word names who holds the lock, the process waits for itself: such a lock cannot be taken twice."}
		case p.PID == n:
			return []string{number + " is the pid of " + p.Role + "."}, []string{
				holderFrees, otherSideWakes}
		case hasThread(p, n):
			return []string{number + " is a thread of " + name(p) + "."}, []string{
				holderFrees, otherSideWakes,
				"A goroutine moves from thread to thread: runtime.LockOSThread keeps it on one."}
		}
	}
	for _, e := range c.Ended {
		if e.PID == n {
			return []string{number + " is the pid of " + e.Role + ", which has ended."}, []string{
				"If the word names who holds the lock: nobody frees it for a process that has ended.",
				"The kernel gives back flock(2), fcntl(2) locks, and semaphores taken with SEM_UNDO."}
		}
	}
	return nil, nil
}

// holderPI is about a lock that the kernel knows: its word is the number of the
// thread that holds it.
func (c *Case) holderPI(w *wait) (lines, advice []string) {
	f := w.t.Futex
	thread := f.Thread()
	holder := c.threadOwner(thread)
	line := fmt.Sprintf("Its holder is thread %d of %s", thread, c.who(holder))
	if holder == w.p.PID {
		line += " itself"
	}
	lines = []string{line + "."}
	if f.OwnerDied() {
		lines = append(lines, "A holder before that one ended without unlocking it (FUTEX_OWNER_DIED).")
	}
	return lines, []string{"The thread that locked it has to unlock it with FUTEX_UNLOCK_PI (futex(2)).",
		"A goroutine moves from thread to thread: runtime.LockOSThread keeps it on one."}
}

// threadOwner returns the process that a thread belongs to, the number itself if
// the thread is gone.
func (c *Case) threadOwner(tid int) int {
	for i := range c.Processes {
		if hasThread(&c.Processes[i], tid) {
			return c.Processes[i].PID
		}
	}
	return procfs.ProcessOf(tid)
}

func hasThread(p *procfs.Process, tid int) bool {
	for _, t := range p.Threads {
		if t.TID == tid {
			return true
		}
	}
	return false
}
