package explain

import (
	"fmt"
	"slices"

	"ipcworkbook/harness/step/procfs"
)

// onLock reports whether the wait is for a file lock.
func (w *wait) onLock() bool {
	return w.how == inCall && w.t != nil && w.t.Locking != nil && w.file != nil
}

// explainLock says who holds the lock.
func (c *Case) explainLock(w *wait) (lines, advice []string) {
	wanted := w.t.Locking
	lines = []string{w.fileLine() + " It asks for " + lockWords(wanted.Lock) + " on " + lockedBytes(wanted) + " (" + lockCommand(wanted) + ")."}
	holders, unread := c.lockHolders(w)
	if len(holders) == 0 {
		if by := wanted.Holder; by > 0 {
			return append(lines, "The lock is held by "+c.who(by)+"."), lockAdvice(w, holders)
		}
		return append(append(lines, "Its holder was not found."), unreadLine(unread)...), lockAdvice(w, holders)
	}
	lines = append(lines, heldLine(wanted, holders))
	lines = append(lines, list(holders, w.p.PID)...)
	lines = append(lines, c.taker(wanted, holders)...)
	switch each := c.holdUpEachOther(w, holders); {
	case each && !holders[0].obstacle(wanted).Write:
		return lines, []string{"Each of them holds a read lock and waits for a write lock: neither can get it.",
			"A process that is going to write takes a write lock at once."}
	case each:
		return lines, []string{"Each of them holds what the other one waits for.",
			"Take several locks in the same order everywhere."}
	}
	return lines, lockAdvice(w, holders)
}

// words name the lock as its manual page does.
func lockWords(l procfs.Lock) string {
	switch {
	case l.Kind == procfs.Flock && l.Write:
		return "an exclusive lock"
	case l.Kind == procfs.Flock:
		return "a shared lock"
	case l.Write:
		return "a write lock"
	}
	return "a read lock"
}

func lockCommand(l *procfs.Locking) string {
	switch {
	case l.Kind == procfs.Record:
		return "F_SETLKW"
	case l.Kind == procfs.OFD:
		return "F_OFD_SETLKW"
	case l.Write:
		return "LOCK_EX"
	}
	return "LOCK_SH"
}

func lockedBytes(l *procfs.Locking) string {
	switch {
	case l.Kind == procfs.Flock:
		return "it"
	case !l.Known:
		return "a part of it"
	case l.End < 0 && l.Start == 0:
		return "all of it"
	case l.End < 0:
		return fmt.Sprintf("its bytes from %d on", l.Start)
	case l.Start == l.End:
		return fmt.Sprintf("its byte %d", l.Start)
	}
	return fmt.Sprintf("its bytes %d to %d", l.Start, l.End)
}

// heldLine begins the list of holders.
func heldLine(wanted *procfs.Locking, holders []holder) string {
	switch words := lockWords(holders[0].obstacle(wanted)); {
	case slices.ContainsFunc(holders, func(h holder) bool { return lockWords(h.obstacle(wanted)) != words }):
		return "Locks that keep it out are held by"
	default:
		return "A" + words[1:] + " is held by"
	}
}

// taker tells of a process that took the lock and left it to copies of its
// descriptor. The kernel keeps its number for flock(2) only.
func (c *Case) taker(wanted *procfs.Locking, holders []holder) []string {
	by := holders[0].obstacle(wanted).PID
	if wanted.Kind != procfs.Flock || by <= 0 || slices.ContainsFunc(holders, func(h holder) bool { return h.p.PID == by }) {
		return nil
	}
	line := "It was taken by " + c.who(by)
	if p := c.process(by); p != nil && !p.Zombie && p.FilesErr == nil {
		line += ", which has closed its own descriptor since"
	}
	return []string{line + ".", "What is left is a copy of its descriptor."}
}

func lockAdvice(w *wait, holders []holder) []string {
	held := w.t.Locking.Lock
	if len(holders) > 0 {
		held = holders[0].obstacle(w.t.Locking)
	}
	processes := map[int]bool{}
	for _, h := range holders {
		processes[h.p.PID] = true
	}
	name := map[string]string{procfs.Flock: "A flock(2) lock", procfs.OFD: "An OFD lock"}[held.Kind]
	switch {
	case held.Kind == procfs.Record:
		return []string{"A record lock goes when its process unlocks it, closes any descriptor of the file, or ends (fcntl(2))."}
	case len(processes) == 1 && processes[w.p.PID]:
		return []string{name + " belongs to the open file description, and each open(2) makes one.",
			"So two of them keep each other out in one process too: lock and unlock with the same descriptor."}
	case held.Write && (len(holders) > 1 || len(holders) == 1 && held.Kind == procfs.Flock && !processes[held.PID]):
		return []string{name + " belongs to the open file description, which all copies of the descriptor share.",
			"It goes when one of them unlocks it, or when the last of them is closed."}
	case len(holders) > 1:
		return []string{"Only one holds an exclusive lock: before that, each holder has to unlock its own or to close its descriptor."}
	}
	return []string{name + " goes when its holder unlocks it, or closes the last copy of the descriptor."}
}

// lockHolders are the descriptors whose locks keep the wanted one out.
func (c *Case) lockHolders(w *wait) (holders []holder, unread int) {
	holders, unread = c.holders(*w.file, func(f procfs.File) bool { return holdsUp(f, w.t.Locking) })
	return slices.DeleteFunc(holders, func(h holder) bool { return h.p.PID == w.p.PID && w.own(h.file) }), unread
}

func holdsUp(f procfs.File, wanted *procfs.Locking) bool {
	return slices.ContainsFunc(f.Locks, func(l procfs.Lock) bool { return l.HoldsUp(wanted) })
}

// own reports whether the locks of a descriptor of the process itself are no
// obstacle. A record lock belongs to the process. The others belong to the open
// file description: a descriptor with the same locks is a copy of this one.
func (w *wait) own(f procfs.File) bool {
	wanted := w.t.Locking
	copied := f.FD == w.fd || len(w.file.Locks) > 0 && slices.Equal(f.Locks, w.file.Locks)
	return !slices.ContainsFunc(f.Locks, func(l procfs.Lock) bool {
		return l.HoldsUp(wanted) && (l.Kind != wanted.Kind || l.Kind != procfs.Record && !copied)
	})
}

// obstacle is the first of a holder's locks that keeps the wanted one out.
func (h holder) obstacle(wanted *procfs.Locking) procfs.Lock {
	i := slices.IndexFunc(h.file.Locks, func(l procfs.Lock) bool { return l.HoldsUp(wanted) })
	return h.file.Locks[i]
}

// holdUpEachOther reports whether a holder waits for a lock of the waiter.
func (c *Case) holdUpEachOther(w *wait, holders []holder) bool {
	for _, h := range holders {
		for i := range h.p.Threads {
			back := wait{p: h.p, t: &h.p.Threads[i], how: inCall}
			back.setCall(back.t.Syscall, back.t.FD())
			if h.p.PID == w.p.PID || !h.inStep || !back.onLock() {
				continue
			}
			for _, f := range w.p.Files {
				if f.Same(*back.file) && holdsUp(f, back.t.Locking) {
					return true
				}
			}
		}
	}
	return false
}
