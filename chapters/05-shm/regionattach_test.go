package shm_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	shm "ipcworkbook/chapters/05-shm"
	"ipcworkbook/harness/lab"
)

// Step 4: Attach looks at what is there before it maps it: at its size, its kind, its header.
func TestAttachLooksFirst(t *testing.T) {
	l := lab.New(t)
	_, name := region(l, 1000, nil)
	open := descriptors(l)
	for _, size := range []int{1001, 1 << 20, 1 << 40, math.MaxInt - 64, math.MaxInt} {
		_, err := shm.Attach(name, size)
		require.ErrorIs(l, err, shm.ErrTooSmall, "Attach() to a region of 1000 bytes, which has to have %d", size)
		require.ErrorContains(l, err, name, "Attach() to a region of 1000 bytes, which has to have %d: the text has the name", size)
		require.Subset(l, lab.Numbers(err, name), []int{1000, size}, "the numbers in the text of Attach() to a region of 1000 bytes, which has to have %d: it has both", size)
	}
	for _, size := range []int{0, 1, 999, 1000} {
		r, err := shm.Attach(name, size)
		require.NoError(l, err, "Attach() to a region of 1000 bytes, which has to have %d", size)
		require.Len(l, r.Bytes(), 1000, "Bytes() of a region of 1000 bytes, after Attach(name, %d)", size)
		require.NoError(l, r.Close(), "Close()")
	}
	_, err := shm.Attach(name, -1)
	require.ErrorIs(l, err, unix.EINVAL, "Attach(name, -1)")
	missing := named(l, "missing")
	_, err = shm.Attach(missing, 0)
	require.ErrorIs(l, err, unix.ENOENT, "Attach() where there is no region of that name")
	require.ErrorContains(l, err, missing, "Attach() where there is no region of that name: the text names it")
	require.False(l, exists(missing), "the file, after Attach() to what is not there: does it make one?")

	changed := func(offset int, size int, value uint64) []byte {
		file := append(header(1000), make([]byte, 1000)...)
		if size == 4 {
			binary.NativeEndian.PutUint32(file[offset:], uint32(value))
		} else {
			binary.NativeEndian.PutUint64(file[offset:], value)
		}
		return file
	}
	whole := append(header(1000), make([]byte, 1000)...)
	type file struct {
		what string
		file []byte
	}
	all := []file{
		{"an empty file", nil},
		{"a file that ends inside of the header", whole[:30]},
		{"a file that is nothing but a header", whole[:shm.HeaderSize]},
		{"a file that was cut", whole[:1063]},
		{"a file with more behind the region", append(whole[:1064:1064], 0)},
		{"a file of somebody else's", []byte(fmt.Sprintf("%01064d", 5))},
		{"a file of zeros, as one that is still being made", make([]byte, 1064)},
		{"a region of 0 bytes", header(0)},
		{"a file that begins with something else", changed(0, 4, 0x12345678)},
		{"a header that says 0 bytes", changed(16, 8, 0)},
		{"a header that says 999 bytes, of 1000", changed(16, 8, 999)},
		{"a header that says more than there is", changed(16, 8, 1<<30)},
		{"a header that says as many bytes as 64 bits can have", changed(16, 8, 1<<64-1)},
		{"a header whose size is negative with the header's own", changed(16, 8, 1<<63-10)},
		{"a region of version 0", changed(8, 4, 0)},
		{"a region of version 17", changed(8, 4, 17)},
	}
	for i := range 8 {
		other := changed(8, 4, shm.Version)
		other[i] ^= 1
		all = append(all, file{fmt.Sprintf("a file that begins with %q", other[:8]), other})
	}
	for _, bad := range all {
		name := named(l, "refused")
		put(l, name, bad.file)
		for _, size := range []int{0, 1000} {
			_, err := shm.Attach(name, size)
			require.ErrorIs(l, err, shm.ErrFormat, "Attach(name, %d) to %s: are size and header looked at before it is mapped?", size, bad.what)
			require.ErrorContains(l, err, name, "Attach() to %s: the text names it", bad.what)
		}
	}
	newer := named(l, "newer")
	put(l, newer, changed(8, 4, 17))
	_, err = shm.Attach(newer, 0)
	require.Subset(l, lab.Numbers(err, newer), []int{17, shm.Version}, "the numbers in the text of Attach() to a region of version 17: the text has both versions")

	link := named(l, "link")
	require.NoError(l, os.Symlink(pathOf(name), pathOf(link)), "symlink() of the test's own")
	_, err = shm.Attach(link, 0)
	require.ErrorIs(l, err, unix.ELOOP, "Attach() to a symbolic link, which somebody else may have put there: O_NOFOLLOW")
	fifo := named(l, "fifo")
	require.NoError(l, unix.Mkfifo(pathOf(fifo), 0o600), "mkfifo() of the test's own")
	call := l.Call("Attach() to a FIFO", func() error { _, err := shm.Attach(fifo, 0); return err })
	call.ReturnsSoon(shm.ErrFormat)
	folder := named(l, "folder")
	require.NoError(l, os.Mkdir(pathOf(folder), 0o700), "mkdir() of the test's own")
	_, err = shm.Attach(folder, 0)
	require.Error(l, err, "Attach() to a folder")
	// A hole takes no space, and it may be larger than what a process may map.
	huge := named(l, "huge")
	put(l, huge, header(hugeSize))
	require.NoError(l, os.Truncate(pathOf(huge), shm.HeaderSize+hugeSize), "making a large hole")
	require.NoError(l, l.Start(mapsNoMore, lab.Tell("name", huge)).Wait(), "a process that may not map as much")
	require.LessOrEqual(l, descriptors(l), open, "descriptors that are open after Attach() was refused")
	require.Empty(l, mappedOf(l, "-refused"), "mappings of what Attach() has refused")

	// Somebody puts a symbolic link there, between any two calls of who attaches.
	copy(viewOf(l, name).at(0), "theirs")
	held, next := named(l, "held"), named(l, "next")
	calls := l.Calls()
	attacher := l.Start(heldAttacher, lab.Tell("name", held), calls.HandOver())
	calls.Of(attacher)
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		put(l, held, whole)
		isHeld = calls.Hold(try)
		require.NoError(l, os.Symlink(pathOf(name), pathOf(next)), "symlink() of the test's own")
		require.NoError(l, os.Rename(pathOf(next), pathOf(held)), "rename() of the test's own")
		calls.Go()
		calls.Reports("the region of that name, or ELOOP", "Attach() while somebody puts a symbolic link in the place of the region: is it open(2) itself that follows none (O_NOFOLLOW)? A look before it comes too early")
	}
	attacher.Kill()

	// Who is not allowed is told so: another user is refused by the kernel like this.
	l.RefusesCalls()
	require.NoError(l, l.Start(isRefused, lab.Tell("name", name)).Wait(), "a process that the kernel refuses (EACCES)")
}

const hugeSize = 1 << 29

var mapsNoMore = lab.NewRole("process with few addresses", func(c *lab.Child) error {
	has, err := os.ReadFile("/proc/self/statm") // in pages
	if err != nil {
		return err
	}
	var pages uint64
	if _, err := fmt.Sscan(string(has), &pages); err != nil {
		return err
	}
	var most unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_AS, &most); err != nil {
		return err
	}
	most.Cur = min(most.Cur, pages*uint64(os.Getpagesize())+hugeSize/2)
	if err := unix.Setrlimit(unix.RLIMIT_AS, &most); err != nil {
		return err
	}
	if _, err := shm.Attach(c.Text("name"), 0); !errors.Is(err, unix.ENOMEM) {
		return fmt.Errorf("Attach() to a region that is too large to be mapped: expected ENOMEM, and got: %v", orNone(err))
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if target, _ := os.Readlink("/proc/self/fd/" + e.Name()); target == pathOf(c.Text("name")) {
			return errors.New("the file is open after Attach() was refused, since there are not as many addresses: is it closed on every way out?")
		}
	}
	return nil
})

var heldAttacher = lab.NewRole("process that attaches, and is held", func(c *lab.Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for range mostCalls {
		c.Wait()
		r, err := shm.Attach(c.Text("name"), 0)
		switch {
		case errors.Is(err, unix.ELOOP):
			c.Report("the region of that name, or ELOOP")
			continue
		case err != nil:
			c.Report("the error: " + err.Error())
			continue
		case string(r.Bytes()[:6]) == "theirs":
			c.Report("the region to which the link leads")
		default:
			c.Report("the region of that name, or ELOOP")
		}
		if err := r.Close(); err != nil {
			return fmt.Errorf("Close(): %w", err)
		}
	}
	return nil
})

var isRefused = lab.NewRole("process that is refused", func(c *lab.Child) error {
	for _, number := range []uint32{unix.SYS_OPENAT, unix.SYS_OPENAT2, unix.SYS_UNLINKAT} {
		if err := c.RefuseCall(unix.EACCES, number); err != nil {
			return err
		}
	}
	_, found := shm.Attach(c.Text("name"), 0)
	_, made := shm.Create(c.Text("name")+"-2", 100, nil)
	removed := shm.Remove(c.Text("name"))
	_, renewed := shm.Renew(c.Text("name"), 100, nil)
	for _, one := range []struct {
		what string
		err  error
	}{{"Attach()", found}, {"Create()", made}, {"Remove()", removed}, {"Renew()", renewed}} {
		what, err := one.what, one.err
		if !errors.Is(err, unix.EACCES) {
			return fmt.Errorf("%s that the kernel refuses: expected EACCES, and got: %v", what, orNone(err))
		}
	}
	return nil
})

// Step 5: the space is reserved when the region is made: a full /dev/shm is an error then,
// and not a SIGBUS later.
func TestSpaceIsReserved(t *testing.T) {
	l := lab.New(t)
	page := os.Getpagesize()
	for _, size := range []int{300_000, page - shm.HeaderSize + 1, page, 2 * page, 1 << 20} {
		_, name := region(l, size, nil)
		var s unix.Stat_t
		require.NoError(l, unix.Stat(pathOf(name), &s), "stat() of the test's own")
		require.GreaterOrEqual(l, s.Blocks*512, int64(shm.HeaderSize+size), "bytes that %s keeps for a region of %d bytes to which nothing was written: ftruncate(2) makes a hole. Is the space of the header reserved as well?", shm.Folder, size)
	}
	_, name := region(l, 100, nil)

	open := descriptors(l)
	var fs unix.Statfs_t
	require.NoError(l, unix.Statfs(shm.Folder, &fs), "statfs() of the test's own")
	for _, size := range []int{int(fs.Blocks)*int(fs.Bsize) + 1, 1 << 50} {
		if size < 1<<30 { // /dev/shm has no limit
			continue
		}
		name := named(l, "large")
		_, err := shm.Create(name, size, nil)
		if !errors.Is(err, unix.ENOSPC) && !errors.Is(err, unix.EFBIG) {
			require.ErrorIs(l, err, unix.ENOSPC, "Create() of %d bytes, where %s has %d in all", size, shm.Folder, int(fs.Blocks)*int(fs.Bsize))
		}
		require.False(l, exists(name), "the file, after Create() of more than there is")
	}
	require.LessOrEqual(l, descriptors(l), open, "descriptors that are open after Create() of more than there is")
	calls := l.Calls()
	interrupted := l.Start(isInterrupted, lab.Tell("name", named(l, "interrupted")), calls.HandOver())
	calls.Of(interrupted)
	calls.Refuse(unix.EINTR, 1, "", "fallocate")
	interrupted.Go()
	calls.Reports("made", "Create() whose fallocate(2) a signal interrupts, as it may where much space is asked for: is the call made again after EINTR?")
	interrupted.Exit()
	l.RefusesCalls()
	require.NoError(l, l.Start(hasNoSpace, lab.Tell("name", named(l, "full")), lab.Tell("there", name)).Wait(), "Create() in a full %s", shm.Folder)
}

var isInterrupted = lab.NewRole("maker that is interrupted", func(c *lab.Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	c.Wait()
	r, err := shm.Create(c.Text("name"), 5000, nil)
	c.Report(outcome(err))
	if err == nil {
		r.Close()
	}
	return nil
})

var hasNoSpace = lab.NewRole("process in a full /dev/shm", func(c *lab.Child) error {
	// As long as there is no space the kernel refuses what would take some.
	for _, number := range []uint32{unix.SYS_FALLOCATE, unix.SYS_PWRITE64, unix.SYS_PWRITEV, unix.SYS_WRITEV} {
		if err := c.RefuseCall(unix.ENOSPC, number); err != nil {
			return err
		}
	}
	_, made := shm.Create(c.Text("name"), 100_000, nil)
	_, renewed := shm.Renew(c.Text("name"), 100_000, nil)
	for _, one := range []struct {
		what string
		err  error
	}{{"Create()", made}, {"Renew()", renewed}} {
		what, err := one.what, one.err
		if !errors.Is(err, unix.ENOSPC) {
			return fmt.Errorf("%s where there is no space: expected ENOSPC, and got: %v", what, orNone(err))
		}
		if text := err.Error(); !strings.Contains(text, shm.Folder) {
			return fmt.Errorf("%s where there is no space: the text names %s: %w", what, shm.Folder, err)
		}
	}
	if exists(c.Text("name")) {
		return errors.New("Create() where there is no space has left a file")
	}
	r, err := shm.Attach(c.Text("there"), 0)
	if err != nil {
		return fmt.Errorf("Attach() in a full %s, which takes no space: %w", shm.Folder, err)
	}
	return r.Close()
})

// Step 6: a file that is cut under its mapping makes an error of each call, and never ends the
// process.
func TestCutFileIsAnError(t *testing.T) {
	l := lab.New(t)
	page := os.Getpagesize()
	r, name := region(l, 4*page, nil)
	other := l.Start(goesOnAfterTheCut, lab.Tell("name", name))
	other.Report(new(bool))
	copy(r.Bytes(), "hello")
	require.NoError(l, os.Truncate(pathOf(name), int64(page)), "cutting the file, as anybody may who may write to it")

	p := make([]byte, 10)
	n, err := r.ReadAt(p, int64(3*page))
	require.ErrorIs(l, err, shm.ErrCut, "ReadAt() of bytes that were cut: SIGBUS can be made an error (debug.SetPanicOnFault)")
	require.ErrorContains(l, err, name, "ReadAt() of bytes that were cut: the text names the region")
	require.Zero(l, n, "how many bytes ReadAt() has read, where all of them were cut")
	n, err = r.WriteAt(p, int64(3*page))
	require.ErrorIs(l, err, shm.ErrCut, "WriteAt() of bytes that were cut")
	require.Zero(l, n, "how many bytes WriteAt() has written, where all of them were cut")
	n, err = r.ReadAt(make([]byte, 4*page), 0)
	require.ErrorIs(l, err, shm.ErrCut, "ReadAt() of bytes of which the last ones were cut")
	require.LessOrEqual(l, n, page, "how many bytes ReadAt() has read, where one page is left: does it count them before they are copied?")
	n, err = r.ReadAt(p[:5], 0)
	require.NoError(l, err, "ReadAt() of bytes that are still there, after an error")
	require.Equal(l, "hello", string(p[:n]), "ReadAt() of bytes that are still there")
	other.Exit()

	require.NoError(l, os.Truncate(pathOf(name), 0), "cutting the whole file")
	_, err = r.ReadAt(p, 0)
	require.ErrorIs(l, err, shm.ErrCut, "ReadAt() after the whole file was cut")
	_, err = shm.Attach(name, 0)
	require.ErrorIs(l, err, shm.ErrFormat, "Attach() to a file that was cut")
	require.False(l, debug.SetPanicOnFault(false), "debug.SetPanicOnFault, as calls have left it that met a fault: the program's own faults should end it as before")
	debug.SetPanicOnFault(true)
	_, _ = r.ReadAt(p, 0)
	require.True(l, debug.SetPanicOnFault(false), "debug.SetPanicOnFault, as a call has left it, where the caller had set it: it belongs to the caller's goroutine")
	require.NoError(l, r.Close(), "Close() of a region whose file was cut")

	// The program's own faults are something else.
	r, _ = region(l, page, nil)
	none, err := unix.Mmap(-1, 0, page, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(l, err, "mmap() of the test's own")
	l.CloseAtEnd(view{none})
	debug.SetPanicOnFault(true)
	for _, one := range []struct {
		what string
		f    func([]byte, int64) (int, error)
	}{{"ReadAt()", r.ReadAt}, {"WriteAt()", r.WriteAt}} {
		what, f := one.what, one.f
		got := "a panic"
		if panicOf(func() { _, err := f(none[:10], 0); got = fmt.Sprintf("the error: %v", err) }) == nil && got == "a panic" {
			got = "no panic"
		}
		require.Equal(l, "a panic", got, "%s with a p that nobody may touch: is the address of the fault (Addr() of the panic's value) in the mapping?", what)
	}
	debug.SetPanicOnFault(false)
	require.NoError(l, r.Close(), "Close()")
	_, err = r.ReadAt(p, 0)
	require.ErrorIs(l, err, os.ErrClosed, "ReadAt() after Close()")
}

var goesOnAfterTheCut = lab.NewRole("process that is attached", func(c *lab.Child) error {
	r, err := shm.Attach(c.Text("name"), 0)
	if err != nil {
		return fmt.Errorf("Attach(): %w", err)
	}
	c.Report(true)
	c.Wait()
	if _, err := r.ReadAt(make([]byte, 10), int64(3*os.Getpagesize())); !errors.Is(err, shm.ErrCut) {
		return fmt.Errorf("ReadAt() in a process that was attached before the file was cut: expected ErrCut, and got: %v", orNone(err))
	}
	return r.Close()
})

// Step 7: a name stays until Remove: whoever only attached does not remove it, nor does the
// maker's end.
func TestNameStaysUntilRemove(t *testing.T) {
	l := lab.New(t)
	name := named(l, "jobs")
	maker := l.Start(makesAndDies, lab.Tell("name", name))
	require.Error(l, maker.Wait(), "the maker of the region, which kills itself")
	require.True(l, exists(name), "the name, after its maker was killed")
	r := attached(l, name)
	require.Equal(l, "left behind", string(r.Bytes()[:11]), "what a killed process has left in the region")

	for _, end := range []string{"closes", "ends", "is killed"} {
		other := l.Start(attaches, lab.Tell("name", name), lab.Tell("end", end))
		if end == "is killed" {
			require.Error(l, other.Wait(), "a process that kills itself")
		} else {
			require.NoError(l, other.Wait(), "a process that attaches and %s", end)
		}
		require.True(l, exists(name), "the name, after a process that had only attached %s: only Remove takes it away", end)
	}
	made, second := region(l, 100, nil)
	require.NoError(l, made.Close(), "Close() of the process that made it")
	lab.CollectGarbage()
	require.True(l, exists(second), "the name, after its maker has closed the region: only Remove takes it away")

	require.NoError(l, l.Start(keepsOnlyMemory, lab.Tell("name", name)).Wait(), "a process that keeps nothing of a region but Bytes() and Uint64()")

	require.NoError(l, shm.Remove(name), "Remove()")
	require.False(l, exists(name), "the name, after Remove()")
	_, err := shm.Attach(name, 0)
	require.ErrorIs(l, err, unix.ENOENT, "Attach() after Remove()")
	require.ErrorIs(l, shm.Remove(name), unix.ENOENT, "Remove() the second time")
	require.ErrorContains(l, shm.Remove(name), name, "Remove() of what is not there: the text names it")
	folder := named(l, "folder")
	require.NoError(l, os.Mkdir(pathOf(folder), 0o700), "mkdir() of the test's own")
	require.ErrorIs(l, shm.Remove(folder), unix.EISDIR, "Remove() where there is an empty folder: is it unlink(2) that removes? os.Remove() tries rmdir(2), too.")
	require.True(l, exists(folder), "an empty folder, after Remove() was refused")
	link := named(l, "link")
	for _, target := range []string{folder, named(l, "nowhere")} {
		require.NoError(l, os.Symlink(pathOf(target), pathOf(link)), "symlink() of the test's own")
		require.NoError(l, shm.Remove(link), "Remove() of a symbolic link, to a folder or to nothing: it is the link that goes. Does a look before it follow links, as stat(2) does?")
		require.False(l, exists(link), "a symbolic link, after Remove()")
	}
	require.True(l, exists(folder), "a folder, after Remove() of a symbolic link that leads there")
	copy(r.Bytes(), "still there")
	p := make([]byte, 11)
	_, err = r.ReadAt(p, 0)
	require.NoError(l, err, "ReadAt() after Remove(): who has the region goes on")
	require.Equal(l, "still there", string(p), "ReadAt() after Remove(): who has the region goes on")
	fresh, err := shm.Create(name, 50, nil)
	require.NoError(l, err, "Create() after Remove(): the name is free")
	l.CloseAtEnd(fresh)
	require.Equal(l, make([]byte, 50), fresh.Bytes(), "a new region under an old name")
	require.Equal(l, "still there", string(r.Bytes()[:11]), "the old region, which has no name any more")
	require.NoError(l, r.Close(), "Close() of the old region")
	require.True(l, exists(name), "the name, which belongs to a new region, after Close() of the old one")
}

var makesAndDies = lab.NewRole("maker that is killed", func(c *lab.Child) error {
	r, err := shm.Create(c.Text("name"), 4096, func(r *shm.Region) error {
		copy(r.Bytes(), "left behind")
		return nil
	})
	if err != nil {
		return fmt.Errorf("Create(): %w", err)
	}
	if r == nil {
		return errors.New("Create() returned neither a region nor an error")
	}
	c.Die()
	return nil
})

var attaches = lab.NewRole("process that only attaches", func(c *lab.Child) error {
	r, err := shm.Attach(c.Text("name"), 0)
	if err != nil {
		return fmt.Errorf("Attach(): %w", err)
	}
	switch c.Text("end") {
	case "closes":
		return r.Close()
	case "is killed":
		c.Die()
	}
	return nil
})

// keepsOnlyMemory has nothing of the region but its memory, when the collector comes.
var keepsOnlyMemory = lab.NewRole("process that keeps only the memory", func(c *lab.Child) error {
	memory, number, err := onlyMemory(c.Text("name"))
	if err != nil {
		return err
	}
	lab.CollectGarbage()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return err
	}
	if !strings.Contains(string(maps), pathOf(c.Text("name"))) {
		return errors.New("the mapping is gone, and nobody has called Close(): is it the garbage collector that takes it away?")
	}
	number.Add(1)
	return same(memory[:4], "left")
})

func onlyMemory(name string) ([]byte, *atomic.Uint64, error) {
	r, err := shm.Attach(name, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("Attach(): %w", err)
	}
	number, err := r.Uint64(1024)
	if err != nil {
		return nil, nil, fmt.Errorf("Uint64(): %w", err)
	}
	return r.Bytes(), number, nil
}
