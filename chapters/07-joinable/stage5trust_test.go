package joinable_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// Step 19: Attach looks at what it was handed, and believes none of it.
func TestAttachLooksFirst(t *testing.T) {
	l := lab.New(t)
	q := queue(l, 3, 100)
	put(l, q, "1")
	for _, bad := range []struct {
		what           string
		bound, maxItem int
		want           error
	}{
		{"another bound", 4, 0, joinable.ErrFormat}, {"another size of items", 0, 99, joinable.ErrFormat},
		{"a bound of 2^32+3, where it is 3", 1<<32 + 3, 0, joinable.ErrFormat}, {"a size of 2^32+100, where it is 100", 3, 1<<32 + 100, joinable.ErrFormat},
		{"a negative bound", -3, 0, unix.EINVAL}, {"a negative size", 3, -100, unix.EINVAL}, {"the least number", math.MinInt, 0, unix.EINVAL},
	} {
		_, err := joinable.Attach(copies(l, q), bad.bound, bad.maxItem)
		require.ErrorIs(l, err, bad.want, "Attach() with %s", bad.what)
	}
	_, err := joinable.Attach(copies(l, q), 77, 0)
	require.Subset(l, lab.Numbers(err), []int{77, 3}, "the numbers in the text of Attach() that expects a bound of 77, to a queue with a bound of 3: what was expected, and what is there")
	inherited := copies(l, q)
	for _, f := range inherited {
		_, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0)
		require.NoError(l, err, "fcntl() of the test's own: so does a child get its files")
	}
	right, err := joinable.Attach(inherited, 3, 100)
	require.NoError(l, err, "Attach() that expects what is there")
	for i, f := range right.Files() {
		require.Equal(l, "close-on-exec", l.OnExec(f), "file %d of Files(), after Attach()", i)
	}
	require.NoError(l, right.Close(), "Close()")

	files := copies(l, q)
	for _, bad := range []struct {
		what  string
		files []*os.File
	}{
		{"no file", nil}, {"all files but the last one", files[:len(files)-1]},
		{"one file more", append(slices.Clone(files), files[0])},
	} {
		refused(l, bad.files, bad.what)
	}

	info, err := files[0].Stat()
	require.NoError(l, err, "fstat() of the memory")
	whole := make([]byte, info.Size())
	_, err = files[0].ReadAt(whole, 0)
	require.NoError(l, err, "reading the memory")
	number := func(at int, value uint64, bytes int) func([]byte) []byte {
		return func(p []byte) []byte {
			if bytes == 4 {
				binary.NativeEndian.PutUint32(p[at:], uint32(value))
			} else {
				binary.NativeEndian.PutUint64(p[at:], value)
			}
			return p
		}
	}
	for _, bad := range []struct {
		what string
		edit func(p []byte) []byte
		seal int
	}{
		{"a memory with nothing in it", func(p []byte) []byte { return p[:0] }, allSeals},
		{"a memory that is shorter than a header", func(p []byte) []byte { return p[:joinable.HeaderSize-1] }, allSeals},
		{"a header alone", func(p []byte) []byte { return p[:joinable.HeaderSize] }, allSeals},
		{"a memory that lacks its last byte", func(p []byte) []byte { return p[:len(p)-1] }, allSeals},
		{"a memory with one byte more", func(p []byte) []byte { return append(p, 0) }, allSeals},
		{"all zero", func(p []byte) []byte { return make([]byte, len(p)) }, allSeals},
		{"another magic, in its first byte", func(p []byte) []byte { p[0] ^= 1; return p }, allSeals},
		{"another magic, in its last byte", func(p []byte) []byte { p[7] ^= 1; return p }, allSeals},
		{"another version", number(8, joinable.Version+1, 4), allSeals},
		{"a bound of 0", number(12, 0, 4), allSeals},
		{"a bound that the size is not for", number(12, 300, 4), allSeals},
		{"a bound of 2^32-1", number(12, math.MaxUint32, 4), allSeals},
		{"items of 0 bytes", number(16, 0, 8), allSeals},
		{"items of a size that the file is not for", number(16, 10_000, 8), allSeals},
		{"items of 2^32+100 bytes", number(16, 1<<32+100, 8), allSeals},
		{"items of 2^63 bytes", number(16, 1<<63, 8), allSeals},
		{"items of 2^64-1 bytes", number(16, math.MaxUint64, 8), allSeals},
		{"another size in the header", number(24, uint64(len(whole))+1, 8), allSeals},
		{"a size of 2^64-1 in the header", number(24, math.MaxUint64, 8), allSeals},
		{"no seals: it may be cut at any time", func(p []byte) []byte { return p }, 0},
		{"a seal less: it may be cut", func(p []byte) []byte { return p }, unix.F_SEAL_GROW | unix.F_SEAL_SEAL},
		{"a seal less: it may grow", func(p []byte) []byte { return p }, unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL},
		{"a seal less: it may get more seals, and with F_SEAL_FUTURE_WRITE nobody could map it any more", func(p []byte) []byte { return p }, unix.F_SEAL_SHRINK | unix.F_SEAL_GROW},
	} {
		files := copies(l, q)
		files[0] = memoryOf(l, bad.edit(slices.Clone(whole)), bad.seal)
		refused(l, files, bad.what)
	}
	files = copies(l, q)
	files[0] = memoryOf(l, number(8, 4711, 4)(slices.Clone(whole)), allSeals)
	_, err = joinable.Attach(files, 0, 0)
	require.Subset(l, lab.Numbers(err), []int{4711, joinable.Version}, "the numbers in the text of Attach() to a queue of version 4711: its version, and that of this package")

	for _, other := range []struct {
		what string
		open func() (*os.File, error)
	}{
		{"a folder", func() (*os.File, error) { return os.Open(l.Dir()) }},
		{"/dev/null", func() (*os.File, error) { return os.OpenFile(os.DevNull, os.O_RDWR, 0) }},
		{"a file with the right bytes, which no seal protects", func() (*os.File, error) {
			path := l.Path("copy")
			if err := os.WriteFile(path, whole, 0o600); err != nil {
				return nil, err
			}
			return os.OpenFile(path, os.O_RDWR, 0)
		}},
		{"a pipe", func() (*os.File, error) { r, w, err := os.Pipe(); l.CloseAtEnd(w); return r, err }},
	} {
		f, err := other.open()
		require.NoError(l, err, "opening %s", other.what)
		l.CloseAtEnd(f)
		files := copies(l, q)
		files[0] = f
		refused(l, files, other.what)
	}
	leavesFlagsAlone(l, q)
	for i := range copies(l, q) {
		files := copies(l, q)
		require.NoError(l, files[i].Close(), "close() of the test's own")
		_, err := joinable.Attach(files, 0, 0)
		require.Error(l, err, "Attach() with file %d closed: a Queue that can wake nobody is no Queue", i)
		files = copies(l, q)
		files[i] = nil
		_, err = joinable.Attach(files, 0, 0)
		require.Error(l, err, "Attach() with nil in the place of file %d", i)
	}
	take(l, q, "1")

	// Numbers that cannot be, behind the header. No call may panic, whatever it returns.
	require.NoError(l, l.Start(usesWhatIsBroken, handed(q)...).Wait(), "a process that uses a queue in which all was written over by somebody else")
	require.NoError(l, l.Start(usesEachBrokenWord, handed(queue(l, 5, 8), lab.Tell("bound", "5"))...).Wait(), "a process that attaches to a queue in which one number was changed by somebody else")
	// In the smallest queue whatever is one place too far is outside of the memory.
	require.NoError(l, l.Start(usesEachBrokenWord, handed(queue(l, 1, 8), lab.Tell("bound", "1"))...).Wait(), "a process that attaches to the smallest queue, in which one number was changed by somebody else")
}

// leavesFlagsAlone asserts that a refused Attach has changed no flag of what a descriptor stands for.
func leavesFlagsAlone(l *lab.Lab, q *joinable.Queue) {
	r, w, err := os.Pipe()
	require.NoError(l, err, "pipe() of the test's own")
	l.CloseAtEnd(r)
	l.CloseAtEnd(w)
	flags := func() string {
		conn, err := r.SyscallConn() // r.Fd() would change what is looked at
		require.NoError(l, err, "SyscallConn() of the test's own")
		is, failed := 0, error(nil)
		err = conn.Control(func(fd uintptr) { is, failed = unix.FcntlInt(fd, unix.F_GETFL, 0) })
		require.NoError(l, errors.Join(err, failed), "F_GETFL of the test's own")
		return map[bool]string{true: "O_NONBLOCK", false: "without O_NONBLOCK"}[is&unix.O_NONBLOCK != 0]
	}
	for i := range q.Files() {
		files := copies(l, q)
		files[i] = r
		before := flags()
		_, err := joinable.Attach(files, 77, 0)
		require.Error(l, err, "Attach() with a pipe in the place of file %d, that expects a bound of 77", i)
		require.Equal(l, before, flags(), "a pipe that stood in the place of file %d, after Attach() has refused it: it is as it was. File.Fd takes O_NONBLOCK away from it, and File.SyscallConn does not", i)
	}
}

// refused asserts that Attach finds something else than a queue, and leaves the files alone.
func refused(l *lab.Lab, files []*os.File, what string) {
	_, err := joinable.Attach(files, 0, 0)
	require.ErrorIs(l, err, joinable.ErrFormat, "Attach() to %s", what)
	for i, f := range files {
		_, err := f.Stat()
		require.NoError(l, err, "fstat() of file %d after Attach() has refused %s: it is still open", i, what)
	}
}

// memoryOf is a memfd with these bytes.
func memoryOf(l *lab.Lab, content []byte, seals int) *os.File {
	fd, err := unix.MemfdCreate("the test's own", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	require.NoError(l, err, "memfd_create() of the test's own")
	f := os.NewFile(uintptr(fd), "the test's own")
	l.CloseAtEnd(f)
	_, err = f.WriteAt(content, 0)
	require.NoError(l, err, "writing a memfd of the test's own")
	_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals)
	require.NoError(l, err, "sealing a memfd of the test's own")
	return f
}

// usesWhatIsBroken writes over all that stands behind the header, and uses the queue then.
var usesWhatIsBroken = lab.NewRole("user of a broken queue", func(c *lab.Child) error {
	files, err := filesOf(c)
	if err != nil {
		return err
	}
	once, err := attachedBy(files) // what a process makes once is made now
	if err != nil {
		return err
	}
	if err := once.Close(); err != nil {
		return fmt.Errorf("Close(): %w", err)
	}
	before, err := owned()
	if err != nil {
		return err
	}
	q, err := attachedBy(files)
	if err != nil {
		return err
	}
	memory := q.Files()[0]
	info, err := memory.Stat()
	if err != nil {
		return err
	}
	for _, value := range []byte{0xff, 0x7f, 0x80, 0x01} {
		rubbish := make([]byte, info.Size()-joinable.HeaderSize)
		for i := range rubbish {
			rubbish[i] = value
		}
		if _, err := memory.WriteAt(rubbish, joinable.HeaderSize); err != nil {
			return err
		}
		_ = q.TryPut([]byte("1"))
		_, _ = q.TryGet()
		_ = q.TaskDone()
		_, _ = q.Len()
		_ = q.Join(ended(errBell))
		_ = q.Put(ended(errBell), []byte("1"))
		_, _ = q.Get(ended(errBell))
	}
	_ = q.Close()
	defer runtime.KeepAlive(files)
	return asMuchAs(before, "Close() of a queue whose memory is broken: it gives everything back, whatever it returns")
})

// asMuchAs is an error if this process has more descriptors or mappings than before.
func asMuchAs(before belongings, after string) error {
	now, err := owned()
	if err == nil && (now.Descriptors > before.Descriptors || now.Mappings > before.Mappings) {
		return fmt.Errorf("this process had %d descriptors and %d mappings of memfds, and it has %d and %d after %s", before.Descriptors, before.Mappings, now.Descriptors, now.Mappings, after)
	}
	return err
}

// usesEachBrokenWord writes over one word of the memory after the other, and uses the queue.
var usesEachBrokenWord = lab.NewRole("user of a queue with one broken number", func(c *lab.Child) error {
	files, err := filesOf(c)
	if err != nil {
		return err
	}
	q, err := attachedBy(files)
	if err != nil {
		return err
	}
	bound, err := strconv.Atoi(c.Text("bound"))
	if err != nil {
		return err
	}
	whole, err := hasALost(q, files)
	if err != nil {
		return err
	}
	before, err := owned()
	if err != nil {
		return err
	}
	memory := q.Files()[0]
	defer memory.WriteAt(whole, 0) // the test closes this queue
	for at := 0; at < len(whole); at += 8 {
		is := binary.NativeEndian.Uint64(whole[at:])
		if is == 0 && at >= firstWords {
			continue // nobody has written there
		}
		values := []uint64{joinable.MaxProcesses - 1, joinable.MaxProcesses, joinable.MaxProcesses + 1, joinable.MaxProcesses + 2}
		if bound > 1 {
			values = append(values, 0, 1, is+1, is-1, joinable.MaxUndone, joinable.MaxUndone+1, math.MaxInt32, 1<<31, math.MaxUint32, 1<<32,
				joinable.MaxProcesses<<32, math.MaxUint32<<32, 1<<60, math.MaxInt64, 1<<63, math.MaxUint64)
		}
		for _, broken := range values {
			// All is as it was, but for this word.
			if _, err := memory.WriteAt(whole, 0); err != nil {
				return err
			}
			if _, err := memory.WriteAt(binary.NativeEndian.AppendUint64(nil, broken), int64(at)); err != nil {
				return err
			}
			if err := orPanics(func() error { return use(q, files, bound) }); err != nil {
				return fmt.Errorf("the 8 bytes at %d of the memory were %#x, and somebody has written %#x there: %w", at, is, broken, err)
			}
		}
	}
	defer runtime.KeepAlive(files)
	defer runtime.KeepAlive(q)
	return asMuchAs(before, "many times of Attach() and Close(), each with one broken number: those that were refused have left nothing")
})

// orPanics is what f returns, or an error that tells of its panic.
func orPanics(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("a panic in %s: %v", panicked(), r)
		}
	}()
	return f()
}

// panicked is the place of a panic in the learner's code. It is for the function that recovers.
func panicked() string {
	callers := make([]uintptr, 50)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for {
		f, more := frames.Next()
		if strings.HasSuffix(filepath.Dir(f.File), "-joinable") && !strings.HasSuffix(f.File, "_test.go") {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		if !more {
			return "code of others"
		}
	}
}

// firstWords is how many bytes at the beginning are tried in any case.
const firstWords = 512

// hasALost has an item to be done, and as many wait as there is room for, up to two. Two others are lost. What it
// returns is the memory then.
func hasALost(q *joinable.Queue, files []*os.File) (memory []byte, err error) {
	closes, err := attachedBy(files)
	if err != nil {
		return nil, err
	}
	for n, takes := range []*joinable.Queue{q, closes, closes, nil, nil} {
		if err := q.TryPut([]byte(fmt.Sprintf("number %d", n))); err != nil && !errors.Is(err, joinable.ErrFull) {
			return nil, fmt.Errorf("TryPut(): %w", err)
		}
		if takes == nil {
			continue
		}
		if _, err := takes.TryGet(); err != nil {
			return nil, fmt.Errorf("TryGet(): %w", err)
		}
	}
	if err := closes.Close(); err != nil {
		return nil, fmt.Errorf("Close(): %w", err)
	}
	info, err := q.Files()[0].Stat()
	if err != nil {
		return nil, err
	}
	memory = make([]byte, info.Size())
	_, err = q.Files()[0].ReadAt(memory, 0)
	return memory, err
}

// use calls everything. An error is right, whichever it is, and so is none. A number that cannot be is not.
func use(q *joinable.Queue, files []*os.File, bound int) error {
	if n, err := q.Len(); err == nil && (n < 0 || n > bound) {
		return fmt.Errorf("Len(), with a bound of %d: expected ErrCorrupt or a number from 0 to %d, and got %d", bound, bound, n)
	}
	short, stop := context.WithTimeout(forever, soon/20)
	defer stop()
	err := q.Join(short)
	if lost := (*joinable.LostError)(nil); errors.As(err, &lost) && len(lost.Items) > joinable.MaxUndone {
		return fmt.Errorf("Join(): expected ErrCorrupt, or that at most %d items are lost, and got %d", joinable.MaxUndone, len(lost.Items))
	}
	for range 2 {
		if item, err := q.TryGet(); err == nil && len(item) > 8 {
			return fmt.Errorf("TryGet(), with items of up to 8 bytes: expected ErrCorrupt, and got an item of %d bytes", len(item))
		}
	}
	for range 6 {
		_ = q.TryPut([]byte("another")) // none may be written where another thing stands
	}
	for n := 0; q.TaskDone() == nil; n++ {
		if n == joinable.MaxUndone {
			return fmt.Errorf("TaskDone(): expected ErrCorrupt, or ErrNotTaken after at most MaxUndone (%d) times, and got no error %d times: one Queue cannot have more to be done", joinable.MaxUndone, n+1)
		}
	}
	if again, err := attachedBy(files); err == nil {
		_ = again.Close()
	}
	return nil
}
