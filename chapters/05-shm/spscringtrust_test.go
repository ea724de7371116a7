package shm_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	shm "ipcworkbook/chapters/05-shm"
	"ipcworkbook/harness/lab"
)

// Step 19: what stands in the mapping is not believed: an error, no panic, and no access
// outside.
func TestMappingIsNotBelieved(t *testing.T) {
	l := lab.New(t)
	const capacity = 128
	var v view
	open := func() (*shm.Region, *shm.Sender, *shm.Receiver) {
		r, name := ring(l, capacity)
		v = viewOf(l, name)
		for i := range ringAt {
			v.at(0)[i], v.at(ringData + capacity)[i] = 'o', 'o'
		}
		s, e := sender(l, r), receiver(l, r)
		require.NoError(l, errors.Join(s.Send([]byte("first")), expect(e, "first"), s.Send([]byte("hello"))), "Send() and Recv()")
		return r, s, e
	}
	outside := func(what string) {
		require.Equal(l, strings.Repeat("o", ringAt), string(v.at(0)[:ringAt]), "the region in front of the ring, where %s", what)
		require.Equal(l, strings.Repeat("o", ringAt), string(v.at(ringData + capacity)[:ringAt]), "the region behind the ring, where %s", what)
	}
	past := func() time.Time { return time.Now().Add(-far) }

	// A length, or a head, that cannot be.
	for _, length := range []uint32{math.MaxUint32, math.MaxUint32 - 3, math.MaxUint32 - 7, 1 << 31, 1<<31 - 1, capacity, capacity - 3, capacity - 4, 13, 1 << 20} {
		_, _, e := open()
		v.word(ringData + 16).Store(length)
		for range 2 {
			p, err := e.Recv()
			require.ErrorIs(l, err, shm.ErrCorrupt, "Recv() where a length of %d was written, in a ring of %d bytes with 16 in it (it returned %d bytes)", length, capacity, len(p))
		}
		outside(fmt.Sprintf("a length of %d was written", length))
	}
	for _, head := range []uint64{math.MaxUint64, math.MaxUint64 - 7, 1 << 63, 32 + capacity + 8, 16 + capacity*2, 8, 0, 33, 1 << 32} {
		_, _, e := open()
		require.NoError(l, expect(e, "hello"), "Recv()") // now the ring is empty
		v.long(ringHead).Store(head)
		if head == 8 || head == 0 {
			v.long(ringHead).Store(32 - 8 - head)
		}
		for range 2 {
			call := l.Call(fmt.Sprintf("RecvUntil() where a head of %d was written, and the tail is 32", v.long(ringHead).Load()), func() error { _, err := e.RecvUntil(nil, past()); return err })
			call.ReturnsSoon(shm.ErrCorrupt)
		}
		outside(fmt.Sprintf("a head of %d was written", head))
	}

	// A tail that cannot be.
	for _, tail := range []uint64{math.MaxUint64, 1 << 63, 40, 1000, 17, 1 << 32} {
		_, s, _ := open()
		require.NoError(l, s.Send(pattern(capacity-48)), "Send() that fills the ring")
		v.long(ringTail).Store(tail)
		for range 2 {
			call := l.Call(fmt.Sprintf("SendUntil() where a tail of %d was written, and the head is %d", tail, v.long(ringHead).Load()), func() error { return s.SendUntil(pattern(100), past()) })
			if tail == 40 || tail == 17 {
				call.FailsSoon()
				continue
			}
			call.ReturnsSoon(shm.ErrCorrupt)
		}
		outside(fmt.Sprintf("a tail of %d was written", tail))
	}
	// Who is open already keeps what he was told: a capacity, an index of his own.
	for _, changed := range []struct {
		what  string
		place int
		value uint64
	}{
		{"the capacity was changed", ringAt + 4, 1 << 20}, {"the capacity was changed", ringAt + 4, 0},
		{"the sender's own head was changed", ringHead, 1 << 40}, {"the receiver's own tail was changed", ringTail, 1<<40 + 3},
	} {
		_, s, e := open()
		if changed.place == ringAt+4 {
			v.word(changed.place).Store(uint32(changed.value))
		} else {
			v.long(changed.place).Store(changed.value)
		}
		for range 100 {
			_ = s.SendUntil(pattern(50), past())
			_, _ = e.RecvUntil(nil, past())
		}
		outside(changed.what)
	}

	// What has to be right when an end is opened.
	for _, bad := range []struct {
		what  string
		place int
		value uint64
	}{
		{"a capacity of 0", ringAt + 4, 0}, {"a capacity of 96", ringAt + 4, 96}, {"a capacity of 32", ringAt + 4, 32}, {"a capacity that has no room", ringAt + 4, 1024}, {"a capacity of 1<<31", ringAt + 4, 1 << 31}, {"a capacity of 1<<30", ringAt + 4, 1 << 30},
		{"a head that is too far", ringHead, capacity + 8}, {"a head behind the tail", ringTail, 8}, {"a head that is no multiple of 8", ringHead, 12}, {"a head of 1<<63", ringHead, 1 << 63},
	} {
		r, name := ring(l, capacity)
		v = viewOf(l, name)
		if bad.place == ringAt+4 {
			v.word(bad.place).Store(uint32(bad.value))
		} else {
			v.long(bad.place).Store(bad.value)
		}
		_, err := shm.OpenSender(r, ringAt)
		require.ErrorIs(l, err, shm.ErrCorrupt, "OpenSender() where the ring has %s", bad.what)
		_, err = shm.OpenReceiver(r, ringAt)
		require.ErrorIs(l, err, shm.ErrCorrupt, "OpenReceiver() where the ring has %s", bad.what)
		require.Zero(l, v.word(ringFrom).Load()+v.word(ringTo).Load(), "the words of the ends, after they were refused")
	}
	r, name := ring(l, capacity)
	v = viewOf(l, name)
	v.long(ringHead).Store(math.MaxUint64 - 7)
	v.long(ringTail).Store(math.MaxUint64 - 7)
	s, e := sender(l, r), receiver(l, r)
	for _, text := range []string{"before", "after"} {
		require.NoError(l, errors.Join(s.Send([]byte(text)), expect(e, text)), "Send() and Recv() where head and tail reach the end of 64 bits, and begin again")
	}

	// Memory that was used before.
	r, name = region(l, ringAt+shm.RingSize(capacity), nil)
	v = viewOf(l, name)
	fill(v.at(ringAt + 4))
	require.NoError(l, shm.NewRing(r, ringAt, capacity), "NewRing() in memory that was used before")
	require.Zero(l, v.word(ringFrom).Load()|v.word(ringTo).Load(), "the words of the ends, after NewRing() in memory that was used before: is all of the ring's head written?")
	require.Equal(l, v.long(ringTail).Load(), v.long(ringHead).Load(), "head and tail, after NewRing() in memory that was used before: is all of the ring's head written?")
	s, e = sender(l, r), receiver(l, r)
	require.NoError(l, errors.Join(s.Send([]byte("used")), expect(e, "used")), "Send() and Recv() in memory that was used before")

	// The nodes of robust lists are pointers, and only the kernel follows them.
	locks, lock, name := locked(l)
	v = viewOf(l, name)
	other, err := shm.OpenLock(locks, 128)
	require.NoError(l, err, "OpenLock()")
	for _, pointer := range []uint64{0, 1, 0xdeadbeef000, math.MaxUint64 - 7} {
		require.NoError(l, errors.Join(lock.Lock(never), other.Lock(never)), "Lock() of two locks")
		v.long(80).Store(pointer)
		v.long(144).Store(pointer)
		require.NoError(l, errors.Join(lock.Unlock(), other.Unlock()), "Unlock() where somebody has written %#x to the nodes: what is linked to what the process has to know by itself", pointer)
	}
	p := l.Start(holds, lab.Tell("name", name), lab.Tell("end", "waits"))
	p.Report(new(bool))
	v.long(80).Store(math.MaxUint64 - 7)
	p.Exit()
	require.ErrorIs(l, lock.Lock(never), shm.ErrOwnerDied, "Lock() after the end of a holder whose node somebody has overwritten")
	require.NoError(l, errors.Join(lock.Consistent(), lock.Unlock()), "Consistent() and Unlock()")

	// A ring whose file was cut.
	cut, cutName := region(l, 64*1024, func(r *shm.Region) error { return shm.NewRing(r, ringAt, 16*1024) })
	s, e = sender(l, cut), receiver(l, cut)
	require.NoError(l, os.Truncate(pathOf(cutName), 0), "cutting the file")
	require.ErrorIs(l, s.Send(pattern(5000)), shm.ErrCut, "Send() after the file was cut")
	require.ErrorIs(l, expect(e, ""), shm.ErrCut, "Recv() after the file was cut")
	require.ErrorIs(l, shm.NewRing(cut, 32*1024, 64), shm.ErrCut, "NewRing() after the file was cut")
	_, err = shm.OpenSender(cut, ringAt)
	require.ErrorIs(l, err, shm.ErrCut, "OpenSender() after the file was cut")
	require.ErrorIs(l, s.Close(), shm.ErrCut, "Close() of the sender after the file was cut")
	call := l.Call("Close() of the receiver after the file was cut", e.Close)
	call.ReturnsSoon(shm.ErrCut)
	require.False(l, debug.SetPanicOnFault(false), "debug.SetPanicOnFault, as calls have left it")

	// A ring whose file is cut while a call sleeps.
	for _, closed := range []string{"the receiver", "the region"} {
		cut, cutName := region(l, 4096, func(r *shm.Region) error { return shm.NewRing(r, ringAt, 64) })
		sender(l, cut)
		e := receiver(l, cut)
		sleeper := l.Call("Recv() that sleeps while the file is cut, when "+closed+" is closed then", func() error { return closedOrCut(expect(e, "")) })
		sleeper.Blocks("nothing was sent")
		require.NoError(l, os.Truncate(pathOf(cutName), 0), "cutting the file")
		closes := l.Call("Close() of "+closed+", where the file was cut while Recv() sleeps"+wakesNobody, func() error {
			if closed == "the region" {
				return cut.Close()
			}
			if err := e.Close(); !errors.Is(err, shm.ErrCut) {
				return fmt.Errorf("expected ErrCut, and got: %v", orNone(err))
			}
			return nil
		})
		closes.ReturnsSoon(nil)
		sleeper.ReturnsSoon(os.ErrClosed)
		_ = cut.Close()
	}

	// What was cut and closed is in no list any more.
	for _, closes := range []string{"the ends", "the region", "nothing"} {
		_, cutName := ring(l, capacity)
		p := l.Start(closesWhatWasCut, lab.Tell("name", name), lab.Tell("cut", cutName), lab.Tell("closes", closes))
		p.Report(new(bool))
		p.Kill()
		if closes == "nothing" {
			continue
		}
		for _, lock := range []*shm.Lock{lock, other} {
			require.ErrorIs(l, lock.Lock(never), shm.ErrOwnerDied, "Lock() of each of two locks whose holder was killed, when a ring in another region had been cut, and %s closed: are they in the robust list still, so that the kernel comes no further?", closes)
			require.NoError(l, errors.Join(lock.Consistent(), lock.Unlock()), "Consistent() and Unlock()")
		}
	}
}

// closesWhatWasCut has locks of one region, and the ends of a ring in another one that is cut.
var closesWhatWasCut = lab.NewRole("holder of locks and of a ring that is cut", func(c *lab.Child) error {
	locks, lock, err := childsLock(c)
	if err != nil {
		return err
	}
	other, err := shm.OpenLock(locks, 128)
	if err != nil {
		return fmt.Errorf("OpenLock(): %w", err)
	}
	if err := other.Lock(never); err != nil {
		return fmt.Errorf("Lock(): %w", err)
	}
	cut, err := shm.Attach(c.Text("cut"), 0)
	if err != nil {
		return fmt.Errorf("Attach(): %w", err)
	}
	s, err := shm.OpenSender(cut, ringAt)
	if err != nil {
		return fmt.Errorf("OpenSender(): %w", err)
	}
	e, err := shm.OpenReceiver(cut, ringAt)
	if err != nil {
		return fmt.Errorf("OpenReceiver(): %w", err)
	}
	if err := lock.Lock(never); err != nil {
		return fmt.Errorf("Lock(): %w", err)
	}
	if err := os.Truncate(pathOf(c.Text("cut")), 0); err != nil {
		return err
	}
	switch c.Text("closes") {
	case "the region":
		if err := cut.Close(); err != nil {
			return fmt.Errorf("Close() of a region that was cut: %w", err)
		}
	case "the ends":
		for _, one := range []struct {
			what string
			err  error
		}{{"sender", s.Close()}, {"receiver", e.Close()}} {
			what, err := one.what, one.err
			if !errors.Is(err, shm.ErrCut) {
				return fmt.Errorf("Close() of the %s of a ring that was cut: expected ErrCut, and got: %v", what, orNone(err))
			}
		}
	}
	for range 2 {
		if err := errors.Join(lock.Unlock(), lock.Lock(never), other.Unlock(), other.Lock(never)); err != nil {
			return fmt.Errorf("Unlock() and Lock() of two locks, when a ring in another region had been cut, and %s closed: %w", c.Text("closes"), err)
		}
	}
	if c.Text("closes") == "nothing" {
		if err := errors.Join(lock.Unlock(), other.Unlock()); err != nil {
			return fmt.Errorf("Unlock(): %w", err)
		}
	}
	c.Report(true)
	c.Wait()
	return nil
})

// Step 20: the fast path makes no system call, and that is counted.
func TestFastPathMakesNoSystemCall(t *testing.T) {
	l := lab.New(t)
	r, name := region(l, 4096, func(r *shm.Region) error {
		_, err := shm.NewSemaphore(r, 0, 0)
		if err == nil {
			_, err = shm.NewLock(r, 64)
		}
		return errors.Join(err, shm.NewRing(r, ringAt, 1024))
	})
	require.NoError(l, r.Close(), "Close()")
	calls := l.Calls()
	p := l.Start(goesFast, lab.Tell("name", name), calls.HandOver())
	calls.Of(p)
	var what string
	for p.Report(&what); what != "the end"; p.Report(&what) {
		calls.Passed()
		p.Go()
		p.Report(&what)
		made := calls.Passed()
		require.LessOrEqual(l, len(made), rounds/10, "system calls of %s, %d times, as %s: while nobody waits nobody has to be woken up, and the kernel need not know", what, rounds, strings.Join(made[:min(3, len(made))], ", "))
	}
	p.Exit()
}

const rounds = 500

var goesFast = lab.NewRole("process that need not wait", func(c *lab.Child) error {
	r, err := shm.Attach(c.Text("name"), 0)
	if err != nil {
		return fmt.Errorf("Attach(): %w", err)
	}
	semaphore, err := shm.OpenSemaphore(r, 0)
	if err != nil {
		return fmt.Errorf("OpenSemaphore(): %w", err)
	}
	lock, err := shm.OpenLock(r, 64)
	if err != nil {
		return fmt.Errorf("OpenLock(): %w", err)
	}
	s, err := shm.OpenSender(r, ringAt)
	if err != nil {
		return fmt.Errorf("OpenSender(): %w", err)
	}
	e, err := shm.OpenReceiver(r, ringAt)
	if err != nil {
		return fmt.Errorf("OpenReceiver(): %w", err)
	}
	message, buf := pattern(100), make([]byte, 0, 1024)
	works := []struct {
		what string
		f    func() error
	}{
		{"Post() and Wait()", func() error { return errors.Join(semaphore.Post(), semaphore.Wait(never)) }},
		{"Post() and TryWait()", func() error { return errors.Join(semaphore.Post(), semaphore.TryWait()) }},
		{"Lock() and Unlock()", func() error { return errors.Join(lock.Lock(never), lock.Unlock()) }},
		{"TryLock() and Unlock()", func() error { return errors.Join(lock.TryLock(), lock.Unlock()) }},
		{"Send() and RecvInto()", func() (err error) {
			if err = s.Send(message); err == nil {
				buf, err = e.RecvInto(buf)
			}
			return err
		}},
		{"SendUntil() and RecvUntil(), with a deadline", func() (err error) {
			if err = s.SendUntil(message, distant); err == nil {
				buf, err = e.RecvUntil(buf, distant)
			}
			return err
		}},
	}
	runtime.LockOSThread()
	for _, work := range works { // what is made the first time
		if err := work.f(); err != nil {
			return fmt.Errorf("%s: %w", work.what, err)
		}
	}
	if err := c.ShowAllCalls(); err != nil {
		return err
	}
	for _, work := range works {
		c.Report(work.what)
		c.Wait()
		for range rounds {
			if err := work.f(); err != nil {
				return fmt.Errorf("%s: %w", work.what, err)
			}
		}
		c.Report(work.what)
	}
	c.Report("the end")
	c.Wait()
	return nil
})
