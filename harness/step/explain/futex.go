package explain

import (
	"fmt"
	"slices"

	"ipcworkbook/harness/step/procfs"
)

// onFutex reports whether the wait is about a futex of the program's own.
func (w *wait) onFutex() bool { return w.how == inCall && w.t != nil && w.t.Futex != nil }

// explainFutex says what the word is, whose memory it is in, and who could wake
// the waiter.
func (c *Case) explainFutex(w *wait) (lines, advice []string) {
	f, m := w.t.Futex, w.p.Mapping(w.t.Futex.Addr)
	lines = wordLines(f, m)
	holder, lock := c.futexHolder(w)
	lines = append(lines, holder...)
	if m == nil || !m.Shared {
		return lines, unshared(m)
	}
	sharers := c.sharers(w.p, m, m.At(f.Addr))
	lines = append(lines, sharerLines(sharers)...)
	lines = append(lines, c.sameNameMapped(w.p, m)...)
	switch {
	case f.Private:
		advice = []string{"FUTEX_PRIVATE_FLAG says that all who use the word are threads of one process.",
			"For a word that processes share leave it out, in the wait and in the wake-up."}
	case lock != nil:
		advice = lock
	case anonymous(m):
		advice = []string{"An anonymous mapping is shared with children of fork(2) only, and only until they call execve(2).",
			"os/exec does both at once.",
			"Map a file, a memfd or a System V segment, which the others can map too."}
	case !slices.ContainsFunc(sharers, func(s sharer) bool { return s.m.Shared }):
		advice = []string{"Only a process that maps the same object with MAP_SHARED can change the word and wake the waiter."}
	case f.Known && f.Word != f.Value:
		advice = []string{"A change of the word wakes nobody by itself.",
			"After it comes FUTEX_WAKE, on the same word and without FUTEX_PRIVATE_FLAG (futex(2))."}
	default:
		advice = []string{"Another process has to change the word, and then to wake with FUTEX_WAKE (futex(2))."}
	}
	return lines, advice
}

// wordLines say where the word is, what it is, and what it was.
func wordLines(f *procfs.Futex, m *procfs.Mapping) []string {
	line := "It waits on the word " + place(f, m)
	if f.LocksPI() {
		line = "It wants the lock in the word " + place(f, m) + " (FUTEX_LOCK_PI)"
	}
	if f.Private {
		line += ", with FUTEX_PRIVATE_FLAG"
	}
	lines := []string{line + "."}
	switch {
	case !f.Known:
		lines = append(lines, "The word could not be read.")
	case f.LocksPI():
	case f.Word != f.Value:
		lines = append(lines, fmt.Sprintf("The word was %d when the wait began. It is %d now: it was changed, and nobody woke the waiter.", f.Value, f.Word))
	default:
		lines = append(lines, fmt.Sprintf("The word is %d, as it was when the wait began.", f.Word))
	}
	if f.Mask != procfs.AnyWakeUp {
		lines = append(lines, fmt.Sprintf("It can be woken with FUTEX_WAKE, or with FUTEX_WAKE_BITSET and one of the bits %#x.", f.Mask))
	}
	return lines
}

func place(f *procfs.Futex, m *procfs.Mapping) string {
	switch {
	case m == nil:
		return fmt.Sprintf("at address %#x", f.Addr)
	case !m.Shared:
		return fmt.Sprintf("at byte %d of a private copy of %s", m.At(f.Addr), object(m))
	}
	return fmt.Sprintf("at byte %d of %s", m.At(f.Addr), object(m))
}

// unshared is about memory that no other process sees.
func unshared(m *procfs.Mapping) []string {
	if m == nil {
		return []string{"That is memory of this process alone: no other process can change the word or wake the waiter.",
			"A word for several processes has to be in a mapping that they share (mmap(2), MAP_SHARED)."}
	}
	return []string{"With MAP_PRIVATE each process has a copy of its own from its first write on.",
		"Map it with MAP_SHARED: otherwise no change and no wake-up comes from one process to another."}
}
