package procfs

import "encoding/binary"

// Futex is what a thread in futex(2) waits for, if the word could be shared with
// other processes.
type Futex struct {
	Addr    uint64
	Command uint64 // without the flags
	Private bool   // FUTEX_PRIVATE_FLAG: threads of other processes cannot wake it

	Word  uint32 // what is there now
	Known bool   // whether it could be read
	Value uint32 // it waits because the word was this
	Mask  uint32 // which wake-ups it accepts (FUTEX_WAIT_BITSET), or AnyWakeUp
}

// AnyWakeUp is the mask of a wait that every wake-up ends: FUTEX_BITSET_MATCH_ANY.
const AnyWakeUp = 0xffffffff

// Commands, flags and bits of futex(2).
const (
	futexWait       = 0
	futexLockPI     = 6
	futexWaitBitset = 9
	futexLockPI2    = 13

	futexPrivate  = 128 // FUTEX_PRIVATE_FLAG
	futexRealtime = 256 // FUTEX_CLOCK_REALTIME

	futexOwnerDied = 1 << 30   // FUTEX_OWNER_DIED, in the word
	futexThread    = 1<<30 - 1 // FUTEX_TID_MASK
)

// readFutexes looks at each thread that waits on a word of the program's own.
//
// The threads of every Go program rest in futexes of the runtime. Those are
// private, and in memory that nobody shares.
func (p *Process) readFutexes() {
	for i := range p.Threads {
		t := &p.Threads[i]
		if t.Syscall != "futex" {
			continue
		}
		f := &Futex{
			Addr:    t.Args[0],
			Command: t.Args[1] &^ (futexPrivate | futexRealtime),
			Private: t.Args[1]&futexPrivate != 0,
			Value:   uint32(t.Args[2]),
			Mask:    AnyWakeUp,
		}
		if m := p.Mapping(f.Addr); f.Private && (m == nil || !m.Shared) {
			continue
		}
		if f.Command == futexWaitBitset {
			f.Mask = uint32(t.Args[5])
		}
		var b [4]byte
		if readMemory(p.PID, f.Addr, b[:]) == nil {
			f.Word, f.Known = binary.NativeEndian.Uint32(b[:]), true
		}
		t.Futex = f
	}
}

// LocksPI reports whether the kernel itself knows the word as a lock.
func (f *Futex) LocksPI() bool { return f.Command == futexLockPI || f.Command == futexLockPI2 }

// Thread is the number in the word without its upper two bits, which are flags: the
// thread that holds the lock, if the kernel knows it as one.
func (f *Futex) Thread() int { return int(f.Word & futexThread) }

// OwnerDied reports whether a thread ended that held the lock.
func (f *Futex) OwnerDied() bool { return f.Word&futexOwnerDied != 0 }
