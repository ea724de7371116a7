package shm_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	shm "ipcworkbook/chapters/05-shm"
	"ipcworkbook/harness/lab"
)

// locked makes a region with locks at 64 and 128. The first eight bytes are free.
func locked(l *lab.Lab) (*shm.Region, *shm.Lock, string) {
	var lock *shm.Lock
	r, name := region(l, 256, func(r *shm.Region) (err error) {
		if lock, err = shm.NewLock(r, 64); err == nil {
			_, err = shm.NewLock(r, 128)
		}
		return err
	})
	return r, lock, name
}

// wordOf and stateOf are what the mapping has of the lock at 64.
func wordOf(v view) uint32 { return v.word(72).Load() }
func stateOf(v view) int   { return int(v.word(68).Load()) }

// childsLock opens the lock at 64 in a role.
func childsLock(c *lab.Child) (*shm.Region, *shm.Lock, error) {
	r, err := shm.Attach(c.Text("name"), 0)
	if err != nil {
		return nil, nil, fmt.Errorf("Attach(): %w", err)
	}
	lock, err := shm.OpenLock(r, 64)
	if err != nil {
		return nil, nil, fmt.Errorf("OpenLock(): %w", err)
	}
	return r, lock, nil
}

// Step 13: with the lock the count is exact: four processes, 50,000 increments each.
func TestLockMakesTheCountExact(t *testing.T) {
	l := lab.New(t)
	r, lock, name := locked(l)
	v := viewOf(l, name)
	require.Equal(l, uint32(lockKind), v.word(64).Load(), "the first number of a lock in the mapping")
	require.Zero(l, wordOf(v), "the word of a lock that nobody holds, 8 bytes behind the offset")

	require.NoError(l, lock.Lock(time.Now().Add(-far)), "Lock() of a lock that nobody holds, with a deadline that has passed: it need not wait")
	holder := int(wordOf(v) & threadBits)
	require.Zero(l, wordOf(v)&^uint32(threadBits), "the bits beside the holder's number in the word of a lock for which nobody waits")
	_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", holder))
	require.NoError(l, err, "the number in the word of a lock that this process holds (%d): is it that of one of its threads?", holder)
	again, err := shm.OpenLock(attached(l, name), 64)
	require.NoError(l, err, "OpenLock() in another mapping")
	require.ErrorIs(l, again.TryLock(), shm.ErrLocked, "TryLock() of a lock that is held")
	require.NoError(l, l.Start(isLockedOut, lab.Tell("name", name)).Wait(), "another process, while this one holds the lock")
	require.ErrorIs(l, again.Unlock(), unix.EPERM, "Unlock() by another Region of the same process, which has not locked")
	require.Equal(l, uint32(holder), wordOf(v), "the word of a lock that is held, after others have tried")
	twin, err := shm.OpenLock(r, 64)
	require.NoError(l, err, "OpenLock() in the same Region")
	require.NoError(l, twin.Unlock(), "Unlock() by another Lock of the same Region")
	require.Zero(l, wordOf(v), "the word of the lock, after Unlock()")
	require.ErrorIs(l, lock.Unlock(), unix.EPERM, "Unlock() of a lock that nobody holds")
	require.Zero(l, wordOf(v), "the word of the lock, after Unlock() was refused")
	require.NoError(l, lock.TryLock(), "TryLock() of a lock that nobody holds")
	require.NoError(l, lock.Unlock(), "Unlock()")
	require.ErrorIs(l, lock.Consistent(), unix.EINVAL, "Consistent() of a lock that nobody holds")
	second, err := shm.OpenLock(r, 128)
	require.NoError(l, err, "OpenLock()")
	require.NoError(l, errors.Join(lock.TryLock(), second.TryLock(), lock.Unlock(), second.Unlock()), "two locks, given back in the order in which they were taken")
	require.NoError(l, errors.Join(lock.TryLock(), second.TryLock(), second.Unlock(), lock.Unlock()), "two locks, given back in the opposite order")

	for _, offset := range badOffsets {
		_, err := shm.NewLock(r, offset)
		require.ErrorIs(l, err, unix.EINVAL, "NewLock() at %d, in a region of 256 bytes", offset)
		_, err = shm.OpenLock(r, offset)
		require.ErrorIs(l, err, unix.EINVAL, "OpenLock() at %d, in a region of 256 bytes", offset)
	}
	_, err = shm.NewLock(r, 64)
	require.ErrorIs(l, err, unix.EEXIST, "NewLock() where there is one")
	for _, one := range []struct {
		what string
		kind uint32
	}{{"nothing", 0}, {"something half made", 1}, {"a semaphore", semaphoreKind}} {
		what, kind := one.what, one.kind
		v.word(192).Store(kind)
		_, err := shm.OpenLock(r, 192)
		require.ErrorIs(l, err, shm.ErrFormat, "OpenLock() where there is %s", what)
		if kind != 0 {
			_, err := shm.NewLock(r, 192)
			require.ErrorIs(l, err, unix.EEXIST, "NewLock() where there is %s", what)
		}
	}
	fill(v.at(192)[4:shm.LockSize])
	v.word(192).Store(0)
	fresh, err := shm.NewLock(r, 192)
	require.NoError(l, err, "NewLock() in memory that was used before")
	require.Equal(l, []uint32{0, 0}, []uint32{v.word(196).Load(), v.word(200).Load()}, "the state and the word of a lock in the mapping, after NewLock() in memory that was used before: is all of it written?")
	require.NoError(l, errors.Join(fresh.TryLock(), fresh.Unlock()), "TryLock() and Unlock() of a lock in memory that was used before")

	// Several wait, and each gets its turn.
	require.NoError(l, lock.Lock(never), "Lock()")
	var all []*lab.Process
	for range 3 {
		p := l.Start(locksOnce, lab.Tell("name", name))
		p.Blocks("the lock is held")
		all = append(all, p)
	}
	require.NoError(l, lock.Unlock(), "Unlock() while three wait")
	for _, p := range all {
		p.Go()
	}
	for _, p := range all {
		require.NoError(l, p.Wait(), "a process that waited for the lock: does who was woken up know that others may wait, too?")
	}
	require.Zero(l, wordOf(v)&threadBits, "the holder, when all have given it back")

	// Two goroutines of one process are shut out by each other, too.
	const times, processes = 50_000, 4
	all = nil
	for range processes {
		all = append(all, l.Start(counts, lab.Tell("name", name), lab.Tell("times", strconv.Itoa(times))))
	}
	for _, p := range all {
		p.Go()
	}
	for _, p := range all {
		require.NoError(l, p.Wait(), "a process that counts")
	}
	require.Equal(l, processes*times, int(v.long(0).Load()), "what %d processes have counted, each %d times with two goroutines, under the lock", processes, times)
	require.Zero(l, wordOf(v), "the word of the lock, when nobody holds it any more")
	require.Zero(l, stateOf(v), "the state of what the lock protects")
}

var isLockedOut = lab.NewRole("process that is locked out", func(c *lab.Child) error {
	_, lock, err := childsLock(c)
	if err != nil {
		return err
	}
	if err := lock.TryLock(); !errors.Is(err, shm.ErrLocked) {
		return fmt.Errorf("TryLock() of a lock that another process holds: expected ErrLocked, and got: %v", orNone(err))
	}
	if err := lock.Unlock(); !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("Unlock() of a lock that another process holds: expected EPERM, and got: %v", orNone(err))
	}
	if err := lock.Consistent(); !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("Consistent() of a lock that another process holds: expected EINVAL, and got: %v", orNone(err))
	}
	return nil
})

// counts increments a number as a program does that knows of nobody else: it reads, adds
// and writes. Half of it is done by another goroutine.
var counts = lab.NewRole("process that counts", func(c *lab.Child) error {
	r, lock, err := childsLock(c)
	if err != nil {
		return err
	}
	times, err := strconv.Atoi(c.Text("times"))
	if err != nil {
		return err
	}
	number := r.Bytes()[:8]
	count := func(times int) error {
		for range times {
			if err := lock.Lock(never); err != nil {
				return fmt.Errorf("Lock(): %w", err)
			}
			binary.NativeEndian.PutUint64(number, binary.NativeEndian.Uint64(number)+1)
			if err := lock.Unlock(); err != nil {
				return fmt.Errorf("Unlock(): %w", err)
			}
		}
		return nil
	}
	c.Wait()
	other := make(chan error)
	go func() { other <- count(times / 2) }()
	return errors.Join(count(times-times/2), <-other)
})

// Step 14: who waits for a lock sleeps, until it is his, until a deadline, or until the region
// is closed; and no Unlock is lost.
func TestLockWaitsAsleep(t *testing.T) {
	l := lab.New(t)
	r, lock, name := locked(l)
	v := viewOf(l, name)
	other, err := shm.OpenLock(attached(l, name), 64)
	require.NoError(l, err, "OpenLock() in another mapping")
	require.NoError(l, other.Lock(never), "Lock()")
	call := l.Call("Lock() of a lock that is held", func() error { return lock.Lock(never) })
	call.Blocks("the lock is held: does it look again and again?")
	call.Interrupt(2)
	call.Blocks("signals have come, and the lock is held")
	require.NotZero(l, wordOf(v)&waitersBit, "FUTEX_WAITERS in the word of a lock for which somebody waits: a C program's unlock looks there")
	require.NoError(l, other.Unlock(), "Unlock() while somebody waits")
	call.Returns(nil)
	require.NotZero(l, wordOf(v)&threadBits, "the holder in the word of the lock")

	require.NoError(l, lock.Unlock(), "Unlock()")

	require.NoError(l, other.Lock(never), "Lock()")
	endsAtItsDeadline(l, "Lock() of a lock that is held", lock.Lock)
	later := l.Call("Lock() with a deadline in the year 2300", func() error { return lock.Lock(distant) })
	later.Blocks("the deadline is in the year 2300")
	later.Interrupt(1)
	later.Blocks("a signal has come, and the deadline is in the year 2300")
	require.NoError(l, other.Unlock(), "Unlock()")
	later.Returns(nil)
	require.NoError(l, lock.Unlock(), "Unlock()")

	// The lock is given back between any two calls of who is about to sleep.
	waiter := heldAt(l, heldLocker, name, 0)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		require.NoError(l, lock.Lock(never), "Lock()")
		isHeld = waiter.calls.Hold(try)
		require.NoError(l, lock.Unlock(), "Unlock() while another process is about to wait")
		waiter.calls.Go()
		waiter.calls.Reports("locked", "Lock() while the holder gives it back: is there a moment between the look at the word and the sleep in which that is not seen?")
	}
	waiter.Kill()
	waiter = heldAt(l, heldLocker, name, soon)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		require.NoError(l, lock.Lock(never), "Lock()")
		isHeld = waiter.calls.Hold(try)
		require.NoError(l, lock.Unlock(), "Unlock() while another process is about to wait")
		waiter.goesOnAfter(soon, isHeld, "locked", "Lock() of a lock that was given back, when its deadline has passed meanwhile: does it look at the clock before it looks once more? The Unlock may have woken it, and nobody else")
	}
	waiter.Kill()

	require.NoError(l, other.Lock(never), "Lock()")
	waits := l.Call("Lock() on a region that is closed meanwhile: what wakes it? And the error is os.ErrClosed.", func() error { return lock.Lock(never) })
	waits.Blocks("the lock is held")
	closes := l.Call("Close() of a region while Lock() waits: does it wait for that call?", r.Close)
	closes.ReturnsSoon(nil)
	waits.ReturnsSoon(os.ErrClosed)
	_, opened := shm.OpenLock(r, 64)
	_, made := shm.NewLock(r, 192)
	for _, one := range []struct {
		what string
		err  error
	}{{"Lock()", lock.Lock(never)}, {"TryLock()", lock.TryLock()}, {"Unlock()", lock.Unlock()}, {"Consistent()", lock.Consistent()}, {"OpenLock()", opened}, {"NewLock()", made}} {
		what, err := one.what, one.err
		require.ErrorIs(l, err, os.ErrClosed, "%s after the region was closed", what)
	}
	require.NoError(l, other.Unlock(), "Unlock() by another mapping, which is not closed")

	cut, cutName := region(l, 256, func(r *shm.Region) error { _, err := shm.NewLock(r, 64); return err })
	lock, err = shm.OpenLock(cut, 64)
	require.NoError(l, err, "OpenLock()")
	require.NoError(l, os.Truncate(pathOf(cutName), 0), "cutting the file")
	_, opened = shm.OpenLock(cut, 64)
	_, made = shm.NewLock(cut, 128)
	for _, one := range []struct {
		what string
		err  error
	}{{"Lock()", lock.Lock(never)}, {"TryLock()", lock.TryLock()}, {"OpenLock()", opened}, {"NewLock()", made}} {
		what, err := one.what, one.err
		require.ErrorIs(l, err, shm.ErrCut, "%s after the file was cut", what)
	}
	require.NoError(l, other.Lock(never), "Lock() of another region, after a call had a fault: is something of the process still locked?")
	require.NoError(l, other.Unlock(), "Unlock()")
}

var locksOnce = lab.NewRole("process that wants the lock", func(c *lab.Child) error {
	_, lock, err := childsLock(c)
	if err != nil {
		return err
	}
	if err := lock.Lock(never); err != nil {
		return fmt.Errorf("Lock(): %w", err)
	}
	c.Wait()
	return lock.Unlock()
})

var heldLocker = lab.NewRole("locker that is held", func(c *lab.Child) error {
	_, lock, err := childsLock(c)
	if err != nil {
		return err
	}
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for range mostCalls {
		c.Wait()
		if err := lock.Lock(deadlineOf(c)); err != nil {
			c.Report("the error: " + err.Error())
			continue
		}
		if err := lock.Unlock(); err != nil {
			return fmt.Errorf("Unlock(): %w", err)
		}
		c.Report("locked")
	}
	return nil
})

// Step 15: the holder dies: the next one gets the lock and is told, and nobody waits for
// ever, whoever was killed and when.
func TestHolderDies(t *testing.T) {
	l := lab.New(t)
	r, lock, name := locked(l)
	v := viewOf(l, name)
	holder := l.Start(holds, lab.Tell("name", name), lab.Tell("end", "waits"))
	holder.Report(new(bool))
	require.ErrorIs(l, lock.TryLock(), shm.ErrLocked, "TryLock() while another process holds the lock")
	call := l.Call("Lock() of a lock whose holder is killed: does the kernel know that it was held (set_robust_list(2))?", func() error { return lock.Lock(never) })
	call.Blocks("another process holds the lock")
	holder.Kill()
	call.Returns(shm.ErrOwnerDied)
	second, err := shm.OpenLock(attached(l, name), 64)
	require.NoError(l, err, "OpenLock()")
	require.ErrorIs(l, second.TryLock(), shm.ErrLocked, "TryLock() after Lock() has returned ErrOwnerDied: the lock is held then")
	require.Equal(l, 1, stateOf(v), "the state of what the lock protects, after ErrOwnerDied: half done")
	require.NoError(l, l.Start(isLockedOut, lab.Tell("name", name)).Wait(), "another process, while this one has not repaired yet what is half done")
	require.Equal(l, 1, stateOf(v), "the state of what the lock protects, after Unlock() and Consistent() of a process that does not hold it: do they look for the holder first?")
	require.NoError(l, lock.Consistent(), "Consistent() after ErrOwnerDied")
	require.Zero(l, stateOf(v), "the state of what the lock protects, after Consistent()")
	require.ErrorIs(l, lock.Consistent(), unix.EINVAL, "Consistent() the second time")
	require.NoError(l, lock.Unlock(), "Unlock()")
	require.NoError(l, second.Lock(never), "Lock() after Consistent() and Unlock()")
	require.ErrorIs(l, second.Consistent(), unix.EINVAL, "Consistent() of a lock whose last holder has not died")
	require.NoError(l, second.Unlock(), "Unlock()")

	// Who waits is told too when the holder only closes the region.
	closer := l.Start(holds, lab.Tell("name", name), lab.Tell("end", "waits, and closes the region"))
	closer.Report(new(bool))
	told := l.Start(locksAndRepairs, lab.Tell("name", name), lab.Tell("told", "always"))
	told.Blocks("another process holds the lock")
	closer.Go()
	closer.Report(new(bool))
	next := l.Call("Lock() of another process, whose holder closes the region: does Close() wake who waits?", told.Wait)
	next.ReturnsSoon(nil)
	closer.Exit()

	for _, end := range []string{"ends", "dies", "closes the region", "dies after it was told", "dies with a goroutine in another thread"} {
		if end == "dies after it was told" {
			require.Error(l, l.Start(holds, lab.Tell("name", name), lab.Tell("end", "dies")).Wait(), "a process that kills itself")
		}
		p := l.Start(holds, lab.Tell("name", name), lab.Tell("end", end))
		if p.Wait(); end == "ends" || end == "closes the region" {
			require.NoError(l, p.Wait(), "a process that holds the lock and %s", end)
		}
		require.ErrorIs(l, lock.TryLock(), shm.ErrOwnerDied, "TryLock() after its holder %s", end)
		require.NoError(l, lock.Consistent(), "Consistent()")
		require.NoError(l, lock.Unlock(), "Unlock()")
	}

	// A thread that ends is no process that ends.
	p := l.Start(threadEnds, lab.Tell("name", name))
	p.Report(new(bool))
	require.ErrorIs(l, lock.TryLock(), shm.ErrLocked, "TryLock() after a thread of the holder has ended: a goroutine's thread is not the process, and the list of robust futexes belongs to a thread")
	p.Exit()
	require.NoError(l, lock.TryLock(), "TryLock() after another goroutine of the holder has given the lock back")
	require.NoError(l, lock.Unlock(), "Unlock()")

	// Several locks in one process, in two regions. Some were given back, in whatever order.
	elsewhere, otherName := region(l, 256, func(r *shm.Region) error { _, err := shm.NewLock(r, 64); return err })
	other, err := shm.OpenLock(r, 128)
	third, thirdErr := shm.OpenLock(elsewhere, 64)
	require.NoError(l, errors.Join(err, thirdErr), "OpenLock()")
	for i, end := range severalEnds {
		require.Error(l, l.Start(holdsSeveral, lab.Tell("name", name), lab.Tell("other", otherName), lab.Tell("end", strconv.Itoa(i))).Wait(), "a process that kills itself")
		for n, lock := range []*shm.Lock{lock, other, third} {
			if slices.Contains(end.held, n) {
				require.ErrorIs(l, lock.TryLock(), shm.ErrOwnerDied, "TryLock() of lock %d of three, two in one region and one in another, after a process that %s was killed: is it told of each lock that was held?", n+1, end.what)
				require.NoError(l, errors.Join(lock.Consistent(), lock.Unlock()), "Consistent() and Unlock()")
				continue
			}
			require.NoError(l, lock.TryLock(), "TryLock() of lock %d of three, after a process that %s was killed: it did not hold that one", n+1, end.what)
			require.NoError(l, lock.Unlock(), "Unlock()")
		}
	}

	// The holder is killed between giving it back and waking the next one.
	unlocker, waiter := heldInUnlock(l, name)
	unlocker.Kill()
	next = l.Call("Lock() of another process, when the holder was killed in Unlock(): is the lock pending in its list then (list_op_pending)?", waiter.Wait)
	next.ReturnsSoon(nil)

	// Nobody repairs it.
	require.Error(l, l.Start(holds, lab.Tell("name", name), lab.Tell("end", "dies")).Wait(), "a process that kills itself")
	require.ErrorIs(l, lock.Lock(never), shm.ErrOwnerDied, "Lock() after its holder died")
	waits := l.Call("Lock() while the holder does not repair what is half done", func() error { return second.Lock(never) })
	waits.Blocks("the lock is held")
	fourth, err := shm.OpenLock(attached(l, name), 64)
	require.NoError(l, err, "OpenLock()")
	more := l.Call("Lock() of another one, while the holder does not repair what is half done", func() error { return fourth.Lock(never) })
	more.Blocks("the lock is held")
	require.NoError(l, lock.Unlock(), "Unlock() after ErrOwnerDied, without Consistent()")
	waits.ReturnsSoon(shm.ErrNotRecoverable)
	more.ReturnsSoon(shm.ErrNotRecoverable)
	require.Equal(l, 2, stateOf(v), "the state of what the lock protects: not recoverable")
	for _, word := range []uint32{0, diedBit} { // the second one as if somebody had died just when he was told so
		v.word(72).Store(word)
		require.ErrorIs(l, lock.Lock(never), shm.ErrNotRecoverable, "Lock() when nobody has repaired what was half done: is the state looked at first, also where FUTEX_OWNER_DIED is in the word?")
		v.word(72).Store(word)
		require.ErrorIs(l, second.TryLock(), shm.ErrNotRecoverable, "TryLock() when nobody has repaired what was half done: is the state looked at first, also where FUTEX_OWNER_DIED is in the word?")
		require.ErrorIs(l, lock.Unlock(), unix.EPERM, "Unlock() after ErrNotRecoverable: the lock is not held")
		require.ErrorIs(l, lock.Consistent(), unix.EINVAL, "Consistent() when it is too late")
	}
	unlocksForGood(l)
	thirdComesBetween(l)
	repairsWhatWasCut(l)
	lockVictims(l)
}
