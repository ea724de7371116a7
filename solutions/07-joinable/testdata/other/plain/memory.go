package joinable

import (
	"encoding/binary"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

const seals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// Where the numbers are.
const (
	inHead    = 64
	inTail    = 72
	inEnded   = 80
	inBusy    = 88
	places    = 128
	pid       = 0 // in a place
	undone    = 8
	numbers   = 16
	placeSize = numbers + 8*(MaxUndone+1)
	slots     = places + MaxProcesses*placeSize
)

// part is a piece of the memory, with numbers in it.
type part []byte

type memory struct {
	part
	all            []byte
	bound, maxItem int
}

func sizeOf(bound, maxItem int) (int, error) {
	if bound < 1 || bound > MaxBound || maxItem < 1 || maxItem > MaxItem || bound*maxItem > MaxMemory {
		return 0, fmt.Errorf("a bound of %d (1 to %d), items of %d bytes (1 to %d), %d together: %w", bound, MaxBound, maxItem, MaxItem, MaxMemory, unix.EINVAL)
	}
	return slots + bound*(8+maxItem), nil
}

func header(bound, maxItem, size int) []byte {
	h := make([]byte, HeaderSize)
	copy(h, "ipc-join")
	binary.NativeEndian.PutUint32(h[8:], Version)
	binary.NativeEndian.PutUint32(h[12:], uint32(bound))
	binary.NativeEndian.PutUint64(h[16:], uint64(maxItem))
	binary.NativeEndian.PutUint64(h[24:], uint64(size))
	return h
}

type shape struct{ bound, maxItem, size int }

func read(fd int) (s shape, err error) {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return s, err
	}
	if has, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0); err != nil || has&seals != seals {
		return s, fmt.Errorf("%w: the size is not sealed", ErrFormat)
	}
	h := make([]byte, HeaderSize)
	if n, err := unix.Pread(fd, h, 0); err != nil || n < HeaderSize || string(h[:8]) != "ipc-join" {
		return s, fmt.Errorf("%w: no header", ErrFormat)
	}
	if v := binary.NativeEndian.Uint32(h[8:]); v != Version {
		return s, fmt.Errorf("%w: version %d, not %d", ErrFormat, v, Version)
	}
	bound, maxItem, size := binary.NativeEndian.Uint32(h[12:]), binary.NativeEndian.Uint64(h[16:]), binary.NativeEndian.Uint64(h[24:])
	if bound > MaxBound || maxItem > MaxItem {
		return s, ErrFormat
	}
	need, err := sizeOf(int(bound), int(maxItem))
	if err != nil || size != uint64(need) || stat.Size != int64(need) {
		return s, fmt.Errorf("%w: %d bytes, and the header says %d", ErrFormat, stat.Size, size)
	}
	return shape{int(bound), int(maxItem), need}, nil
}

func (s shape) mapped(fd int) (*memory, error) {
	all, err := unix.Mmap(fd, 0, s.size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return &memory{part: all, all: all, bound: s.bound, maxItem: s.maxItem}, nil
}

func (m *memory) waiting() int { return int(m.get(inHead) - m.get(inTail)) }

func (m *memory) slot(number uint64) []byte {
	at := slots + int((number-1)%uint64(m.bound))*(8+m.maxItem)
	return m.all[at : at+8+m.maxItem]
}

func (m *memory) place(i int) part {
	at := places + i*placeSize
	return part(m.all[at : at+placeSize])
}

func (m *memory) left() (int, error) {
	n := m.waiting()
	for i := range MaxProcesses {
		had := m.place(i).get(undone)
		if had > MaxUndone {
			return 0, ErrCorrupt
		}
		n += int(had)
	}
	return n, nil
}

// lock is a byte of the file. The kernel gives it back at the end of the process.
type lock struct {
	fd int
	mu sync.Mutex
}

func (l *lock) wait() error {
	f := unix.Flock_t{Type: unix.F_WRLCK, Start: MaxProcesses, Len: 1}
	for {
		if err := unix.FcntlFlock(uintptr(l.fd), unix.F_OFD_SETLKW, &f); err != unix.EINTR {
			return err
		}
	}
}

func (l *lock) set(kind int16, i int) error {
	f := unix.Flock_t{Type: kind, Start: int64(i), Len: 1}
	return unix.FcntlFlock(uintptr(l.fd), unix.F_OFD_SETLK, &f)
}

func (l *lock) isTaken(i int) (bool, error) {
	f := unix.Flock_t{Type: unix.F_WRLCK, Start: int64(i), Len: 1}
	err := unix.FcntlFlock(uintptr(l.fd), unix.F_OFD_GETLK, &f)
	return f.Type != unix.F_UNLCK, err
}
