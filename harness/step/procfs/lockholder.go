package procfs

import "slices"

// lockHolders are the descriptors whose locks keep the wanted one out.
func (c *Case) lockHolders(w *wait) (holders []holder, unread int) {
	holders, unread = c.holders(*w.file, func(f File) bool { return f.holdsUp(w.t.Locking) })
	return slices.DeleteFunc(holders, func(h holder) bool { return h.p.PID == w.p.PID && w.own(h.file) }), unread
}

func (f File) holdsUp(wanted *Locking) bool {
	return slices.ContainsFunc(f.Locks, func(l Lock) bool { return l.holdsUp(wanted) })
}

// own reports whether the locks of a descriptor of the process itself are no
// obstacle. A record lock belongs to the process. The others belong to the open
// file description: a descriptor with the same locks is a copy of this one.
func (w *wait) own(f File) bool {
	wanted := w.t.Locking
	copied := f.FD == w.fd || len(w.file.Locks) > 0 && slices.Equal(f.Locks, w.file.Locks)
	return !slices.ContainsFunc(f.Locks, func(l Lock) bool {
		return l.holdsUp(wanted) && (l.Kind != wanted.Kind || l.Kind != posix && !copied)
	})
}

// obstacle is the first of a holder's locks that keeps the wanted one out.
func (h holder) obstacle(wanted *Locking) Lock {
	i := slices.IndexFunc(h.file.Locks, func(l Lock) bool { return l.holdsUp(wanted) })
	return h.file.Locks[i]
}

// holdUpEachOther reports whether a holder waits for a lock of the waiter.
func (c *Case) holdUpEachOther(w *wait, holders []holder) bool {
	for _, h := range holders {
		for i := range h.p.Threads {
			back := wait{p: h.p, t: &h.p.Threads[i], how: inCall}
			back.setCall(back.t.Syscall, back.t.fd())
			if h.p.PID == w.p.PID || !h.inStep || !back.onLock() {
				continue
			}
			for _, f := range w.p.Files {
				if f.same(*back.file) && f.holdsUp(back.t.Locking) {
					return true
				}
			}
		}
	}
	return false
}
