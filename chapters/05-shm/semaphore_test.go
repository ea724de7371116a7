package shm_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	shm "ipcworkbook/chapters/05-shm"
	"ipcworkbook/harness/lab"
)

// The kinds of objects, as they stand in the mapping.
const (
	semaphoreKind = 0x314d4553
	lockKind      = 0x314b434c
	ringKind      = 0x31474e52
)

// semaphore makes a region with a semaphore at 64.
func semaphore(l *lab.Lab, value int) (*shm.Region, *shm.Semaphore, string) {
	var s *shm.Semaphore
	r, name := region(l, 256, func(r *shm.Region) (err error) {
		s, err = shm.NewSemaphore(r, 64, value)
		return err
	})
	return r, s, name
}

// valueOf is the semaphore's value as the mapping has it.
func valueOf(v view) int { return int(v.word(68).Load()) }

// badOffsets are offsets at which an object of 64 bytes has no place in a region of 256.
var badOffsets = []int{-64, -1, 1, 8, 63, 200, 256, 320, math.MaxInt, math.MaxInt - 63, math.MinInt}

// Step 10: a semaphore counts, for all processes together.
func TestSemaphoreCounts(t *testing.T) {
	l := lab.New(t)
	r, s, name := semaphore(l, 3)
	v := viewOf(l, name)
	require.Equal(l, uint32(semaphoreKind), v.word(64).Load(), "the first number of a semaphore in the mapping")
	require.Equal(l, 3, valueOf(v), "the value of NewSemaphore(r, 64, 3) in the mapping, 4 bytes behind the offset")
	value := func() int {
		n, err := s.Value()
		require.NoError(l, err, "Value()")
		return n
	}
	require.Equal(l, 3, value(), "Value() of NewSemaphore(r, 64, 3)")
	for want := 2; want >= 0; want-- {
		take := s.TryWait
		if want == 1 {
			take = func() error { return s.Wait(time.Now().Add(-far)) } // it need not wait
		}
		require.NoError(l, take(), "taking one of %d", want+1)
		require.Equal(l, want, value(), "Value() after one of %d was taken", want+1)
		require.Equal(l, want, valueOf(v), "the value in the mapping after one of %d was taken", want+1)
	}
	require.ErrorIs(l, s.TryWait(), shm.ErrZero, "TryWait() at zero")
	require.Equal(l, 0, value(), "Value() after TryWait() at zero: it never goes below")
	require.NoError(l, s.Post(), "Post() at zero")
	require.Equal(l, 1, value(), "Value() after Post() at zero")
	require.Zero(l, v.word(72).Load(), "the number of those that wait, in the mapping")

	// Others have it too, in this process and in another one.
	again, err := shm.OpenSemaphore(attached(l, name), 64)
	require.NoError(l, err, "OpenSemaphore() in another mapping of the region")
	require.NoError(l, again.TryWait(), "TryWait() of a semaphore that was opened")
	require.Equal(l, 0, value(), "Value() after another mapping has taken one")
	require.NoError(l, l.Start(posts, lab.Tell("name", name), lab.Tell("times", "5")).Wait(), "a process that posts 5 times")
	require.Equal(l, 5, value(), "Value() after another process has posted 5 times")

	v.word(68).Store(shm.MaxSemaphore - 1)
	require.NoError(l, s.Post(), "Post() at MaxSemaphore-1")
	require.ErrorIs(l, s.Post(), unix.EOVERFLOW, "Post() at MaxSemaphore")
	require.Equal(l, shm.MaxSemaphore, value(), "Value() after Post() at MaxSemaphore")
	v.word(68).Store(math.MaxUint32)
	require.ErrorIs(l, s.Post(), unix.EOVERFLOW, "Post() where somebody has written a value above MaxSemaphore: it would become 0")

	for _, value := range []int{-1, shm.MaxSemaphore + 1, 1 << 32, math.MinInt, 1<<32 + 1} {
		_, err := shm.NewSemaphore(r, 128, value)
		require.ErrorIs(l, err, unix.EINVAL, "NewSemaphore() with a value of %d", value)
		require.Zero(l, v.word(128).Load(), "what is there after NewSemaphore() with a value of %d", value)
	}
	for _, offset := range badOffsets {
		_, err := shm.NewSemaphore(r, offset, 1)
		require.ErrorIs(l, err, unix.EINVAL, "NewSemaphore() at %d, in a region of 256 bytes", offset)
		_, err = shm.OpenSemaphore(r, offset)
		require.ErrorIs(l, err, unix.EINVAL, "OpenSemaphore() at %d, in a region of 256 bytes", offset)
	}
	_, err = shm.NewSemaphore(r, 64, 7)
	require.ErrorIs(l, err, unix.EEXIST, "NewSemaphore() where there is one: semget and SETVAL would set the value anew, while others use it")
	require.Equal(l, math.MaxUint32, valueOf(v), "the value of a semaphore after NewSemaphore() was refused")
	for _, one := range []struct {
		what string
		kind uint32
	}{{"nothing", 0}, {"something half made", 1}, {"a lock", lockKind}, {"something else", 77}} {
		what, kind := one.what, one.kind
		v.word(192).Store(kind)
		_, err := shm.OpenSemaphore(r, 192)
		require.ErrorIs(l, err, shm.ErrFormat, "OpenSemaphore() where there is %s", what)
		if kind != 0 {
			_, err := shm.NewSemaphore(r, 192, 1)
			require.ErrorIs(l, err, unix.EEXIST, "NewSemaphore() where there is %s", what)
			require.Equal(l, kind, v.word(192).Load(), "what is there after NewSemaphore() was refused")
		}
	}

	// One of several that make it wins, and all see its value.
	fill(v.at(0)[4:shm.SemaphoreSize])
	fresh, err := shm.NewSemaphore(r, 0, shm.MaxSemaphore)
	require.NoError(l, err, "NewSemaphore() with the highest value, without setup")
	require.Zero(l, v.word(8).Load(), "the number of those that wait, in the mapping, after NewSemaphore() in memory that was used before: is all of it written?")
	n, err := fresh.Value()
	require.NoError(l, err, "Value()")
	require.Equal(l, shm.MaxSemaphore, n, "Value()")
	require.NoError(l, r.Close(), "Close() of the region")
	_, err = s.Value()
	require.ErrorIs(l, err, os.ErrClosed, "Value() after the region was closed")
	require.ErrorIs(l, s.Post(), os.ErrClosed, "Post() after the region was closed")
	require.ErrorIs(l, s.TryWait(), os.ErrClosed, "TryWait() after the region was closed")
	require.ErrorIs(l, s.Wait(never), os.ErrClosed, "Wait() after the region was closed")
	_, err = shm.OpenSemaphore(r, 64)
	require.ErrorIs(l, err, os.ErrClosed, "OpenSemaphore() after the region was closed")
	_, err = shm.NewSemaphore(r, 128, 1)
	require.ErrorIs(l, err, os.ErrClosed, "NewSemaphore() after the region was closed")
}

// childsSemaphore opens the semaphore at 64 in a role.
func childsSemaphore(c *lab.Child) (*shm.Semaphore, error) {
	r, err := shm.Attach(c.Text("name"), 0)
	if err != nil {
		return nil, fmt.Errorf("Attach(): %w", err)
	}
	s, err := shm.OpenSemaphore(r, 64)
	if err != nil {
		return nil, fmt.Errorf("OpenSemaphore(): %w", err)
	}
	return s, nil
}

var posts = lab.NewRole("process that posts", func(c *lab.Child) error {
	s, err := childsSemaphore(c)
	if err != nil {
		return err
	}
	times, err := strconv.Atoi(c.Text("times"))
	if err != nil {
		return err
	}
	for range times {
		if err := s.Post(); err != nil {
			return fmt.Errorf("Post(): %w", err)
		}
	}
	return nil
})

// Step 11: who waits at zero sleeps, one Post wakes one, and none is lost between a look and
// the sleep.
func TestOnePostWakesOne(t *testing.T) {
	l := lab.New(t)
	_, s, name := semaphore(l, 0)
	v := viewOf(l, name)
	var others []*lab.Process
	for range 3 {
		other := l.Start(waits, lab.Tell("name", name))
		other.Blocks("the semaphore is at zero: does it look again and again?")
		others = append(others, other)
	}
	require.GreaterOrEqual(l, int(v.word(72).Load()), 3, "the number of those that wait, in the mapping, while three wait: a Post in C or Python looks there")
	require.Equal(l, 0, valueOf(v), "the value while three wait")

	require.NoError(l, s.Post(), "Post() while three wait")
	others[0].Rests()
	require.Equal(l, 1, int(v.long(0).Load()), "processes of three that went on after one Post(): if none, is the futex one for a single process (FUTEX_PRIVATE_FLAG)? Is the number of waiters raised before the sleep? If several, do they look again when they were woken up?")
	require.Zero(l, valueOf(v), "the value, after one Post() and one that took it")
	require.NoError(l, s.Post(), "Post()")
	require.NoError(l, s.Post(), "Post()")
	for _, other := range others {
		require.NoError(l, other.Wait(), "a process that waited: as many Post() as Wait()")
	}
	require.Zero(l, valueOf(v), "the value, after three Post() and three Wait()")
	require.Zero(l, v.word(72).Load(), "the number of those that wait, in the mapping, when nobody does any more: every Post would make a system call")

	call := l.Call("Wait() at zero: is there something else to wake it than a Post of its own process?", func() error { return s.Wait(never) })
	call.Blocks("the semaphore is at zero")
	call.Interrupt(3)
	call.Blocks("signals have come, and the semaphore is at zero")
	poster := l.Start(posts, lab.Tell("name", name), lab.Tell("times", "1"))
	call.Returns(nil)
	require.NoError(l, poster.Wait(), "a process that posts")

	// A Post comes between any two calls of who is about to sleep.
	calls := l.Calls()
	waiter := l.Start(heldWaiter, lab.Tell("name", name), lab.Tell("within", "0s"), calls.HandOver())
	calls.Of(waiter)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		isHeld = calls.Hold(try)
		require.NoError(l, s.Post(), "Post() while another process is about to wait")
		calls.Go()
		calls.Reports("taken", "Wait() while another process posts: is there a moment between the look at the value and the sleep in which a Post is not seen? futex(2) looks once more itself, at the value that it is told.")
	}
	waiter.Kill()
	require.Zero(l, valueOf(v), "the value, after as many Post() as Wait()")
}

var waits = lab.NewRole("process that waits", func(c *lab.Child) error {
	s, err := childsSemaphore(c)
	if err != nil {
		return err
	}
	if err := s.Wait(never); err != nil {
		return fmt.Errorf("Wait(): %w", err)
	}
	return goesOn(c)
})

// goesOn counts in the first bytes of the region who went on.
func goesOn(c *lab.Child) error {
	r, err := shm.Attach(c.Text("name"), 0)
	if err != nil {
		return fmt.Errorf("Attach(): %w", err)
	}
	n, err := r.Uint64(0)
	if err != nil {
		return fmt.Errorf("Uint64(): %w", err)
	}
	n.Add(1)
	return nil
}

var heldWaiter = lab.NewRole("waiter that is held", func(c *lab.Child) error {
	s, err := childsSemaphore(c)
	if err != nil {
		return err
	}
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for range mostCalls {
		c.Wait()
		if err := s.Wait(deadlineOf(c)); err != nil {
			c.Report("the error: " + err.Error())
			continue
		}
		c.Report("taken")
	}
	return nil
})

// Step 12: a deadline ends the wait, and so does Close of the region; a file that was cut is
// an error here, too.
func TestSemaphoreWaitEnds(t *testing.T) {
	l := lab.New(t)
	r, s, name := semaphore(l, 0)
	endsAtItsDeadline(l, "Wait() at zero", s.Wait)
	v := viewOf(l, name)
	require.Zero(l, valueOf(v), "the value, after calls whose deadline has passed")
	require.Zero(l, v.word(72).Load(), "the number of those that wait, in the mapping, after calls whose deadline has passed")
	none := l.Call("Wait() with the zero time in another zone, which is no deadline either (IsZero)", func() error { return s.Wait(never.In(time.FixedZone("east", 3600))) })
	none.Blocks("it has no deadline")
	require.NoError(l, s.Post(), "Post()")
	none.Returns(nil)
	later := l.Call("Wait() with a deadline in the year 2300: so many nanoseconds have no room in 64 bits", func() error { return s.Wait(distant) })
	later.Blocks("the deadline is in the year 2300")
	later.Interrupt(1)
	later.Blocks("a signal has come, and the deadline is in the year 2300")
	require.NoError(l, s.Post(), "Post()")
	later.Returns(nil)

	again, err := shm.OpenSemaphore(attached(l, name), 64)
	require.NoError(l, err, "OpenSemaphore() in another mapping")
	first, second := l.Call("Wait() on a region that is closed meanwhile: what wakes it? And the error is os.ErrClosed.", func() error { return s.Wait(never) }),
		l.Call("Wait() with a deadline, on a region that is closed meanwhile: what wakes it?", func() error { return s.Wait(time.Now().Add(far)) })
	elsewhere := l.Call("Wait() in another mapping", func() error { return again.Wait(never) })
	other := l.Start(waits, lab.Tell("name", name))
	other.Blocks("the semaphore is at zero")
	first.Blocks("the semaphore is at zero")
	closes := l.Call("Close() of a region while Wait() waits: does it wait for that call?", r.Close)
	closes.ReturnsSoon(nil)
	first.ReturnsSoon(os.ErrClosed)
	second.ReturnsSoon(os.ErrClosed)
	l.Wait("only one mapping was closed, and nobody has posted", elsewhere, other)
	require.NoError(l, again.Post(), "Post()")
	require.NoError(l, again.Post(), "Post()")
	elsewhere.Returns(nil)
	require.NoError(l, other.Wait(), "a process that waits while another one closes its region")
	require.Zero(l, v.word(72).Load(), "the number of those that wait, in the mapping, after Close() has ended two of them")

	// A Post comes when it is about to sleep, and the deadline passes meanwhile.
	waiter := heldAt(l, heldWaiter, name, soon)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		isHeld = waiter.calls.Hold(try)
		require.NoError(l, again.Post(), "Post() while another process is about to wait")
		waiter.goesOnAfter(soon, isHeld, "taken", "Wait() for which a Post has come, when its deadline has passed meanwhile: does it look at the clock before it looks once more? The Post may have woken it, and nobody else")
		_ = again.TryWait() // what was not taken by one that came too late
	}
	waiter.Kill()

	// Close comes when it is about to sleep.
	closer := heldAt(l, closedWaiter, name, 0)
	closer.calls.Alone()
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		closer.Report(new(bool))
		isHeld = closer.calls.Hold(try)
		closer.Go() // it closes the region now
		l.Rests()
		closer.calls.Go()
		closer.calls.Reports(os.ErrClosed.Error(), "Wait() whose region is closed when it is about to sleep: one wake-up comes too early, for nobody sleeps yet")
	}
	closer.Kill()

	// The file is cut when Post is about to wake.
	_, posted := region(l, 256, func(r *shm.Region) error { _, err := shm.NewSemaphore(r, 64, 5); return err })
	poster := heldAt(l, heldPoster, posted, 0)
	viewOf(l, posted).word(72).Store(2) // as if two waited
	require.True(l, poster.calls.Hold(0), "a call in Post() while somebody waits: does it wake who waits (FUTEX_WAKE)?")
	require.NoError(l, os.Truncate(pathOf(posted), 0), "cutting the file")
	poster.calls.Go()
	poster.calls.Reports("ErrCut, or nothing", "Post() whose file is cut before it wakes who waits: FUTEX_WAKE is EFAULT then")
	poster.Kill()

	cut, cutName := region(l, 256, func(r *shm.Region) error { _, err := shm.NewSemaphore(r, 64, 5); return err })
	s, err = shm.OpenSemaphore(cut, 64)
	require.NoError(l, err, "OpenSemaphore()")
	require.NoError(l, os.Truncate(pathOf(cutName), 0), "cutting the file")
	_, valued := s.Value()
	_, opened := shm.OpenSemaphore(cut, 64)
	_, made := shm.NewSemaphore(cut, 128, 1)
	for _, one := range []struct {
		what string
		err  error
	}{{"Wait()", s.Wait(never)}, {"TryWait()", s.TryWait()}, {"Post()", s.Post()}, {"Value()", valued}, {"OpenSemaphore()", opened}, {"NewSemaphore()", made}} {
		what, err := one.what, one.err
		require.ErrorIs(l, err, shm.ErrCut, "%s after the file was cut", what)
	}

	asleep, asleepName := region(l, 256, func(r *shm.Region) error { _, err := shm.NewSemaphore(r, 64, 0); return err })
	s, err = shm.OpenSemaphore(asleep, 64)
	require.NoError(l, err, "OpenSemaphore()")
	sleeper := l.Call("Wait() that sleeps while the file is cut, and whose region is closed then", func() error { return closedOrCut(s.Wait(never)) })
	sleeper.Blocks("the semaphore is at zero")
	require.NoError(l, os.Truncate(pathOf(asleepName), 0), "cutting the file")
	closes = l.Call("Close() of a region whose file was cut while Wait() sleeps"+wakesNobody, asleep.Close)
	closes.ReturnsSoon(nil)
	sleeper.ReturnsSoon(os.ErrClosed)
}

// wakesNobody is why a call on a page that was cut sleeps for ever.
const wakesNobody = ": FUTEX_WAKE is EFAULT on a page that was cut. Who sleeps there is woken by a signal to its thread, which looks again then."

// closedOrCut takes one of these errors for the other one.
func closedOrCut(err error) error {
	if errors.Is(err, shm.ErrCut) {
		return os.ErrClosed
	}
	return err
}

// closedWaiter waits in one goroutine, and closes the region in another one.
var closedWaiter = lab.NewRole("waiter whose region is closed", func(c *lab.Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for range mostCalls {
		r, err := shm.Attach(c.Text("name"), 0)
		if err != nil {
			return fmt.Errorf("Attach(): %w", err)
		}
		s, err := shm.OpenSemaphore(r, 64)
		if err != nil {
			return fmt.Errorf("OpenSemaphore(): %w", err)
		}
		c.Report(true)
		c.Wait()
		waited := make(chan error, 1)
		go func() { waited <- s.Wait(never) }()
		c.Wait()
		if err := r.Close(); err != nil {
			return fmt.Errorf("Close(): %w", err)
		}
		c.Report(told(<-waited))
	}
	return nil
})

// told is what Close of another goroutine tells a call that waits.
func told(err error) string {
	switch {
	case err == nil:
		return "no error"
	case errors.Is(err, os.ErrClosed):
		return os.ErrClosed.Error()
	}
	return "the error: " + err.Error()
}

var heldPoster = lab.NewRole("poster that is held", func(c *lab.Child) error {
	s, err := childsSemaphore(c)
	if err != nil {
		return err
	}
	if err := c.ShowCalls(); err != nil {
		return err
	}
	c.Wait()
	if err := s.Post(); err != nil && !errors.Is(err, shm.ErrCut) {
		c.Report("the error: " + err.Error())
	} else {
		c.Report("ErrCut, or nothing")
	}
	return nil
})

// fill is for memory that was used before.
func fill(p []byte) {
	for i := range p {
		p[i] = 0xff
	}
}
