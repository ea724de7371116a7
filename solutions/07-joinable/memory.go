package joinable

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	magic = "ipc-join"
	seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
)

// The places in the memory. Behind the header are the numbers of the queue, then a place for
// each participant, then the slots, which are a ring: item number n is in slot (n-1) modulo
// the bound.
const (
	inHead    = 64  // so many items were put so far
	inTail    = 72  // so many were taken
	inBusy    = 88  // the place, from 1 on, of who is just changing something
	inEnded   = 92  // the maker has closed it
	inPlaces  = 96  // so many places were taken at any time
	inRung    = 100 // for each bell: it rings for certain
	inAlive   = 112 // the maker's thread that owns this word, while it lives
	placesAt  = 4096
	placeSize = 8192 // 64 bytes, and the numbers of MaxUndone items
	slotsAt   = placesAt + MaxProcesses*placeSize
	inLength  = 0 // in a slot
	inItem    = 8
)

func slotSize(maxItem int) int { return inItem + (maxItem+7)&^7 }

// sizeOf is the size of the file.
func sizeOf(bound, maxItem int) (int, error) {
	switch {
	case bound < 1 || bound > MaxBound:
		return 0, fmt.Errorf("a bound of %d: it is from 1 to %d: %w", bound, MaxBound, unix.EINVAL)
	case maxItem < 1 || maxItem > MaxItem:
		return 0, fmt.Errorf("items of up to %d bytes: it is from 1 to %d: %w", maxItem, MaxItem, unix.EINVAL)
	case bound*maxItem > MaxMemory:
		return 0, fmt.Errorf("%d items of %d bytes, and all together may have %d: %w", bound, maxItem, MaxMemory, unix.EINVAL)
	}
	return slotsAt + bound*slotSize(maxItem), nil
}

func header(bound, maxItem, size int) []byte {
	h := make([]byte, inRung+4*bells)
	copy(h, magic)
	binary.NativeEndian.PutUint32(h[8:], Version)
	binary.NativeEndian.PutUint32(h[12:], uint32(bound))
	binary.NativeEndian.PutUint64(h[16:], uint64(maxItem))
	binary.NativeEndian.PutUint64(h[24:], uint64(size))
	for b := range bells {
		if b != items {
			binary.NativeEndian.PutUint32(h[inRung+4*b:], 1)
		}
	}
	return h
}

// shape is what a header says.
type shape struct{ bound, maxItem, size int }

// read checks the file before it is mapped: nothing of it is believed.
func read(fd int) (s shape, err error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return s, os.NewSyscallError("fstat", err)
	}
	has, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || has&seals != seals {
		return s, fmt.Errorf("%w: the first file is no memfd whose size is sealed", ErrFormat)
	}
	h := make([]byte, HeaderSize)
	n, err := unix.Pread(fd, h, 0)
	switch {
	case err != nil:
		return s, os.NewSyscallError("pread", err)
	case n < HeaderSize:
		return s, fmt.Errorf("%w: %d bytes are less than a header", ErrFormat, stat.Size)
	case string(h[:8]) != magic:
		return s, fmt.Errorf("%w: it does not begin with %q", ErrFormat, magic)
	}
	if v := binary.NativeEndian.Uint32(h[8:]); v != Version {
		return s, fmt.Errorf("%w: it is of version %d, and this is version %d", ErrFormat, v, Version)
	}
	bound, maxItem, size := binary.NativeEndian.Uint32(h[12:]), binary.NativeEndian.Uint64(h[16:]), binary.NativeEndian.Uint64(h[24:])
	if bound > MaxBound || maxItem > MaxItem {
		return s, fmt.Errorf("%w: its header says a bound of %d, and items of %d bytes", ErrFormat, bound, maxItem)
	}
	s = shape{bound: int(bound), maxItem: int(maxItem)}
	if s.size, err = sizeOf(s.bound, s.maxItem); err != nil {
		return s, fmt.Errorf("%w: its header says: %v", ErrFormat, err)
	}
	if int64(s.size) != stat.Size || uint64(s.size) != size {
		return s, fmt.Errorf("%w: its header says %d bytes, the file has %d, and it needs %d", ErrFormat, size, stat.Size, s.size)
	}
	return s, nil
}

func (s shape) expected(bound, maxItem int) error {
	if bound != 0 && bound != s.bound {
		return fmt.Errorf("%w: its bound is %d, not %d", ErrFormat, s.bound, bound)
	}
	if maxItem != 0 && maxItem != s.maxItem {
		return fmt.Errorf("%w: its items have up to %d bytes, not %d", ErrFormat, s.maxItem, maxItem)
	}
	return nil
}

// memory is the mapping. All but the slots is changed by whoever has the lock.
type memory struct {
	shape
	all         []byte
	head, tail  *atomic.Uint64
	busy, ended *atomic.Uint32
	places      *atomic.Uint32
	alive       *atomic.Uint32
	rung        [bells]*atomic.Uint32
}

func (s shape) mapped(fd int) (*memory, error) {
	all, err := unix.Mmap(fd, 0, s.size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	m := &memory{shape: s, all: all}
	m.head, m.tail = at[atomic.Uint64](m, inHead), at[atomic.Uint64](m, inTail)
	m.busy, m.ended = at[atomic.Uint32](m, inBusy), at[atomic.Uint32](m, inEnded)
	m.places, m.alive = at[atomic.Uint32](m, inPlaces), at[atomic.Uint32](m, inAlive)
	for b := range m.rung {
		m.rung[b] = at[atomic.Uint32](m, inRung+4*b)
	}
	return m, nil
}

// at is a word in the mapping.
func at[T any](m *memory, offset int) *T { return (*T)(unsafe.Pointer(&m.all[offset])) }

// slot is where the item with that number is, or will be.
func (m *memory) slot(number uint64) []byte {
	size := slotSize(m.maxItem)
	begin := slotsAt + int((number-1)%uint64(m.bound))*size
	return m.all[begin : begin+size : begin+size]
}

// waiting is how many items are in the queue.
func (m *memory) waiting() int { return int(m.head.Load() - m.tail.Load()) }

// check looks whether the numbers can be.
func (m *memory) check() error {
	head, tail := m.head.Load(), m.tail.Load()
	if head-tail > uint64(m.bound) {
		return fmt.Errorf("%d items were put, %d taken, and the bound is %d: %w", head, tail, m.bound, ErrCorrupt)
	}
	return nil
}

// place is what the memory has of a participant: which items it has taken, and not marked as
// done yet. They are a ring, too.
type place struct {
	pid             *atomic.Uint32
	taken, finished *atomic.Uint64 // so many in its life
	numbers         *[MaxUndone]uint64
}

func (m *memory) placeAt(i int) place {
	begin := placesAt + i*placeSize
	return place{
		pid: at[atomic.Uint32](m, begin), taken: at[atomic.Uint64](m, begin+8), finished: at[atomic.Uint64](m, begin+16),
		numbers: at[[MaxUndone]uint64](m, begin+64),
	}
}

// used is how many places there were at one time: only these have pages.
func (m *memory) used() int { return int(min(m.places.Load(), MaxProcesses)) }

// undone is how many items it has taken and not marked as done. Finished comes first: it is never
// above what is taken later.
func (p place) undone() (int, error) {
	finished := p.finished.Load()
	n := p.taken.Load() - finished
	if n > MaxUndone {
		return 0, fmt.Errorf("process %d has %d items to be done: %w", p.pid.Load(), n, ErrCorrupt)
	}
	return int(n), nil
}

// mend is for who has just got the lock.
func (m *memory) mend() error {
	if busy := m.busy.Load(); busy != 0 {
		return m.repair(int(busy - 1))
	}
	return nil
}

// repair is for who finds that somebody was killed while it had the lock. An item is put or
// taken at the one moment in which head or tail is written. What a place has of an item whose
// number is above the tail was never taken.
func (m *memory) repair(i int) error {
	if i >= m.used() {
		return fmt.Errorf("place %d was busy: %w", i, ErrCorrupt)
	}
	p := m.placeAt(i)
	n, err := p.undone()
	if err != nil {
		return err
	}
	if taken := p.taken.Load(); n > 0 && p.numbers[(taken-1)%MaxUndone] > m.tail.Load() {
		p.taken.Store(taken - 1)
	}
	return nil
}

// left is how many items are not done: those that wait, and those that somebody has.
func (m *memory) left() (int, error) {
	all := m.waiting()
	for i := range m.used() {
		n, err := m.placeAt(i).undone()
		if err != nil {
			return 0, err
		}
		all += n
	}
	return all, nil
}
