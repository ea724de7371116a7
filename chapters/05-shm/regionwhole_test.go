package shm_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	shm "ipcworkbook/chapters/05-shm"
	"ipcworkbook/harness/lab"
)

// Step 8: a region is whole from its first moment, with all that setup puts into it: a second
// process gets all of it, or an error.
func TestRegionIsWholeFromItsFirstMoment(t *testing.T) {
	l := lab.New(t)
	name := named(l, "jobs")
	r, err := shm.Create(name, 100, func(r *shm.Region) error {
		require.Len(l, r.Bytes(), 100, "Bytes() in the setup of Create()")
		require.False(l, exists(name), "the name, while setup runs: it comes when all is there")
		copy(r.Bytes(), "ready")
		return nil
	})
	require.NoError(l, err, "Create()")
	l.CloseAtEnd(r)
	require.Equal(l, "ready", string(attached(l, name).Bytes()[:5]), "what setup has put there, in another mapping")
	require.Equal(l, "ready", string(r.Bytes()[:5]), "what setup has put there, in what Create() returned")

	// Another process looks between any two calls of the maker.
	name = named(l, "held")
	calls := l.Calls()
	maker := l.Start(heldMaker, lab.Tell("name", name), calls.HandOver())
	calls.Of(maker)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		os.Remove(pathOf(name))
		isHeld = calls.Hold(try)
		require.NoError(l, found(name), "Attach() while another process makes the region, %s", calls)
		if isHeld {
			require.Empty(l, otherFiles(maker.PID(), name), "files in %s that would stay if the maker were killed now, %s: a file without a name (O_TMPFILE) goes with its process", shm.Folder, calls)
		}
		calls.Go()
		calls.Reports("made", "Create() while others look")
	}
	maker.Kill()

	// Of several that make one name exactly one succeeds.
	calls = l.Calls()
	maker = l.Start(heldMaker, lab.Tell("name", name), calls.HandOver())
	calls.Of(maker)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		os.Remove(pathOf(name))
		isHeld = calls.Hold(try)
		other, err := shm.Create(name, 200, nil)
		want := "made"
		if err == nil {
			copy(other.Bytes(), "mine")
			want = unix.EEXIST.Error()
		} else {
			require.ErrorIs(l, err, unix.EEXIST, "Create() of a name that another process has made")
		}
		calls.Go()
		calls.Reports(want, "Create() while another process makes a region of that name: is it exclusive to the last moment?")
		if err == nil {
			require.Equal(l, "mine", string(attached(l, name).Bytes()[:4]), "the region of who was first")
			require.NoError(l, other.Close(), "Close()")
		}
	}
	maker.Kill()
}

// found says what is wrong with what somebody finds who comes at this moment.
func found(name string) error {
	info, err := os.Lstat(pathOf(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode() != 0o600 {
		return fmt.Errorf("the permissions are %v at this moment", info.Mode())
	}
	r, err := shm.Attach(name, 500)
	if err != nil {
		return fmt.Errorf("the name is there, and the region is not: %w", err)
	}
	defer r.Close()
	return same(r.Bytes()[400:405], "ready")
}

// otherFiles are files in the folder that a process has open or mapped, with another name than that.
func otherFiles(pid int, name string) (others []string) {
	for _, what := range []string{"fd", "map_files"} {
		dir := fmt.Sprintf("/proc/%d/%s/", pid, what)
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			target, _ := os.Readlink(dir + e.Name())
			if strings.HasPrefix(target, shm.Folder+"/") && !strings.HasSuffix(target, " (deleted)") && target != pathOf(name) && !slices.Contains(others, target) {
				others = append(others, target)
			}
		}
	}
	return others
}

var heldMaker = lab.NewRole("maker that is held", func(c *lab.Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for range 2 * mostCalls {
		c.Wait()
		r, err := shm.Create(c.Text("name"), 500, func(r *shm.Region) error {
			copy(r.Bytes()[400:], "ready")
			return nil
		})
		c.Report(outcome(err))
		if err == nil {
			r.Close()
		}
	}
	return nil
})

// outcome is how making a region ended.
func outcome(err error) string {
	switch {
	case err == nil:
		return "made"
	case errors.Is(err, unix.EEXIST):
		return unix.EEXIST.Error()
	}
	return "the error: " + err.Error()
}

// Step 9: Renew takes the name of what a crashed run left, and never its content.
func TestRenewStartsAnew(t *testing.T) {
	l := lab.New(t)
	name := named(l, "jobs")
	for _, left := range []string{"nothing", "a region of a crashed run", "a region that somebody has", "a file of somebody else's", "a symbolic link", "a symbolic link that leads nowhere", "a symbolic link to a folder"} {
		os.Remove(pathOf(name))
		var old *shm.Region
		target := named(l, "target")
		switch left {
		case "a region of a crashed run", "a region that somebody has":
			require.Error(l, l.Start(makesAndDies, lab.Tell("name", name)).Wait(), "the maker of the region, which kills itself")
			if left == "a region that somebody has" {
				old = attached(l, name)
			}
		case "a file of somebody else's":
			put(l, name, []byte("something else"))
		case "a symbolic link":
			put(l, target, []byte("theirs"))
		case "a symbolic link to a folder":
			require.NoError(l, os.Mkdir(pathOf(target), 0o700), "mkdir() of the test's own")
		}
		if strings.HasPrefix(left, "a symbolic link") {
			require.NoError(l, os.Symlink(pathOf(target), pathOf(name)), "symlink() of the test's own")
		}
		var r *shm.Region
		call := l.Call(fmt.Sprintf("Renew() where there is %s: it is what bears the name that goes, also where that is a link", left), func() (err error) {
			r, err = shm.Renew(name, 200, func(r *shm.Region) error { copy(r.Bytes()[100:], "new"); return nil })
			return err
		})
		call.ReturnsSoon(nil)
		l.CloseAtEnd(r)
		want := make([]byte, 200)
		copy(want[100:], "new")
		l.SameBytes(want, r.Bytes(), "the region that Renew() made where there was %s: is it new, and of the size that was asked for?", left)
		copy(r.Bytes(), "written")
		require.Equal(l, "written", string(attached(l, name).Bytes()[:7]), "what Attach() finds after Renew()")
		if old != nil {
			require.Len(l, old.Bytes(), 4096, "the old region, which somebody has")
			require.Equal(l, "left behind", string(old.Bytes()[:11]), "the old region, which somebody has: it goes on")
		}
		if left == "a symbolic link" {
			text, _ := os.ReadFile(pathOf(target))
			require.Equal(l, "theirs", string(text), "the file that a symbolic link led to, after Renew()")
		}
		require.Equal(l, left == "a symbolic link" || left == "a symbolic link to a folder", exists(target), "whether there is something where a symbolic link led, after Renew() where there was %s", left)
	}
	_, err := shm.Renew(name, 0, nil)
	require.ErrorIs(l, err, unix.EINVAL, "Renew() of 0 bytes")
	failed := errors.New("no")
	open, mapped := descriptors(l), len(mappedOf(l, shm.Folder))
	_, err = shm.Renew(name, 100, func(*shm.Region) error { return failed })
	require.ErrorIs(l, err, failed, "Renew() whose setup returns an error")
	require.LessOrEqual(l, descriptors(l), open, "descriptors that are open after Renew(), whose setup returned an error")
	require.Len(l, mappedOf(l, shm.Folder), mapped, "mappings of this process, after Renew(), whose setup returned an error: is it unmapped then?")
	nobodys := named(l, "nobodys")
	_, err = shm.Renew(nobodys, 100, func(*shm.Region) error { return failed })
	require.Equal(l, failed, err, "Renew() where there is none, and whose setup returns an error")
	require.False(l, exists(nobodys), "the name, after Renew() where there was none, whose setup returned an error")
	for _, own := range []error{unix.EEXIST, unix.ENOENT} {
		call := l.Call(fmt.Sprintf("Renew() whose setup returns %q, as NewLock may: is it taken for another process, and tried again for ever?", own), func() error {
			_, err := shm.Renew(name, 100, func(*shm.Region) error { return own })
			return err
		})
		call.ReturnsSoon(own)
	}
	folder := named(l, "folder")
	require.NoError(l, os.Mkdir(pathOf(folder), 0o700), "mkdir() of the test's own")
	call := l.Call("Renew() where there is a folder", func() error { _, err := shm.Renew(folder, 100, nil); return err })
	call.FailsSoon()

	// Another process may make or remove a region of that name between any two calls.
	name = named(l, "held")
	for _, does := range []string{"makes", "removes"} {
		calls := l.Calls()
		renewer := l.Start(heldRenewer, lab.Tell("name", name), calls.HandOver())
		calls.Of(renewer)
		for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
			os.Remove(pathOf(name))
			if does == "removes" {
				otherRegion(l, name)
			}
			isHeld = calls.Hold(try)
			if isHeld {
				require.Empty(l, otherFiles(renewer.PID(), name), "files in %s that would stay if Renew() were killed now, %s: a second name stays", shm.Folder, calls)
			}
			if does == "removes" {
				os.Remove(pathOf(name))
			} else {
				otherRegion(l, name)
			}
			calls.Go()
			calls.Reports("a new region", "Renew() while another process "+does+" a region of that name: is the region new for certain, and is it tried again when another one was faster (EEXIST)? Is it no error when there is nothing to remove?")
		}
		renewer.Kill()
	}

	// Or again and again.
	calls := l.Calls()
	renewer := l.Start(heldRenewer, lab.Tell("name", name), calls.HandOver())
	calls.Of(renewer)
	for n, isHeld := 0, calls.Hold(0); isHeld && n < 2*mostCalls; n, isHeld = n+1, calls.HoldNext() {
		otherRegion(l, name)
	}
	calls.Go()
	calls.Reports("a new region", "Renew() while another process makes a region of that name again and again: is it tried until it succeeds?")
	renewer.Kill()
	begun := 0
	r, err := shm.Renew(name, 500, func(*shm.Region) error {
		if begun++; begun <= 300 {
			otherRegion(l, name)
		}
		return nil
	})
	require.NoError(l, err, "Renew() while somebody makes a region of that name again and again, 300 times if setup is called as often: is it tried until it succeeds?")
	l.CloseAtEnd(r)
}

// otherRegion is what another process makes of that name, if none is there.
func otherRegion(l *lab.Lab, name string) {
	r, err := shm.Create(name, 300, func(r *shm.Region) error { copy(r.Bytes(), "old"); return nil })
	if errors.Is(err, unix.EEXIST) {
		return
	}
	require.NoError(l, err, "Create()")
	require.NoError(l, r.Close(), "Close()")
}

var heldRenewer = lab.NewRole("renewer that is held", func(c *lab.Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for range mostCalls {
		c.Wait()
		r, err := shm.Renew(c.Text("name"), 500, nil)
		got := "a new region"
		if err != nil {
			got = "the error: " + err.Error()
		} else if len(r.Bytes()) != 500 || r.Bytes()[0] != 0 {
			got = fmt.Sprintf("a region of %d bytes with %q in it", len(r.Bytes()), r.Bytes()[:3])
		}
		c.Report(got)
		if err == nil {
			r.Close()
		}
	}
	return nil
})
