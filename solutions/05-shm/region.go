package shm

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Region is a mapping of a file in /dev/shm.
type Region struct {
	name   string
	all    []byte // with the header
	bytes  []byte // without it
	closed atomic.Bool

	mu     sync.Mutex
	waits  int                    // so many calls wait, or are about to
	asleep map[*atomic.Uint32]int // the words on which they sleep
	ends   []io.Closer            // what has to be closed before the mapping goes
}

func mapped(name string, fd, size int) (*Region, error) {
	all, err := unix.Mmap(fd, 0, HeaderSize+size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return &Region{name: name, all: all, bytes: all[HeaderSize : HeaderSize+size : HeaderSize+size], asleep: map[*atomic.Uint32]int{}}, nil
}

func (r *Region) Bytes() []byte { return r.bytes }

func (r *Region) Uint64(offset int) (*atomic.Uint64, error) {
	if r.closed.Load() {
		return nil, os.ErrClosed
	}
	if offset < 0 || offset%8 != 0 || offset > len(r.bytes)-8 {
		return nil, fmt.Errorf("offset %d of %d bytes: %w", offset, len(r.bytes), unix.EINVAL)
	}
	return at[atomic.Uint64](r, offset), nil
}

// at is a word in the mapping. Go's atomics are what C calls sequentially consistent: a
// store there is seen before any later load.
func at[T any](r *Region, offset int) *T { return (*T)(unsafe.Pointer(&r.bytes[offset])) }

func (r *Region) ReadAt(p []byte, offset int64) (n int, err error) {
	defer r.guard(&err, debug.SetPanicOnFault(true))
	switch {
	case r.closed.Load():
		return 0, os.ErrClosed
	case offset < 0:
		return 0, fmt.Errorf("offset %d: %w", offset, unix.EINVAL)
	case offset >= int64(len(r.bytes)):
		return 0, io.EOF
	}
	if n = copy(p, r.bytes[offset:]); n < len(p) {
		err = io.EOF
	}
	return n, err
}

func (r *Region) WriteAt(p []byte, offset int64) (n int, err error) {
	defer r.guard(&err, debug.SetPanicOnFault(true))
	if r.closed.Load() {
		return 0, os.ErrClosed
	}
	if offset < 0 || offset > int64(len(r.bytes)) || len(p) > len(r.bytes)-int(offset) {
		return 0, fmt.Errorf("%d bytes at %d, and the region has %d: %w", len(p), offset, len(r.bytes), unix.EINVAL)
	}
	return copy(r.bytes[offset:], p), nil
}

// guard makes an error of a fault: SIGBUS where the file was cut, SIGSEGV where Close has
// taken the mapping away. It is deferred by every call that touches the mapping.
func (r *Region) guard(err *error, before bool) {
	debug.SetPanicOnFault(before)
	p := recover()
	if p == nil {
		return
	}
	fault, ok := p.(interface{ Addr() uintptr })
	if !ok {
		panic(p)
	}
	first := uintptr(unsafe.Pointer(&r.all[0]))
	if a := fault.Addr(); a < first || a-first >= uintptr(len(r.all)) {
		panic(p)
	}
	*err = r.gone()
}

// gone says why the mapping is not there.
func (r *Region) gone() error {
	if r.closed.Load() {
		return os.ErrClosed
	}
	return fmt.Errorf("%s: %w", r.name, ErrCut)
}

// Close puts memory that nobody may touch in the place of the mapping: a call under way in
// another goroutine ends with an error there. Had the addresses been given back, they could
// be somebody else's by then.
func (r *Region) Close() error {
	r.mu.Lock()
	if r.closed.Swap(true) {
		r.mu.Unlock()
		return os.ErrClosed
	}
	ends := r.ends
	r.ends = nil
	r.mu.Unlock()
	r.wakeUntil(func() bool { return r.waits == 0 }, nil)
	for _, end := range ends {
		_ = end.Close()
	}
	dropAll(r)
	_, _, errno := unix.Syscall6(unix.SYS_MMAP, uintptr(unsafe.Pointer(&r.all[0])), uintptr(len(r.all)), unix.PROT_NONE,
		unix.MAP_FIXED|unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE, ^uintptr(0), 0)
	if errno != 0 {
		return os.NewSyscallError("mmap", errno)
	}
	// The addresses are free when nothing refers to the Region any more.
	runtime.AddCleanup(r, func(all []byte) { _ = unix.Munmap(all) }, r.all)
	return nil
}

// enter begins a call that may wait. Close lets it end before it takes the mapping away.
func (r *Region) enter() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed.Load() {
		return os.ErrClosed
	}
	r.waits++
	return nil
}

func (r *Region) leave() {
	r.mu.Lock()
	r.waits--
	r.mu.Unlock()
}

// sleep waits until somebody wakes who waits on the word, if it still has that value. No
// error means: look again.
func (r *Region) sleep(word *atomic.Uint32, value uint32, deadline time.Time, stop *atomic.Bool) error {
	r.mu.Lock()
	if r.closed.Load() || stop != nil && stop.Load() {
		r.mu.Unlock()
		return os.ErrClosed
	}
	r.asleep[word]++
	r.mu.Unlock()
	errno := futexWait(word, value, deadline)
	r.mu.Lock()
	if r.asleep[word]--; r.asleep[word] == 0 {
		delete(r.asleep, word)
	}
	r.mu.Unlock()
	switch errno {
	case 0, unix.EAGAIN, unix.EINTR:
		return nil
	case unix.ETIMEDOUT:
		return os.ErrDeadlineExceeded
	case unix.EFAULT:
		return r.gone()
	}
	return os.NewSyscallError("futex", errno)
}

// wakeUntil wakes the calls of this process that wait, on one word or on all, until it is
// enough. One that is just about to sleep would miss a single wake-up. Others that wait on the
// word look, and sleep again.
func (r *Region) wakeUntil(enough func() bool, one *atomic.Uint32) {
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		r.mu.Lock()
		done := enough()
		for word := range r.asleep {
			if one != nil && one != word {
				continue
			}
			if futexWake(word, everybody) == unix.EFAULT {
				interrupt()
			}
		}
		r.mu.Unlock()
		if done {
			return
		}
		time.Sleep(pause)
	}
}

// interrupt ends the sleep of calls on a page that was cut. FUTEX_WAKE is EFAULT there and wakes
// nobody; who is interrupted makes the call again, and gets that error, too. Go's own scheduler
// interrupts threads with this signal.
func interrupt() {
	threads, _ := os.ReadDir("/proc/self/task")
	for _, t := range threads {
		if number, err := strconv.Atoi(t.Name()); err == nil {
			_ = unix.Tgkill(os.Getpid(), number, unix.SIGURG)
		}
	}
}

// object checks the place of an object of so many bytes.
func (r *Region) object(what string, offset, size int) error {
	switch {
	case r.closed.Load():
		return os.ErrClosed
	case offset < 0 || offset%lineSize != 0 || offset > len(r.bytes) || size > len(r.bytes)-offset:
		return fmt.Errorf("%s of %d bytes at %d, in a region of %d: %w", what, size, offset, len(r.bytes), unix.EINVAL)
	}
	return nil
}

const lineSize = 64

// kind is the first word of every object. An object that is being made has none of these.
const (
	kindSemaphore = 0x314d4553 // "SEM1" in the memory of a little-endian machine
	kindLock      = 0x314b434c // "LCK1"
	kindRing      = 0x31474e52 // "RNG1"
	beingMade     = 1
)

// begin takes the place of a new object, and nobody else has it.
func (r *Region) begin(what string, offset int) (*atomic.Uint32, error) {
	kind := at[atomic.Uint32](r, offset)
	if !kind.CompareAndSwap(0, beingMade) {
		return nil, fmt.Errorf("%s at %d: %w", what, offset, unix.EEXIST)
	}
	return kind, nil
}

// is checks that a whole object is there.
func (r *Region) is(want uint32, what string, offset int) error {
	switch got := at[atomic.Uint32](r, offset).Load(); got {
	case want:
		return nil
	case 0, beingMade:
		return fmt.Errorf("%w: no %s at %d, or not yet", ErrFormat, what, offset)
	default:
		return fmt.Errorf("%w: no %s at %d, but %#x", ErrFormat, what, offset, got)
	}
}
