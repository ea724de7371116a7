package shm_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	shm "ipcworkbook/chapters/05-shm"
	"ipcworkbook/harness/lab"
)

// Who is killed at any moment, between any two instructions, as far as chance brings that about.
// Victim and moment follow from the seed.

// turns is how much each process has to do.
const turns = 100

// killedInATurn has a process die in one of its turns, a moment after that has begun.
func killedInATurn(c *lab.Child) (begins func(turn int), err error) {
	in, err := strconv.Atoi(c.Text("in"))
	if err != nil {
		return nil, err
	}
	after, err := time.ParseDuration(c.Text("after"))
	if err != nil {
		return nil, err
	}
	return func(turn int) {
		if turn != in {
			return
		}
		go func() {
			for begun := time.Now(); time.Since(begun) < after; {
			}
			c.Die()
		}()
	}, nil
}

// inATurn is what such a process is told: -1 is no turn.
func inATurn(turn int, random *rand.Rand) []lab.Handed {
	after := time.Duration(random.IntN(20)) * time.Microsecond
	return []lab.Handed{lab.Tell("in", strconv.Itoa(turn)), lab.Tell("after", after.String())}
}

// heldInUnlock is a process that is held before the first call of its Unlock, and another one that waits
// for the lock.
func heldInUnlock(l *lab.Lab, name string) (unlocker, waiter *lab.Process) {
	calls := l.Calls()
	unlocker = l.Start(heldUnlocker, lab.Tell("name", name), calls.HandOver())
	calls.Of(unlocker)
	unlocker.Report(new(bool))
	// Who waits is no relative of it: the death of a child is a signal, which wakes as well.
	waiter = l.Start(locksAndRepairs, lab.Tell("name", name), lab.Tell("told", "perhaps"))
	waiter.Blocks("the lock is held")
	require.True(l, calls.Hold(0), "a call in Unlock() while somebody waits: does it wake who waits (FUTEX_WAKE)?")
	return unlocker, waiter
}

// thirdComesBetween has a third process take the lock in the midst of an Unlock, whose process is killed
// then.
func thirdComesBetween(l *lab.Lab) {
	_, lock, name := locked(l)
	unlocker, waiter := heldInUnlock(l, name)
	isFree := lock.TryLock() == nil
	unlocker.Kill()
	if isFree {
		require.NoError(l, lock.Unlock(), "Unlock()")
	}
	next := l.Call("Lock() of another process, when the holder was killed in Unlock(), and a third process had the lock by then: it does not know that somebody waits. To give it back and to wake are two steps: FUTEX_WAKE_OP is one that does both.", waiter.Wait)
	next.ReturnsSoon(nil)
}

// lockVictims asserts that a lock outlives each of its holders. Three processes change two numbers.
func lockVictims(l *lab.Lab) {
	random := l.Rand("victims of the lock")
	for round := range 4 {
		victim, turn := random.IntN(3), random.IntN(turns)
		what := fmt.Sprintf("in round %d, in which process %d of 3 is killed in its turn %d", round+1, victim+1, turn+1)
		_, lock, name := locked(l)
		v := viewOf(l, name)
		var all []*lab.Process
		for n := range 3 {
			in := -1
			if n == victim {
				in = turn
			}
			all = append(all, l.Start(changesBoth, append(inATurn(in, random), lab.Tell("name", name))...))
		}
		for _, p := range all {
			p.Go()
		}
		told := 0
		for n, p := range all {
			if n == victim {
				require.Error(l, p.Wait(), "a process that is killed, %s", what)
				continue
			}
			var times int
			p.Report(&times)
			told += times
			p.Exit()
		}
		if err := lock.Lock(never); err != nil {
			require.ErrorIs(l, err, shm.ErrOwnerDied, "Lock() %s", what)
			v.long(8).Store(v.long(0).Load())
			require.NoError(l, lock.Consistent(), "Consistent() %s", what)
			told++
		}
		require.NoError(l, lock.Unlock(), "Unlock() %s", what)
		require.LessOrEqual(l, told, 1, "how often Lock() has said ErrOwnerDied, %s", what)
		require.Equal(l, v.long(0).Load(), v.long(8).Load(), "the second number, which is to be as the first one, %s: was it told that it may be half done?", what)
		require.GreaterOrEqual(l, int(v.long(0).Load()), 2*turns+turn, "how often the first number was changed, %s", what)
	}
}

// changesBoth changes two numbers under a lock. They are equal, unless somebody was killed in between.
var changesBoth = lab.NewRole("process that changes two numbers", func(c *lab.Child) error {
	r, lock, err := childsLock(c)
	if err != nil {
		return err
	}
	begins, err := killedInATurn(c)
	if err != nil {
		return err
	}
	one, other := r.Bytes()[:8], r.Bytes()[8:16]
	c.Wait()
	told := 0
	for turn := range turns {
		begins(turn)
		err := lock.Lock(never)
		if errors.Is(err, shm.ErrOwnerDied) {
			copy(other, one)
			told++
			err = lock.Consistent()
		}
		if err != nil {
			return fmt.Errorf("Lock(), and Consistent() after ErrOwnerDied: %w", err)
		}
		for _, number := range [][]byte{one, other} {
			binary.NativeEndian.PutUint64(number, binary.NativeEndian.Uint64(number)+1)
			for begun := time.Now(); time.Since(begun) < 5*time.Microsecond; {
			}
		}
		if err := lock.Unlock(); err != nil {
			return fmt.Errorf("Unlock(): %w", err)
		}
	}
	c.Report(told)
	c.Wait()
	return nil
})

// ringVictims asserts that the other side learns of a death, and that all that was sent is whole.
func ringVictims(l *lab.Lab) {
	random := l.Rand("victims of the ring")
	for round := range 4 {
		turn := random.IntN(turns)
		r, name := ring(l, 256)
		told := append(inATurn(turn, random), lab.Tell("name", name))
		what := fmt.Sprintf("in round %d, in which the sender is killed in its Send() number %d", round+1, turn+1)
		p := l.Start(sendsUntilKilled, told...)
		e, n := receiver(l, r), 0
		var err error
		for p.Go(); ; n++ {
			if err = expect(e, numbered(n)); err != nil {
				break
			}
		}
		require.ErrorIs(l, err, io.ErrUnexpectedEOF, "Recv() after %d messages, %s", n, what)
		require.GreaterOrEqual(l, n, turn, "how many messages came, %s", what)
		require.Error(l, p.Wait(), "the sender %s", what)

		r, name = ring(l, 256)
		told = append(inATurn(turn, random), lab.Tell("name", name))
		what = fmt.Sprintf("in round %d, in which the receiver is killed in its Recv() number %d", round+1, turn+1)
		p = l.Start(receivesUntilKilled, told...)
		s := sender(l, r)
		p.Go()
		for n = 0; ; n++ {
			if err = s.Send([]byte(numbered(n))); err != nil {
				break
			}
		}
		require.ErrorIs(l, err, unix.EPIPE, "Send() after %d messages, %s", n, what)
		require.Error(l, p.Wait(), "the receiver %s", what)
	}
}

// numbered is a message, of a size of its own.
func numbered(n int) string { return fmt.Sprintf("%d %s", n, pattern(n*37%100)) }

var sendsUntilKilled = lab.NewRole("sender that is killed", func(c *lab.Child) error {
	_, s, err := attachedSender(c)
	if err != nil {
		return err
	}
	begins, err := killedInATurn(c)
	if err != nil {
		return err
	}
	c.Wait()
	for n := 0; ; n++ {
		begins(n)
		if err := s.Send([]byte(numbered(n))); err != nil {
			return fmt.Errorf("Send(): %w", err)
		}
	}
})

var receivesUntilKilled = lab.NewRole("receiver that is killed", func(c *lab.Child) error {
	_, e, err := attachedReceiver(c)
	if err != nil {
		return err
	}
	begins, err := killedInATurn(c)
	if err != nil {
		return err
	}
	c.Wait()
	for n := 0; ; n++ {
		begins(n)
		if err := expect(e, numbered(n)); err != nil {
			return fmt.Errorf("Recv(): %w", err)
		}
	}
})
