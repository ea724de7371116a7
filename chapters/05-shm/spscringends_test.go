package shm_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	shm "ipcworkbook/chapters/05-shm"
	"ipcworkbook/harness/lab"
)

// Step 17: a full ring makes the sender wait, an empty one the receiver: asleep, up to a
// deadline, and no wake-up is lost.
func TestRingWaitsAtBothEnds(t *testing.T) {
	l := lab.New(t)
	r, name := ring(l, 64)
	e := receiver(l, r)
	recv := l.Call("Recv() on a ring that has no sender yet", func() error { return expect(e, "hello") })
	recv.Blocks("nobody has sent: does it look again and again? Who has not come yet is not gone")
	recv.Interrupt(2)
	recv.Blocks("signals have come, and nobody has sent")
	s := sender(l, attached(l, name))
	recv.Blocks("a sender is there, and has sent nothing")
	require.NoError(l, s.Send([]byte("hello")), "Send() while the receiver sleeps")
	recv.Returns(nil)
	endsAtItsDeadline(l, "RecvUntil() on an empty ring", func(d time.Time) error { _, err := e.RecvUntil(nil, d); return err })
	require.NoError(l, s.SendUntil([]byte("there"), time.Now().Add(-far)), "SendUntil() where there is room, with a deadline that has passed")
	got, err := e.RecvUntil(nil, time.Now().Add(-far))
	require.NoError(l, err, "RecvUntil() of a message that is there, with a deadline that has passed")
	require.Equal(l, "there", string(got), "RecvUntil()")
	later := l.Call("RecvUntil() with a deadline in the year 2300", func() error { _, err := e.RecvUntil(nil, distant); return err })
	later.Blocks("the deadline is in the year 2300")
	require.NoError(l, s.Send([]byte("hello")), "Send()")
	later.Returns(nil)

	// The sender waits for as much room as its message needs.
	fill := func() {
		for i := range 4 {
			require.NoError(l, s.SendUntil(pattern(12), time.Now().Add(-far)), "SendUntil() of message %d of 12 bytes, to a ring of 64 bytes, each with a frame of 16", i+1)
		}
	}
	fill()
	endsAtItsDeadline(l, "SendUntil() to a full ring", func(d time.Time) error { return s.SendUntil([]byte("x"), d) })
	send := l.Call("Send() of 28 bytes to a full ring", func() error { return s.Send(pattern(28)) })
	send.Blocks("the ring is full")
	send.Interrupt(2)
	send.Blocks("signals have come, and the ring is full")
	require.NoError(l, expect(e, string(pattern(12))), "Recv()")
	send.Blocks("16 bytes are free, and its frame has 32")
	require.NoError(l, expect(e, string(pattern(12))), "Recv()")
	send.ReturnsSoon(nil)
	for _, size := range []int{12, 12, 28} {
		require.NoError(l, expect(e, string(pattern(size))), "Recv() after the sender had waited")
	}
	fill()
	// One that wanted more gave up; the next one wants less.
	require.ErrorIs(l, s.SendUntil(pattern(60), time.Now().Add(soon)), os.ErrDeadlineExceeded, "SendUntil() of 60 bytes to a full ring")
	send = l.Call("Send() of a small message, after the deadline of a large one has passed", func() error { return s.Send([]byte("x")) })
	send.Blocks("the ring is full")
	require.NoError(l, expect(e, string(pattern(12))), "Recv()")
	send.ReturnsSoon(nil)
	for _, want := range []string{string(pattern(12)), string(pattern(12)), string(pattern(12)), "x"} {
		require.NoError(l, expect(e, want), "Recv()")
	}

	// Two directions do not know of each other, nor do two rings.
	other, _ := ring(l, 64)
	empty := receiver(l, other)
	waits := l.Call("Recv() on another ring", func() error { return expect(empty, "other") })
	waits.Blocks("nobody has sent there")
	elsewhere := l.Call("Send() and Recv() on a ring while Recv() waits on another one: do rings share a lock?", func() error { return errors.Join(s.Send([]byte("hello")), expect(e, "hello")) })
	elsewhere.ReturnsSoon(nil)
	there := sender(l, other)
	require.NoError(l, there.Send([]byte("other")), "Send()")
	waits.Returns(nil)

	// The other side comes between any two calls of who is about to sleep.
	for _, role := range []*lab.Role{heldReceiver, heldSender} {
		r, name := ring(l, 64)
		calls := l.Calls()
		p := l.Start(role, lab.Tell("name", name), calls.HandOver())
		calls.Of(p)
		receives := role == heldReceiver
		var s *shm.Sender
		var e *shm.Receiver
		if receives {
			s = sender(l, r)
		} else {
			e = receiver(l, r)
		}
		for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
			isHeld = calls.Hold(try)
			if receives {
				require.NoError(l, s.Send([]byte("hello")), "Send() while the receiver is about to sleep")
			} else {
				require.NoError(l, expect(e, string(pattern(60))), "Recv() while the sender is about to sleep")
			}
			calls.Go()
			calls.Reports("done", map[bool]string{true: "Recv()", false: "Send()"}[receives]+" while the other side goes on: is there a moment between the look and the sleep in which that is not seen? Say that you sleep, and then look once more. And does the other side take FUTEX_WAITERS away when it wakes?")
			if !receives {
				require.NoError(l, expect(e, string(pattern(60))), "Recv() of what was sent then")
			}
		}
		p.Kill()
	}

	ringTraffic(l, atOnce)

	// And between any two of its instructions, as far as chance brings that about: the other
	// side comes a moment after it was seen to go on, thousands of times, and each time another
	// moment.
	pauses := l.Rand("pauses")
	for _, role := range []*lab.Role{receivesMany, sendsMany} {
		r, name := ring(l, 64)
		v := viewOf(l, name)
		p := l.Start(role, lab.Tell("name", name))
		goesOn, what := v.long(ringTail), "Recv()"
		var act func() error
		if role == receivesMany {
			s := sender(l, r)
			act = func() error { return s.Send([]byte("hello")) }
		} else {
			e := receiver(l, r)
			goesOn, what = v.long(ringHead), "Send()"
			act = func() error { return expect(e, string(pattern(28))) }
			p.Blocks("the ring is full")
		}
		late := 0
		for i := range momentsTried {
			seen, begun := goesOn.Load(), time.Now()
			require.NoError(l, act(), "the other side of %s", what)
			for goesOn.Load() == seen {
				if role == sendsMany && i >= momentsTried-2 {
					break // it has sent all
				}
				if passed := time.Since(begun); passed > 300*moment && l.Rests() {
					break
				} else if passed > moment {
					time.Sleep(moment)
				}
			}
			if (role == receivesMany || i < momentsTried-2) && goesOn.Load() == seen {
				require.FailNow(l, "it does not go on, and all sleep", "%s of another process, number %d of %d: the other side came while it was about to sleep. Does it say that it sleeps, and then look once more?", what, i+1, momentsTried)
			}
			if time.Since(begun) > veryLate {
				late++
			}
			if late > mostLate {
				break // it comes to the window so slowly that all the others would take too long
			}
			for begun, pause := time.Now(), time.Duration(pauses.Int64N(int64(longestPause))); time.Since(begun) < pause; {
			}
		}
		if late > mostLate {
			p.Kill()
			continue
		}
		p.Exit()
	}
}

const (
	momentsTried = 4000
	moment       = 100 * time.Microsecond
	longestPause = 8 * time.Microsecond
	veryLate     = 8 * time.Millisecond
	mostLate     = 300
)

// Step 18: who is there: a clean end is io.EOF, a killed sender io.ErrUnexpectedEOF, a
// receiver that is gone EPIPE; and never a hang.
func TestRingKnowsWhoIsThere(t *testing.T) {
	l := lab.New(t)
	r, name := ring(l, 64)
	v := viewOf(l, name)
	s, e := sender(l, r), receiver(l, r)
	for _, one := range []struct {
		what string
		open func() error
	}{
		{"OpenSender()", func() error { _, err := shm.OpenSender(r, ringAt); return err }},
		{"OpenReceiver()", func() error { _, err := shm.OpenReceiver(r, ringAt); return err }},
	} {
		what, open := one.what, one.open
		require.ErrorIs(l, open(), unix.EBUSY, "%s of a ring that has one", what)
	}
	require.NoError(l, errors.Join(s.Send([]byte("one")), s.Send([]byte("two"))), "Send()")
	require.NoError(l, s.Close(), "Close() of the sender")
	require.Equal(l, uint32(closedEnd), v.word(ringFrom).Load(), "the sender's word in the mapping, after its Close()")
	for _, call := range []error{s.Send([]byte("x")), s.SendUntil(nil, never), s.Close()} {
		require.ErrorIs(l, call, os.ErrClosed, "calls of the sender after Close()")
	}
	require.NoError(l, expect(e, "one"), "Recv() after the sender has closed: what it had sent is still there")
	require.NoError(l, expect(e, "two"), "Recv() after the sender has closed")
	for range 2 {
		require.ErrorIs(l, expect(e, ""), io.EOF, "Recv() after all that the sender had sent")
	}
	_, err := shm.OpenSender(r, ringAt)
	require.ErrorIs(l, err, unix.EBUSY, "OpenSender() of a ring whose sender has closed: the receiver was told the end")
	require.NoError(l, e.Close(), "Close() of the receiver")
	require.ErrorIs(l, expect(e, ""), os.ErrClosed, "Recv() after Close()")
	require.ErrorIs(l, e.Close(), os.ErrClosed, "Close() the second time")
	_, err = shm.OpenReceiver(r, ringAt)
	require.ErrorIs(l, err, unix.EBUSY, "OpenReceiver() of a ring whose receiver has closed")

	for _, end := range []string{"closes", "ends", "dies", "closes the region"} {
		want := map[bool]error{true: io.EOF, false: io.ErrUnexpectedEOF}[strings.HasPrefix(end, "closes")]
		// The sender goes while the receiver sleeps.
		r, name := ring(l, 64)
		e := receiver(l, r)
		p := l.Start(sendsAndGoes, lab.Tell("name", name), lab.Tell("end", end))
		p.Report(new(bool))
		require.NoError(l, expect(e, "hello"), "Recv()")
		recv := l.Call("Recv() on an empty ring whose sender "+end+": who wakes the receiver?", func() error { return expect(e, "") })
		recv.Blocks("the sender is there, and has sent nothing")
		p.Go()
		recv.ReturnsSoon(want)
		p.Wait()
		require.ErrorIs(l, expect(e, ""), want, "Recv() once more, after the sender "+end)
		_, err := shm.OpenSender(r, ringAt)
		require.ErrorIs(l, err, unix.EBUSY, "OpenSender() of a ring whose sender "+end)

		// The sender goes, and leaves a message.
		r, name = ring(l, 64)
		p = l.Start(sendsAndGoes, lab.Tell("name", name), lab.Tell("end", end))
		p.Report(new(bool))
		p.Go()
		p.Wait()
		e = receiver(l, r)
		require.NoError(l, expect(e, "hello"), "Recv() of what was left by a sender that "+end)
		require.ErrorIs(l, expect(e, ""), want, "Recv() after all that was left by a sender that "+end)

		// The receiver goes, while the sender sleeps and while it does not.
		r, name = ring(l, 64)
		s := sender(l, r)
		p = l.Start(receivesAndGoes, lab.Tell("name", name), lab.Tell("end", end))
		require.NoError(l, s.Send([]byte("hello")), "Send()")
		p.Report(new(bool))
		require.NoError(l, s.Send(pattern(60)), "Send() that fills the ring")
		send := l.Call("Send() to a full ring whose receiver "+end+": who wakes the sender?", func() error { return s.Send([]byte("x")) })
		send.Blocks("the ring is full, and the receiver is there")
		p.Go()
		send.ReturnsSoon(unix.EPIPE)
		p.Wait()
		require.ErrorIs(l, s.Send([]byte("x")), unix.EPIPE, "Send() once more, after the receiver "+end)
		r, name = ring(l, 64)
		s = sender(l, r)
		p = l.Start(receivesAndGoes, lab.Tell("name", name), lab.Tell("end", end))
		require.NoError(l, s.Send([]byte("hello")), "Send()")
		p.Report(new(bool))
		p.Go()
		p.Wait()
		require.ErrorIs(l, s.Send([]byte("x")), unix.EPIPE, "Send() to a ring with room, whose receiver "+end+": nobody will read it")
		_, err = shm.OpenReceiver(r, ringAt)
		require.ErrorIs(l, err, unix.EBUSY, "OpenReceiver() of a ring whose receiver "+end)
	}
	// Nobody has come yet: that is no end.
	r, _ = ring(l, 64)
	s = sender(l, r)
	require.NoError(l, s.Send(pattern(60)), "Send() before there is a receiver")
	send := l.Call("Send() to a full ring that has no receiver yet", func() error { return s.Send([]byte("x")) })
	send.Blocks("the ring is full, and the receiver has not come yet")
	e = receiver(l, r)
	require.NoError(l, expect(e, string(pattern(60))), "Recv()")
	send.ReturnsSoon(nil)
	require.NoError(l, expect(e, "x"), "Recv()")

	// Close of the own end, in another goroutine.
	recv := l.Call("Recv() whose Receiver is closed meanwhile: what wakes it? And the error is os.ErrClosed.", func() error { return expect(e, "") })
	recv.Blocks("the ring is empty")
	closes := l.Call("Close() while Recv() waits: does it wait for that call?", e.Close)
	closes.ReturnsSoon(nil)
	recv.ReturnsSoon(os.ErrClosed)
	require.ErrorIs(l, s.Send([]byte("x")), unix.EPIPE, "Send() after Close() of the receiver")
	r, name = ring(l, 64)
	s = sender(l, r)
	require.NoError(l, s.Send(pattern(60)), "Send() that fills the ring")
	send = l.Call("Send() whose Sender is closed meanwhile: what wakes it? And the error is os.ErrClosed.", func() error { return s.Send([]byte("x")) })
	send.Blocks("the ring is full")
	closes = l.Call("Close() while Send() waits: does it wait for that call?", s.Close)
	closes.ReturnsSoon(nil)
	send.ReturnsSoon(os.ErrClosed)
	e = receiver(l, attached(l, name))
	require.NoError(l, expect(e, string(pattern(60))), "Recv() of what was sent before Close()")
	require.ErrorIs(l, expect(e, ""), io.EOF, "Recv() after Close() of the sender")

	// Close of the region ends both.
	r, name = ring(l, 64)
	s = sender(l, r)
	e = receiver(l, attached(l, name))
	recv = l.Call("Recv() while the region of its sender is closed: that is a Close of the sender, and no death", func() error { return expect(e, "") })
	recv.Blocks("the ring is empty")
	require.NoError(l, r.Close(), "Close() of the region")
	recv.ReturnsSoon(io.EOF)
	require.ErrorIs(l, s.Send([]byte("x")), os.ErrClosed, "Send() after the region was closed")
	require.ErrorIs(l, s.Close(), os.ErrClosed, "Close() of an end after the region was closed")
	r, _ = ring(l, 64)
	s, e = sender(l, r), receiver(l, r)
	require.NoError(l, errors.Join(s.Close(), e.Close()), "Close() of both ends")
	require.NoError(l, r.Close(), "Close() of a region whose ends are closed already")

	// And of all the rings in it.
	two, twoName := region(l, 4096, func(r *shm.Region) error {
		return errors.Join(shm.NewRing(r, ringAt, 64), shm.NewRing(r, ringAt+1024, 64))
	})
	elsewhere := attached(l, twoName)
	for _, at := range []int{ringAt, ringAt + 1024} {
		_, err := shm.OpenSender(two, at)
		require.NoError(l, err, "OpenSender() of each of two rings of a region")
	}
	require.NoError(l, two.Close(), "Close() of a region that has the senders of two rings")
	for _, at := range []int{ringAt, ringAt + 1024} {
		e, err := shm.OpenReceiver(elsewhere, at)
		require.NoError(l, err, "OpenReceiver() of each of two rings of a region")
		recv := l.Call("Recv() of one of two rings, when the region was closed that had both senders: are all ends of a region closed with it?", func() error { return expect(e, "") })
		recv.ReturnsSoon(io.EOF)
	}

	// Close comes when the call is about to sleep.
	_, name = ring(l, 64)
	closer := heldAt(l, closedReceiver, name, 0)
	closer.calls.Alone()
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		closer.Report(new(bool))
		isHeld = closer.calls.Hold(try)
		closer.Go() // it closes the Receiver now
		l.Rests()
		closer.calls.Go()
		closer.calls.Reports(os.ErrClosed.Error(), "Recv() whose Receiver is closed when it is about to sleep: one wake-up comes too early, for nobody sleeps yet")
	}
	closer.Kill()
	killedBeforeItWakes(l)
	ringVictims(l)
}

// killedBeforeItWakes: the other side sleeps, and who would wake it is killed at each of its calls.
func killedBeforeItWakes(l *lab.Lab) {
	l.Helper()
	const why = " was killed when it was about to wake the other side: are the two steps of that, to take FUTEX_WAITERS away and to wake, one call (FUTEX_WAKE_OP)? In between the kernel knows of nobody who waits."
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		r, name := ring(l, 64)
		s := sender(l, r)
		p := heldAt(l, heldReceiver, name, 0)
		for range 4 {
			require.NoError(l, s.Send([]byte("hello")), "Send() to a ring with room")
		}
		send := l.Call("Send() to a full ring whose receiver"+why, func() error {
			if err := s.Send([]byte("hello")); !errors.Is(err, unix.EPIPE) {
				return err
			}
			return nil // it came too late for the room
		})
		send.Blocks("the ring is full")
		isHeld = p.calls.Hold(try)
		p.Kill()
		send.ReturnsSoon(nil)
	}
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		r, name := ring(l, 64)
		e := receiver(l, r)
		p := heldAt(l, heldSender, name, 0)
		recv := l.Call("Recv() on an empty ring whose sender"+why, func() error {
			if err := expect(e, string(pattern(60))); !errors.Is(err, io.ErrUnexpectedEOF) {
				return err
			}
			return nil // nothing was sent
		})
		recv.Blocks("the ring is empty")
		isHeld = p.calls.Hold(try)
		p.Kill()
		recv.ReturnsSoon(nil)
	}
}
