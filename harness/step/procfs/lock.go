package procfs

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Lock is a lock on a file, or on a part of it. See flock(2) and fcntl(2).
type Lock struct {
	Kind  string // Flock, Record, OFD
	Write bool   // exclusive; else shared
	PID   int    // who took it; -1 for OFDLCK

	Start, End int64 // bytes, both included; End is -1 up to the end of the file
}

// Locking is what a thread waits for in flock(2) or fcntl(2).
type Locking struct {
	Lock
	Known  bool // whether the bytes are known
	Holder int  // pid of who holds it up, as /proc/locks says; 0 if it does not
}

// Kinds of locks, as the kernel writes them.
const (
	Flock  = "FLOCK"
	Record = "POSIX"  // of a process
	OFD    = "OFDLCK" // of an open file description
)

// locking reads what lock a thread asks for, nil for any other thread.
func locking(pid int, t Thread) *Locking {
	switch {
	case t.Syscall == "flock":
		l := &Locking{Lock: Lock{Kind: Flock, Write: t.Args[1]&unix.LOCK_EX != 0, PID: pid, End: -1}, Known: true}
		l.Holder = holderOf(l.Lock)
		return l
	case t.Syscall == "fcntl" && t.Args[1] == unix.F_SETLKW:
		return recordLocking(pid, t, Record)
	case t.Syscall == "fcntl" && t.Args[1] == unix.F_OFD_SETLKW:
		return recordLocking(pid, t, OFD)
	}
	return nil
}

// recordLocking reads the struct flock of fcntl(2) from the thread's memory.
func recordLocking(pid int, t Thread, kind string) *Locking {
	var asked unix.Flock_t
	if readMemory(pid, t.Args[2], unsafe.Slice((*byte)(unsafe.Pointer(&asked)), unsafe.Sizeof(asked))) != nil {
		return nil
	}
	l := &Locking{Lock: Lock{Kind: kind, Write: asked.Type == unix.F_WRLCK, PID: pid}}
	l.Start, l.End, l.Known = asked.Start, asked.Start+asked.Len-1, asked.Whence == unix.SEEK_SET
	if asked.Len == 0 {
		l.End = -1
	}
	if asked.Len < 0 {
		l.Start, l.End = asked.Start+asked.Len, asked.Start-1
	}
	l.Holder = holderOf(l.Lock)
	return l
}

// holderOf asks /proc/locks who holds up the process. A long list is read in pieces, and where
// others take locks meanwhile a line may be missing. So it is asked more than once.
func holderOf(wanted Lock) (pid int) {
	for try := 0; pid == 0 && try < 5; try++ {
		b, _ := os.ReadFile(filepath.Join(root, "locks"))
		pid = holderIn(string(b), wanted)
	}
	return pid
}

// holderIn finds who holds up a lock that is waited for. The ones that wait follow the one that
// is held, with the same number and an arrow. See proc_locks(5).
func holderIn(locks string, wanted Lock) int {
	var held Lock
	var number string
	for line := range strings.Lines(locks) {
		l, waits, ok := parseLock(line)
		if !ok {
			continue
		}
		switch is, _, _ := strings.Cut(line, ":"); {
		case !waits:
			held, number = l, is
		case l == wanted && is == number && held.PID > 0:
			return held.PID
		}
	}
	return 0
}

// parseLock reads "1: FLOCK  ADVISORY  WRITE 359 08:01:11691 0 EOF", the form
// of /proc/locks and of fdinfo. One that waits has an arrow after its number.
func parseLock(line string) (l Lock, waits, ok bool) {
	f := strings.Fields(line)
	if len(f) > 1 && f[1] == "->" {
		waits, f = true, f[1:]
	}
	if len(f) != 8 {
		return l, waits, false
	}
	l.Kind, l.Write = f[1], f[3] == "WRITE"
	var errs [3]error
	l.PID, errs[0] = strconv.Atoi(f[4])
	l.Start, errs[1] = strconv.ParseInt(f[6], 10, 64)
	l.End = -1
	if f[7] != "EOF" {
		l.End, errs[2] = strconv.ParseInt(f[7], 10, 64)
	}
	return l, waits, errs == [3]error{}
}

// HoldsUp reports whether a lock that is there keeps the wanted one out. Both
// kinds of fcntl(2) see each other, those of flock(2) are apart.
func (l Lock) HoldsUp(wanted *Locking) bool {
	if (l.Kind == Flock) != (wanted.Kind == Flock) || !l.Write && !wanted.Write {
		return false
	}
	if l.Kind != Flock && l.Kind != Record && l.Kind != OFD {
		return false // a lease
	}
	before := l.End >= 0 && l.End < wanted.Start
	after := wanted.End >= 0 && wanted.End < l.Start
	return !wanted.Known || !before && !after
}
