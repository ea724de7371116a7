package shm_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	shm "ipcworkbook/chapters/05-shm"
	"ipcworkbook/harness/lab"
)

// Step 1: two processes see the same bytes, and atomic operations are atomic for both.
func TestTwoProcessesSeeTheSameBytes(t *testing.T) {
	l := lab.New(t)
	r, name := region(l, 1000, nil)
	l.MustUse(lab.SharedMapping)
	info, err := os.Lstat(pathOf(name))
	require.NoError(l, err, "the file of a region that Create() has made: it is in %s, and has the region's name", shm.Folder)
	require.Equal(l, int64(shm.HeaderSize+1000), info.Size(), "the size of the file of a region of 1000 bytes: the header and these")
	require.Len(l, r.Bytes(), 1000, "Bytes() of a region of 1000 bytes")
	require.Equal(l, 1000, cap(r.Bytes()), "the capacity of Bytes(): does it reach behind the region?")
	v := viewOf(l, name)
	require.Equal(l, header(1000), v.all[:shm.HeaderSize], "the header of the file")
	require.Equal(l, make([]byte, 1000), v.at(0), "the bytes of a new region")

	copy(r.Bytes()[10:], "hello")
	require.Equal(l, "hello", string(v.at(10)[:5]), "what another mapping of the file shows, after Bytes() was written to: is the mapping shared?")
	copy(v.at(20), "back")
	require.Equal(l, "back", string(r.Bytes()[20:24]), "Bytes(), after another mapping of the file was written to: is it the mapping itself?")

	other := l.Start(answers, lab.Tell("name", name))
	var read string
	other.Report(&read)
	require.Equal(l, "hello", read, "ReadAt() in another process that is attached to the region")
	other.MustUse(lab.SharedMapping)
	l.MustShare(lab.SharedMapping, other)
	other.Exit()
	require.Equal(l, "world", string(r.Bytes()[990:995]), "Bytes(), after WriteAt() in another process")

	const times = 20000
	first, second := l.Start(adds, lab.Tell("name", name), lab.Tell("times", strconv.Itoa(times))), l.Start(adds, lab.Tell("name", name), lab.Tell("times", strconv.Itoa(times)))
	first.Go()
	second.Go()
	require.NoError(l, errors.Join(first.Wait(), second.Wait()), "two processes that add to one number")
	sum, err := r.Uint64(16 * 8)
	require.NoError(l, err, "Uint64() of eight bytes in the region")
	require.Equal(l, 2*times, int(sum.Load()), "a number to which two processes have added 1, each %d times: is it the memory of the mapping?", times)
	require.Equal(l, sum.Load(), v.long(16*8).Load(), "Uint64(128).Load(), and what the file has there")

	for _, mode := range []string{"0", "0277"} {
		var made string
		l.Start(makesWithUmask, lab.Tell("name", named(l, "mode")), lab.Tell("umask", mode)).Report(&made)
		require.Equal(l, "-rw-------", made, "permissions of what Create() made where the umask is %s: 0600 whatever that is, and the umask belongs to the whole process", mode)
	}

	open, mapped := descriptors(l), len(mappedOf(l, shm.Folder))
	made, err := shm.Create(named(l, "closed"), 5000, nil)
	require.NoError(l, err, "Create()")
	again, err := shm.Attach(name, 0)
	require.NoError(l, err, "Attach()")
	require.Len(l, again.Bytes(), 1000, "Bytes() after Attach(name, 0)")
	require.NoError(l, again.Close(), "Close()")
	require.NoError(l, made.Close(), "Close()")
	require.LessOrEqual(l, descriptors(l), open, "descriptors that are open after Create(), Attach() and two Close(): a mapping needs none")
	require.Len(l, mappedOf(l, shm.Folder), mapped, "mappings of this process, after two Close(): is it unmapped?")
	for _, one := range afterClose(made) {
		require.ErrorIs(l, one.err, os.ErrClosed, "%s after Close(), where the region had 5000 bytes: that comes before all other errors", one.what)
	}
	require.Equal(l, "hello", string(r.Bytes()[10:15]), "Bytes(), after another mapping of the region was closed")
}

type called struct {
	what string
	err  error
}

// afterClose calls what a region has, when that was closed.
func afterClose(r *shm.Region) (all []called) {
	for _, at := range []struct{ offset, length int }{{0, 10}, {0, 0}, {5000, 0}, {5000, 1}, {-1, 1}} {
		_, read := r.ReadAt(make([]byte, at.length), int64(at.offset))
		_, written := r.WriteAt(make([]byte, at.length), int64(at.offset))
		_, number := r.Uint64(at.offset)
		all = append(all, called{fmt.Sprintf("ReadAt() of %d bytes at %d", at.length, at.offset), read},
			called{fmt.Sprintf("WriteAt() of %d bytes at %d", at.length, at.offset), written},
			called{fmt.Sprintf("Uint64(%d)", at.offset), number})
	}
	return append(all, called{"Close()", r.Close()})
}

var answers = lab.NewRole("second process", func(c *lab.Child) error {
	r, err := shm.Attach(c.Text("name"), 1000)
	if err != nil {
		return fmt.Errorf("Attach(): %w", err)
	}
	p := make([]byte, 5)
	if _, err := r.ReadAt(p, 10); err != nil {
		return fmt.Errorf("ReadAt(): %w", err)
	}
	if _, err := r.WriteAt([]byte("world"), 990); err != nil {
		return fmt.Errorf("WriteAt(): %w", err)
	}
	c.Report(string(p))
	c.Wait()
	return r.Close()
})

var adds = lab.NewRole("adds to a number", func(c *lab.Child) error {
	times, err := strconv.Atoi(c.Text("times"))
	if err != nil {
		return err
	}
	r, err := shm.Attach(c.Text("name"), 1000)
	if err != nil {
		return fmt.Errorf("Attach(): %w", err)
	}
	sum, err := r.Uint64(16 * 8)
	if err != nil {
		return fmt.Errorf("Uint64(): %w", err)
	}
	c.Wait()
	for range times {
		sum.Add(1)
	}
	return r.Close()
})

var makesWithUmask = lab.NewRole("maker with a umask", func(c *lab.Child) error {
	mask, err := strconv.ParseInt(c.Text("umask"), 8, 32)
	if err != nil {
		return err
	}
	unix.Umask(int(mask))
	r, err := shm.Create(c.Text("name"), 100, nil)
	if err != nil {
		return fmt.Errorf("Create(): %w", err)
	}
	if now := unix.Umask(int(mask)); now != int(mask) {
		return fmt.Errorf("Create() changed the umask to %#o: it belongs to the whole process", now)
	}
	info, err := os.Lstat(pathOf(c.Text("name")))
	if err != nil {
		return err
	}
	c.Report(info.Mode().String())
	return r.Close()
})

// Step 2: no call reaches outside of the region.
func TestCallsStayInside(t *testing.T) {
	l := lab.New(t)
	const size = 100
	r, name := region(l, size, nil)
	v := viewOf(l, name)

	for _, read := range []struct {
		offset int64
		length int
		want   int
		err    error
	}{
		{0, 10, 10, nil}, {90, 10, 10, nil}, {91, 10, 9, io.EOF}, {0, size + 1, size, io.EOF}, {99, 1, 1, nil},
		{size, 1, 0, io.EOF}, {size + 1, 1, 0, io.EOF}, {math.MaxInt64, 1, 0, io.EOF}, {-1, 1, 0, unix.EINVAL}, {math.MinInt64, 1, 0, unix.EINVAL}, {5, 0, 0, nil},
	} {
		copy(v.at(0), pattern(size))
		p := []byte(strings.Repeat("m", read.length+4))
		n, err := r.ReadAt(p[:read.length], read.offset)
		require.ErrorIs(l, err, read.err, "ReadAt() of %d bytes at %d, where the region has %d", read.length, read.offset, size)
		require.Equal(l, read.want, n, "ReadAt() of %d bytes at %d, where the region has %d", read.length, read.offset, size)
		if n > 0 {
			l.SameBytes(pattern(size)[read.offset:read.offset+int64(n)], p[:n], "ReadAt() of %d bytes at %d", read.length, read.offset)
		}
		require.Equal(l, strings.Repeat("m", read.length+4-n), string(p[n:]), "memory behind what ReadAt() of %d bytes at %d returned", read.length, read.offset)
	}

	for _, write := range []struct {
		offset int64
		length int
		err    error
	}{
		{0, 10, nil}, {90, 10, nil}, {0, size, nil}, {size, 0, nil},
		{91, 10, unix.EINVAL}, {0, size + 1, unix.EINVAL}, {size, 1, unix.EINVAL}, {-1, 1, unix.EINVAL}, {math.MaxInt64, 1, unix.EINVAL}, {math.MinInt64, 1, unix.EINVAL},
	} {
		clear(v.at(0))
		p := []byte(strings.Repeat("w", write.length))
		n, err := r.WriteAt(p, write.offset)
		require.ErrorIs(l, err, write.err, "WriteAt() of %d bytes at %d, where the region has %d", write.length, write.offset, size)
		want := make([]byte, size)
		if write.err == nil {
			require.Equal(l, write.length, n, "WriteAt() of %d bytes at %d", write.length, write.offset)
			copy(want[write.offset:], p)
		} else {
			require.Zero(l, n, "WriteAt() of %d bytes at %d, where the region has %d: it writes all or nothing", write.length, write.offset, size)
		}
		l.SameBytes(want, v.at(0), "the region after WriteAt() of %d bytes at %d", write.length, write.offset)
		require.Equal(l, header(size), v.all[:shm.HeaderSize], "the header after WriteAt() of %d bytes at %d", write.length, write.offset)
	}

	clear(v.at(0))
	for _, offset := range []int{0, 8, 88} {
		number, err := r.Uint64(offset)
		require.NoError(l, err, "Uint64(%d), where the region has %d bytes", offset, size)
		number.Store(uint64(offset + 1))
		require.Equal(l, offset+1, int(v.long(offset).Load()), "the eight bytes at %d, after Uint64(%d).Store(%d)", offset, offset, offset+1)
	}
	for _, offset := range []int{96, 100, 104, -8, -1, 1, 4, 93, math.MaxInt, math.MinInt, math.MaxInt - 7} {
		_, err := r.Uint64(offset)
		require.ErrorIs(l, err, unix.EINVAL, "Uint64(%d), where the region has %d bytes: all eight have to be inside, at a multiple of 8", offset, size)
	}
	small, _ := region(l, 7, nil)
	_, err := small.Uint64(0)
	require.ErrorIs(l, err, unix.EINVAL, "Uint64(0) of a region of 7 bytes")
}

// Step 3: Create refuses names and sizes that cannot be, and what is there already.
func TestCreateRefusesWhatCannotBe(t *testing.T) {
	l := lab.New(t)
	short := l.Name("a")
	longest := named(l, "a"+strings.Repeat("b", 1+shm.MaxName-len(short)))
	for _, bad := range []struct {
		name string
		want unix.Errno
	}{
		{"", unix.EINVAL}, {"/", unix.EINVAL}, {"/.", unix.EINVAL}, {"/..", unix.EINVAL}, {short[1:], unix.EINVAL}, {short + "\x00", unix.EINVAL},
		{"/" + short, unix.EINVAL}, {short + "/", unix.EINVAL}, {"/.." + short, unix.EINVAL}, {longest + "c", unix.ENAMETOOLONG},
	} {
		shown := fmt.Sprintf("%q", bad.name)
		if len(shown) > 60 {
			shown = "of a name of 256 bytes behind its slash"
		}
		_, err := shm.Create(bad.name, 100, nil)
		require.ErrorIs(l, err, bad.want, "Create() %s", shown)
		_, err = shm.Attach(bad.name, 0)
		require.ErrorIs(l, err, bad.want, "Attach() %s: the errors are those of Create", shown)
		_, err = shm.Renew(bad.name, 100, nil)
		require.ErrorIs(l, err, bad.want, "Renew() %s: the errors are those of Create", shown)
		require.ErrorIs(l, shm.Remove(bad.name), bad.want, "Remove() %s: the errors are those of Create", shown)
		require.False(l, exists(short), "a file %q after Create() and Renew() %s: is something cut off the name?", short, shown)
	}
	dotted := named(l, "dots")[1:]
	for _, good := range []string{longest, named(l, "9"), "/." + dotted, "/.." + dotted, "/" + dotted + ".", named(l, "bytes") + "\xff \n"} {
		l.CloseAtEnd(unlinked(good))
		r, err := shm.Create(good, 1, nil)
		require.NoError(l, err, "Create() of the name %.20q, which has %d bytes: any bytes but a slash and zero, and only \"/.\" and \"/..\" are no names", good, len(good))
		require.True(l, exists(good), "the file of a region whose name has %d bytes", len(good))
		require.NoError(l, errors.Join(shm.Remove(good), r.Close()), "Remove() and Close() of the name %.20q", good)
	}

	open := descriptors(l)
	for _, size := range []int{0, -1, math.MinInt, math.MaxInt, math.MaxInt - shm.HeaderSize + 1} {
		name := named(l, "size")
		_, err := shm.Create(name, size, nil)
		require.ErrorIs(l, err, unix.EINVAL, "Create() of %d bytes", size)
		require.False(l, exists(name), "the file, after Create() of %d bytes was refused", size)
	}
	_, name := region(l, 100, nil)
	require.ErrorContains(l, createdAgain(name), name, "Create() of a name that is there: the text names it")
	copy(viewOf(l, name).at(0), "in use")
	for _, there := range []string{"a region", "an empty file", "a symbolic link", "a symbolic link that leads nowhere", "a folder"} {
		if there != "a region" {
			name = named(l, "there")
		}
		target := named(l, "target")
		switch there {
		case "an empty file":
			put(l, name, nil)
		case "a symbolic link":
			put(l, target, []byte("theirs"))
			require.NoError(l, os.Symlink(pathOf(target), pathOf(name)), "symlink() of the test's own")
		case "a symbolic link that leads nowhere":
			require.NoError(l, os.Symlink(pathOf(target), pathOf(name)), "symlink() of the test's own")
		case "a folder":
			require.NoError(l, os.Mkdir(pathOf(name), 0o700), "mkdir() of the test's own")
		}
		require.ErrorIs(l, createdAgain(name), unix.EEXIST, "Create() where there is %s of that name: exclusive, and no link is followed", there)
		switch there {
		case "a region":
			require.Equal(l, "in use", string(viewOf(l, name).at(0)[:6]), "a region that was there, after Create() was refused")
		case "a symbolic link":
			text, _ := os.ReadFile(pathOf(target))
			require.Equal(l, "theirs", string(text), "the file that a symbolic link leads to, after Create()")
		case "a symbolic link that leads nowhere":
			require.False(l, exists(target), "a file where a symbolic link leads to, after Create()")
		}
	}
	require.LessOrEqual(l, descriptors(l), open, "descriptors that are open after Create() was refused")

	mapped := len(mappedOf(l, shm.Folder))
	failed := errors.New("no")
	_, err := shm.Create(named(l, "setup"), 100, func(*shm.Region) error { return failed })
	require.Equal(l, failed, err, "Create() whose setup returns an error: it returns that one as it is, and not one around it")
	require.LessOrEqual(l, descriptors(l), open, "descriptors that are open after Create(), whose setup returned an error")
	require.ErrorIs(l, createdAgain(name), unix.EEXIST, "Create() of a name that is there")
	require.Equal(l, "goes on", panicOf(func() { _, _ = shm.Create(named(l, "panic"), 100, func(*shm.Region) error { panic("goes on") }) }), "the panic of Create() whose setup panics")
	require.LessOrEqual(l, descriptors(l), open, "descriptors that are open after Create(), whose setup has panicked: is what closes them deferred?")
	require.Len(l, mappedOf(l, shm.Folder), mapped, "mappings of this process, after Create() was refused, or its setup has panicked: is it unmapped then?")
	l.RefusesCalls()
	require.NoError(l, l.Start(hasNoDescriptor, lab.Tell("name", named(l, "none")), lab.Tell("there", name)).Wait(), "Create() without a free descriptor")
}

// panicOf calls f, and returns what it panics with.
func panicOf(f func()) (p any) {
	defer func() { p = recover() }()
	f()
	return nil
}

func createdAgain(name string) error {
	r, err := shm.Create(name, 100, nil)
	if err == nil {
		r.Close()
	}
	return err
}

var hasNoDescriptor = lab.NewRole("process that may open no file", func(c *lab.Child) error {
	for _, number := range []uint32{unix.SYS_OPENAT, unix.SYS_OPENAT2} {
		if err := c.RefuseCall(unix.EMFILE, number); err != nil {
			return err
		}
	}
	_, made := shm.Create(c.Text("name"), 100, nil)
	_, found := shm.Attach(c.Text("there"), 0)
	_, renewed := shm.Renew(c.Text("name"), 100, nil)
	for _, one := range []struct {
		what string
		err  error
	}{{"Create()", made}, {"Attach()", found}, {"Renew()", renewed}} {
		what, err := one.what, one.err
		if !errors.Is(err, unix.EMFILE) {
			return fmt.Errorf("%s where the kernel says that too many files are open: expected EMFILE, and got: %v", what, orNone(err))
		}
	}
	return nil
})
