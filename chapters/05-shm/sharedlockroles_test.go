package shm_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"github.com/stretchr/testify/require"

	shm "ipcworkbook/chapters/05-shm"
	"ipcworkbook/harness/lab"
)

// Who holds and who waits in step 15, and what it asks of them.

// unlocksForGood holds one that unlocks what is half done, between any two calls of Unlock.
func unlocksForGood(l *lab.Lab) {
	r, lock, name := locked(l)
	require.Error(l, l.Start(holds, lab.Tell("name", name), lab.Tell("end", "dies")).Wait(), "a process that kills itself")
	calls := l.Calls()
	unlocker := l.Start(heldUnlocker, lab.Tell("name", name), calls.HandOver())
	calls.Of(unlocker)
	unlocker.Report(new(bool))
	second, err := shm.OpenLock(r, 64)
	require.NoError(l, err, "OpenLock()")
	waits := l.Call("Lock() while the holder does not repair what is half done", func() error { return second.Lock(never) })
	waits.Blocks("the lock is held")
	for isHeld := calls.Hold(0); isHeld; isHeld = calls.HoldNext() {
		if err := lock.TryLock(); !errors.Is(err, shm.ErrLocked) {
			require.ErrorIs(l, err, shm.ErrNotRecoverable, "TryLock() while another process unlocks what is half done, %s: is it written that this is not recoverable before the lock is free?", calls)
		}
	}
	waits.ReturnsSoon(shm.ErrNotRecoverable)
	require.NoError(l, unlocker.Wait(), "a process that unlocks what is half done")
}

// repairsWhatWasCut has locks on a page that is cut when they are held after ErrOwnerDied.
func repairsWhatWasCut(l *lab.Lab) {
	page := os.Getpagesize()
	r, name := region(l, 3*page, func(r *shm.Region) error { _, err := shm.NewLock(r, page); return err })
	dies := attached(l, name)
	for _, one := range []*shm.Region{dies, r} {
		lock, err := shm.OpenLock(one, page)
		require.NoError(l, err, "OpenLock()")
		if one == dies {
			require.NoError(l, errors.Join(lock.Lock(never), dies.Close()), "Lock(), and Close() of the region")
			continue
		}
		require.ErrorIs(l, lock.Lock(never), shm.ErrOwnerDied, "Lock() after its holder has closed the region")
		require.NoError(l, os.Truncate(pathOf(name), shm.HeaderSize), "cutting the file")
		require.ErrorIs(l, lock.Consistent(), shm.ErrCut, "Consistent() after ErrOwnerDied, when the file was cut")
		require.ErrorIs(l, lock.Unlock(), shm.ErrCut, "Unlock() after ErrOwnerDied, when the file was cut")
	}
	require.NoError(l, r.Close(), "Close() of a region whose file was cut while one of its locks was held")
	_, lock, _ := locked(l)
	require.NoError(l, errors.Join(lock.Lock(never), lock.Unlock()), "Lock() and Unlock() in another region, after a file was cut while one of its locks was held")
}

var holds = lab.NewRole("holder", func(c *lab.Child) error {
	r, lock, err := childsLock(c)
	if err != nil {
		return err
	}
	want := error(nil)
	if c.Text("end") == "dies after it was told" {
		want = shm.ErrOwnerDied
	}
	if err := lock.Lock(never); !errors.Is(err, want) {
		return fmt.Errorf("Lock(): expected %v, and got: %v", orNone(want), orNone(err))
	}
	switch c.Text("end") {
	case "waits":
		c.Report(true)
		c.Wait()
	case "closes the region":
		return r.Close()
	case "waits, and closes the region":
		c.Report(true)
		c.Wait()
		if err := r.Close(); err != nil {
			return err
		}
		c.Report(true)
		c.Wait()
	case "dies with a goroutine in another thread":
		go func() { runtime.LockOSThread(); c.Die() }()
		select {}
	case "dies", "dies after it was told":
		c.Die()
	}
	return nil
})

// severalEnds are what a process does with three locks before it is killed, and which of
// them it holds then.
var severalEnds = []struct {
	what string
	does func(r *shm.Region, first, second, third *shm.Lock) error
	held []int
}{
	{"held all", func(_ *shm.Region, first, second, third *shm.Lock) error {
		return errors.Join(first.Lock(never), second.Lock(never), third.Lock(never))
	}, []int{0, 1, 2}},
	{"had given back the second one and taken it again", func(_ *shm.Region, first, second, third *shm.Lock) error {
		return errors.Join(first.Lock(never), second.Lock(never), third.Lock(never), second.Unlock(), second.Lock(never))
	}, []int{0, 1, 2}},
	{"had given back the second one", func(_ *shm.Region, first, second, third *shm.Lock) error {
		return errors.Join(first.Lock(never), second.Lock(never), third.Lock(never), second.Unlock())
	}, []int{0, 2}},
	{"had given back the first one", func(_ *shm.Region, first, second, third *shm.Lock) error {
		return errors.Join(first.Lock(never), second.Lock(never), third.Lock(never), first.Unlock())
	}, []int{1, 2}},
	{"had closed one region with a lock held, and held one in the other,", func(r *shm.Region, first, second, third *shm.Lock) error {
		return errors.Join(third.Lock(never), first.Lock(never), second.Lock(never), second.Unlock(), r.Close())
	}, []int{0, 2}},
	{"had closed one region with a lock held, and then taken one in the other,", func(r *shm.Region, first, _, third *shm.Lock) error {
		return errors.Join(first.Lock(never), r.Close(), third.Lock(never))
	}, []int{0, 2}},
}

var holdsSeveral = lab.NewRole("holder of several locks", func(c *lab.Child) error {
	r, first, err := childsLock(c)
	if err != nil {
		return err
	}
	second, err := shm.OpenLock(r, 128)
	if err != nil {
		return err
	}
	other, err := shm.Attach(c.Text("other"), 0)
	if err != nil {
		return err
	}
	third, err := shm.OpenLock(other, 64)
	if err != nil {
		return err
	}
	i, err := strconv.Atoi(c.Text("end"))
	if err != nil {
		return err
	}
	if err := severalEnds[i].does(r, first, second, third); err != nil {
		return err
	}
	c.Die()
	return nil
})

// threadEnds locks in a goroutine whose thread ends with it.
var threadEnds = lab.NewRole("holder whose thread ends", func(c *lab.Child) error {
	_, lock, err := childsLock(c)
	if err != nil {
		return err
	}
	lab.OnEndingThread(func() { err = lock.Lock(never) })
	if err != nil {
		return fmt.Errorf("Lock(): %w", err)
	}
	c.Report(true)
	c.Wait()
	return lock.Unlock()
})

var locksAndRepairs = lab.NewRole("process that waits for the lock", func(c *lab.Child) error {
	_, lock, err := childsLock(c)
	if err != nil {
		return err
	}
	switch err := lock.Lock(never); {
	case errors.Is(err, shm.ErrOwnerDied):
		if err := lock.Consistent(); err != nil {
			return fmt.Errorf("Consistent(): %w", err)
		}
	case err != nil:
		return fmt.Errorf("Lock(): %w", err)
	case c.Text("told") == "always":
		return fmt.Errorf("Lock(): expected %w, and got no error", shm.ErrOwnerDied)
	}
	return lock.Unlock()
})

var heldUnlocker = lab.NewRole("unlocker that is held", func(c *lab.Child) error {
	_, lock, err := childsLock(c)
	if err != nil {
		return err
	}
	if err := lock.Lock(never); err != nil && !errors.Is(err, shm.ErrOwnerDied) {
		return fmt.Errorf("Lock(): %w", err)
	}
	if err := c.ShowCalls(); err != nil {
		return err
	}
	c.Report(true)
	c.Wait()
	return lock.Unlock()
})
