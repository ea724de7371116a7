package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	MinRing = 64
	MaxRing = 1 << 30
)

func RingSize(capacity int) int { return ringHeader + capacity }

// The places in a ring. What one side writes all the time has a cache line of its own: two
// cores that write to one line take it from each other each time.
const (
	ringHeader = 320
	inCapacity = 4
	inHead     = 64 // where the sender goes on
	inWanted   = 72 // how far the receiver has to be before a sender that sleeps goes on
	inTail     = 128
	inSender   = 192
	inReceiver = 256
)

// ring is what both ends have of it.
type ring struct {
	region             *Region
	data               []byte
	capacity           uint64 // read once: what stands in the mapping may change
	head, tail, wanted *atomic.Uint64
	sender, receiver   owned
	stop               atomic.Bool // Close has come

	mu               sync.Mutex // one call at a time
	shut             bool
	mine             uint64 // this end's own index; the one in the mapping is for the other side
	sawHead, sawTail uint64 // what the other one was when it was looked at last
	turn             turn
}

func NewRing(r *Region, offset, capacity int) (err error) {
	defer r.guard(&err, debug.SetPanicOnFault(true))
	if capacity < MinRing || capacity > MaxRing || capacity&(capacity-1) != 0 {
		return fmt.Errorf("ring: a capacity of %d: it is a power of two from %d to %d: %w", capacity, MinRing, MaxRing, unix.EINVAL)
	}
	if err := r.object("ring", offset, RingSize(capacity)); err != nil {
		return err
	}
	kind, err := r.begin("ring", offset)
	if err != nil {
		return err
	}
	at[atomic.Uint32](r, offset+inCapacity).Store(uint32(capacity))
	for _, place := range []int{inHead, inWanted, inTail, inSender, inReceiver} {
		at[atomic.Uint64](r, offset+place).Store(0)
	}
	kind.Store(kindRing)
	return nil
}

// open finds a ring, and believes nothing that stands there.
func (g *ring) open(r *Region, offset int) error {
	if err := r.object("ring", offset, ringHeader); err != nil {
		return err
	}
	if err := r.is(kindRing, "ring", offset); err != nil {
		return err
	}
	capacity := int(at[atomic.Uint32](r, offset+inCapacity).Load())
	if capacity < MinRing || capacity > MaxRing || capacity&(capacity-1) != 0 || r.object("ring", offset, RingSize(capacity)) != nil {
		return fmt.Errorf("ring at %d: a capacity of %d: %w", offset, capacity, ErrCorrupt)
	}
	begin := offset + ringHeader
	g.region, g.capacity, g.data = r, uint64(capacity), r.bytes[begin:begin+capacity:begin+capacity]
	g.head, g.wanted, g.tail = at[atomic.Uint64](r, offset+inHead), at[atomic.Uint64](r, offset+inWanted), at[atomic.Uint64](r, offset+inTail)
	g.sender, g.receiver = ownedAt(r, offset+inSender), ownedAt(r, offset+inReceiver)
	g.sawHead, g.sawTail = g.head.Load(), g.tail.Load()
	return g.fits(g.sawHead, g.sawTail)
}

// own makes this process the one that has an end, which is closed with the region.
func (g *ring) own(end owned, what string, closer io.Closer) error {
	g.region.mu.Lock() // or Close comes in between, and does not know of this end
	defer g.region.mu.Unlock()
	for {
		before, taken, err := theKeeper().take(end, ^uint32(waiters), 0)
		switch {
		case err != nil:
			return err
		case taken:
			g.region.ends = append(g.region.ends, closer)
			return nil
		case before&^waiters != 0:
			return fmt.Errorf("ring: it has or had its %s: %w", what, unix.EBUSY)
		}
	}
}

func (g *ring) fits(head, tail uint64) error {
	if head-tail > g.capacity || (head|tail)%8 != 0 {
		return fmt.Errorf("ring: its indices are %d and %d, and it has %d bytes: %w", head, tail, g.capacity, ErrCorrupt)
	}
	return nil
}

// frame is how many bytes a message takes: its length, itself, and what is missing to a
// multiple of 8.
func frame(n int) uint64 { return (uint64(n) + lengthSize + 7) &^ 7 }

const lengthSize = 4

// Sender is the end that sends.
type Sender struct{ ring }

func OpenSender(r *Region, offset int) (s *Sender, err error) {
	defer r.guard(&err, debug.SetPanicOnFault(true))
	s = &Sender{}
	if err := s.open(r, offset); err != nil {
		return nil, err
	}
	if err := s.own(s.sender, "sender", s); err != nil {
		return nil, err
	}
	s.mine = s.sawHead
	return s, nil
}

func (s *Sender) Send(p []byte) error { return s.SendUntil(p, time.Time{}) }

func (s *Sender) SendUntil(p []byte, deadline time.Time) (err error) {
	defer s.region.guard(&err, debug.SetPanicOnFault(true))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop.Load() || s.region.closed.Load() {
		return os.ErrClosed
	}
	if uint64(len(p)) > s.capacity-lengthSize {
		return fmt.Errorf("ring: %d bytes, and a message has %d at most: %w", len(p), s.capacity-lengthSize, unix.EMSGSIZE)
	}
	if isGone(s.receiver.word.Load()) {
		return unix.EPIPE
	}
	need := frame(len(p))
	if s.mine+need-s.sawTail > s.capacity {
		if err := s.room(need, deadline); err != nil {
			return err
		}
	}
	at := s.mine & (s.capacity - 1)
	binary.NativeEndian.PutUint32(s.data[at:], uint32(len(p)))
	at = (at + lengthSize) & (s.capacity - 1)
	if n := copy(s.data[at:], p); n < len(p) {
		copy(s.data, p[n:])
	}
	s.mine += need
	s.head.Store(s.mine) // the message is whole before anybody sees it
	if s.sender.word.Load()&waiters != 0 {
		s.sender.awake()
	}
	return nil
}

// isGone says whether an end was closed, or its process has died.
func isGone(word uint32) bool {
	return word&ownerDied != 0 || word&threadMask == closedByItsUser
}

// awake wakes who waits for what the owner of a word does.
func (o owned) awake() { futexClearAndWake(o.word) }

// room waits until so many bytes are free.
func (s *Sender) room(need uint64, deadline time.Time) error {
	return s.wait(s.receiver, deadline, func() { s.wanted.Store(s.mine + need - s.capacity) }, func() (bool, error) {
		tail := s.tail.Load()
		if err := s.fits(s.mine, tail); err != nil {
			return false, err
		}
		s.sawTail = tail
		return s.mine+need-tail <= s.capacity, nil
	}, func(uint32) error { return unix.EPIPE })
}

// wait waits until ready is true. It says that it waits in the word of the other side, and
// looks once more before it sleeps: so the other side either is seen by that look, or sees
// who waits. When that process dies the kernel changes the word, and wakes who waits there.
func (g *ring) wait(other owned, deadline time.Time, say func(), ready func() (bool, error), gone func(uint32) error) error {
	if ok, err := ready(); ok || err != nil {
		return err
	}
	if g.turn.give() {
		if ok, err := ready(); ok || err != nil {
			return err
		}
	}
	if err := g.region.enter(); err != nil {
		return err
	}
	defer g.region.leave()
	for {
		say()
		v := other.word.Load()
		if v&waiters == 0 && !isGone(v) {
			if !other.word.CompareAndSwap(v, v|waiters) {
				continue
			}
			v |= waiters
		}
		if ok, err := ready(); ok || err != nil {
			return err
		}
		if isGone(v) {
			return gone(v)
		}
		if err := g.region.sleep(other.word, v, deadline, &g.stop); err != nil {
			return err
		}
	}
}

func (s *Sender) Close() (err error) { return s.shutEnd(s.sender, s.receiver) }

// shutEnd wakes the call of this end that waits, if there is one, and then tells the
// other side.
func (g *ring) shutEnd(own, other owned) (err error) {
	defer g.region.guard(&err, debug.SetPanicOnFault(true))
	g.stop.Store(true)
	locked := false
	g.region.wakeUntil(func() bool {
		locked = locked || g.mu.TryLock()
		return locked
	}, other.word)
	defer g.mu.Unlock()
	if g.shut {
		return os.ErrClosed
	}
	g.shut = true
	err = theKeeper().give(own, closedByItsUser)
	if errors.Is(err, unix.EPERM) { // the region was closed, and it with that
		return os.ErrClosed
	}
	return err
}

// Receiver is the end that receives.
type Receiver struct{ ring }

func OpenReceiver(r *Region, offset int) (e *Receiver, err error) {
	defer r.guard(&err, debug.SetPanicOnFault(true))
	e = &Receiver{}
	if err := e.open(r, offset); err != nil {
		return nil, err
	}
	if err := e.own(e.receiver, "receiver", e); err != nil {
		return nil, err
	}
	e.mine = e.sawTail
	return e, nil
}

func (e *Receiver) Recv() ([]byte, error) { return e.RecvUntil(nil, time.Time{}) }

func (e *Receiver) RecvInto(buf []byte) ([]byte, error) { return e.RecvUntil(buf, time.Time{}) }

func (e *Receiver) RecvUntil(buf []byte, deadline time.Time) (p []byte, err error) {
	defer e.region.guard(&err, debug.SetPanicOnFault(true))
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stop.Load() || e.region.closed.Load() {
		return nil, os.ErrClosed
	}
	if e.sawHead == e.mine {
		if err := e.message(deadline); err != nil {
			return nil, err
		}
	}
	at := e.mine & (e.capacity - 1)
	n := uint64(binary.NativeEndian.Uint32(e.data[at:]))
	if n > e.capacity-lengthSize || frame(int(n)) > e.sawHead-e.mine {
		return nil, fmt.Errorf("ring: a message of %d bytes, where %d are there: %w", n, e.sawHead-e.mine, ErrCorrupt)
	}
	if p = buf[:0]; n > uint64(cap(buf)) || buf == nil {
		p = make([]byte, 0, n)
	}
	p = p[:n]
	at = (at + lengthSize) & (e.capacity - 1)
	if k := copy(p, e.data[at:]); k < len(p) {
		copy(p[k:], e.data)
	}
	e.mine += frame(int(n))
	e.tail.Store(e.mine) // the message is copied before the sender may write there
	if e.receiver.word.Load()&waiters != 0 && e.mine >= e.wanted.Load() {
		e.receiver.awake()
	}
	return p, nil
}

// message waits until there is one. What the sender left is received before its end is
// told.
func (e *Receiver) message(deadline time.Time) error {
	return e.wait(e.sender, deadline, func() {}, func() (bool, error) {
		head := e.head.Load()
		if err := e.fits(head, e.mine); err != nil {
			return false, err
		}
		e.sawHead = head
		return head != e.mine, nil
	}, func(word uint32) error {
		if word&ownerDied != 0 {
			return io.ErrUnexpectedEOF
		}
		return io.EOF
	})
}

func (e *Receiver) Close() (err error) { return e.shutEnd(e.receiver, e.sender) }
