package file_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	file "ipcworkbook/chapters/02-file"
	"ipcworkbook/harness/lab"
)

// Step 7: what is no file of records is refused, with an error that says so, and
// stays as it was.
func TestWhatIsNoFileOfRecordsIsRefused(t *testing.T) {
	l := lab.New(t)
	dir, fifo := l.Dir(), l.Path("fifo")
	require.NoError(l, unix.Mkfifo(fifo, 0o600), "making a FIFO")
	for _, path := range []string{dir, "/dev/zero", fifo} {
		for what, open := range openers {
			var err error
			l.Call(fmt.Sprintf("%s(%q): to open a FIFO waits for its other side. Does it look at what is there before it opens it?", what, path), func() error {
				err = open(path)
				return nil
			}).ReturnsSoon(nil)
			require.Error(l, err, "%s(%q), which is no regular file: a folder can be opened for reading, and a device has records without end", what, path)
			require.ErrorContains(l, err, path, "%s(%q): the error has to name the path", what, path)
		}
	}
	require.ErrorIs(l, openers["OpenReader"](l.Path("nothing")), fs.ErrNotExist, "OpenReader() where nothing is: is the kernel's error wrapped?")
	_, err := os.Stat(l.Path("nothing"))
	require.ErrorIs(l, err, fs.ErrNotExist, "the path after OpenReader() where nothing was: a Reader makes no file")
	require.ErrorIs(l, openers["OpenWriter"](dir+"/none/records"), fs.ErrNotExist, "OpenWriter() in a folder that is not there: is the kernel's error wrapped?")

	secret := l.Path("secret")
	require.NoError(l, os.WriteFile(secret, frame("secret"), 0), "making a file that nobody may open")
	for what, open := range openers {
		err, ok := asOrdinaryUser(func() error { return open(secret) })
		if !ok {
			continue // nobody is an ordinary user here
		}
		require.ErrorIs(l, err, fs.ErrPermission, "%s() of a file without permission: is the kernel's error wrapped?", what)
		require.ErrorContains(l, err, secret, "%s() of a file without permission: the error has to name the path", what)
	}

	// Somebody's else file. Its first bytes are no length, or those behind its
	// first records are not.
	for _, one := range []struct {
		what string
		text string
	}{
		{"notes", "These are not records.\n"},
		{"garbage", string(frame("one")) + string(frame("")) + "and then something else"},
	} {
		what, text := one.what, one.text
		path := l.Path(what)
		require.NoError(l, os.WriteFile(path, []byte(text), 0o600), "writing a file that holds something else")
		_, err := file.OpenWriter(path, file.Never)
		require.ErrorIs(l, err, file.ErrTooLarge, "OpenWriter() of a file with a length that no record has: is it taken for a torn tail?")
		require.ErrorContains(l, err, strconv.Itoa(file.MaxMessage), "OpenWriter() of a file with a length that no record has: the text names the limit")
		after, err := os.ReadFile(path)
		require.NoError(l, err, "reading the file")
		require.Equal(l, text, string(after), "somebody else's file after OpenWriter() has refused it: was it cut or written to?")
		require.Equal(l, "free", seen(l, path), "the lock after OpenWriter() has refused the file: is it closed?")
	}

	// A FIFO takes the file's place while a Reader is opened.
	atEachCall(l, "a FIFO comes", "look", func(r *held) func() {
		require.NoError(l, errors.Join(os.WriteFile(r.path, frame("one"), 0o600), unix.Mkfifo(r.path+".fifo", 0o600)), "making a file and a FIFO")
		return func() { require.NoError(l, os.Rename(r.path+".fifo", r.path), "renaming the FIFO") }
	}, func(r *held) {
		r.calls.Reports("no FIFO", "OpenReader() of a file that was replaced by a FIFO just then: is what was opened looked at once more (fstat(2))? To open a FIFO waits for its other side, but not with O_NONBLOCK.")
	})

	// With so many free descriptors, and no more. What was opened before the error is
	// closed.
	p := l.Start(hasFewDescriptors, lab.Tell("path", l.Path("few")), lab.Tell("dir", dir))
	for range 2 * mostFree {
		var got fewResult
		p.Report(&got)
		if got.Err == "<nil>" {
			continue // there were enough; what Close does is asked elsewhere
		}
		require.Equal(l, got.Free, got.After, "free descriptors after %s() with %d of them, which returned %q: is what it has opened closed again when a later call fails (EMFILE)?", got.What, got.Free, got.Err)
	}
	p.Exit()
}

// mostFree is how many free descriptors are too few, or just enough.
const mostFree = 4

type fewResult struct {
	What, Err   string
	Free, After int
}

var hasFewDescriptors = lab.NewRole("process with few descriptors", func(c *lab.Child) error {
	path := c.Text("path")
	few := func(what string, free int) func() error {
		if what == "OpenReader" {
			return func() error { return openers[what](path) }
		}
		return func() error {
			w, err := file.OpenWriter(fmt.Sprintf("%s/few %d", c.Text("dir"), free), file.AtClose)
			if err == nil {
				w.Close()
			}
			return err
		}
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return err
	}
	limit := unix.Rlimit{}
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	limit.Cur = 64
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return os.NewSyscallError("setrlimit", err)
	}
	for _, what := range []string{"OpenReader", "OpenWriter"} {
		_ = few(what, mostFree)() // what is opened once and kept is there then
		for free := range mostFree {
			taken := takeAll(path)
			for range free {
				unix.Close(taken[len(taken)-1])
				taken = taken[:len(taken)-1]
			}
			err := few(what, free)()
			left := takeAll(path)
			for _, fd := range slices.Concat(taken, left) {
				unix.Close(fd)
			}
			c.Report(fewResult{What: what, Err: strings.ReplaceAll(fmt.Sprint(err), ": ", ", "), Free: free, After: len(left)})
		}
	}
	c.Wait()
	return nil
})

// takeAll takes all free descriptors.
func takeAll(path string) (fds []int) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return fds
		}
		fds = append(fds, fd)
	}
}

// openers open a file that is not to be opened.
var openers = map[string]func(path string) error{
	"OpenReader": func(path string) error {
		r, err := file.OpenReader(path)
		if err == nil {
			r.Close()
		}
		return err
	},
	"OpenWriter": func(path string) error {
		w, err := file.OpenWriter(path, file.Never)
		if err == nil {
			w.Close()
		}
		return err
	},
}

// asOrdinaryUser calls f without the superuser's power over files. It reports
// false where that cannot be had. Each thread has capabilities of its own
// (capabilities(7)).
func asOrdinaryUser(f func() error) (err error, ok bool) {
	if os.Geteuid() != 0 {
		return f(), true
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var has [2]unix.CapUserData
		if unix.Capget(&head, &has[0]) != nil {
			return
		}
		has[0].Effective &^= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
		if unix.Capset(&head, &has[0]) == nil {
			err, ok = f(), true
		}
	}()
	<-done
	return err, ok
}

// Step 8: a length that no record has is an error that names the limit. Nothing
// is allocated for what it claims, and nothing so large is sent.
func TestCorruptLengthIsAnError(t *testing.T) {
	l := lab.New(t)
	for i, claim := range []uint32{file.MaxMessage + 1, 1 << 31, file.EndMark - 1} {
		path := l.Path(fmt.Sprintf("records%d", i))
		raw := rawWriter(l, path)
		write(l, raw, frame("one"), binary.BigEndian.AppendUint32(nil, claim), []byte("hello"))
		r := openReader(l, path)
		require.NoError(l, expect(r, "one"), "Recv() of a record before the corrupt one")

		var err error
		var allocated uint64
		recv := l.Call(fmt.Sprintf("Recv() of a header that claims %d bytes: is the length checked before anything else is read?", claim), func() error {
			allocated = lab.Allocated(func() { _, err = r.Recv() })
			return err
		})
		recv.ReturnsSoon(file.ErrTooLarge) // the writer lives: more never comes
		require.ErrorContains(l, err, strconv.Itoa(file.MaxMessage), "Recv() of a header that claims %d bytes: the text names the limit", claim)
		require.Less(l, allocated, uint64(file.MaxMessage), "bytes that Recv() allocated: is the length checked before memory is taken?")
	}

	path := l.Path("large")
	w := openWriter(l, path, file.Never)
	r := openReader(l, path)
	require.ErrorIs(l, w.Send(make([]byte, file.MaxMessage+1)), file.ErrTooLarge, "Send() of MaxMessage+1 bytes: is the length compared with the limit?")
	require.Zero(l, size(l, path), "size of the file after a message was refused: is the length checked before the header is written?")
	// 4 GiB and 5 bytes. Nobody may read them: they are not there.
	huge, err := unix.Mmap(-1, 0, 1<<32+5, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err == nil { // else there is no room for so many addresses
		sent := "no error"
		func() {
			defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
			defer func() {
				if recover() != nil {
					sent = "it begins to send them"
				}
			}()
			if err := w.Send(huge); err != nil {
				sent = err.Error()
				if errors.Is(err, file.ErrTooLarge) {
					sent = "ErrTooLarge"
				}
			}
		}()
		require.NoError(l, unix.Munmap(huge), "munmap")
		require.Equal(l, "ErrTooLarge", sent, "Send() of 4 GiB and 5 bytes: is the length compared with the limit as a number of 32 bits? 5 bytes are left of it then.")
		require.Zero(l, size(l, path), "size of the file after a message of 4 GiB and 5 bytes was refused")
	}
	require.NoError(l, w.Send(pattern(file.MaxMessage)), "Send() of MaxMessage bytes")
	require.NoError(l, expect(r, string(pattern(file.MaxMessage))), "Recv() of MaxMessage bytes")
}

// Step 9: RecvInto receives into memory that the caller brings. A message that
// fits takes no new memory.
func TestRecvIntoUsesTheCallersMemory(t *testing.T) {
	l := lab.New(t)
	path := l.Path("records")
	w := openWriter(l, path, file.Never)
	r := openReader(l, path)
	const room = 100
	buf := make([]byte, 3, room) // its length means nothing

	require.NoError(l, w.Send([]byte("hello")), `Send("hello")`)
	got, err := r.RecvInto(buf)
	require.NoError(l, err, "RecvInto() with room for %d bytes", room)
	require.Equal(l, "hello", string(got), "RecvInto() with room for %d bytes: is what it returns as long as the message?", room)
	require.Equal(l, "hello", string(buf[:len(got)]), "the caller's memory after RecvInto(): is the message there? It is cap(buf) that counts, not len(buf).")

	for _, size := range []int{room, 0, room + 1, 0, 3 * room, 1} {
		require.NoError(l, w.Send(pattern(size)), "Send() of %d bytes", size)
		got, err = r.RecvInto(buf)
		require.NoError(l, err, "RecvInto() of %d bytes with room for %d", size, room)
		l.SameBytes(pattern(size), got, "RecvInto() of %d bytes with room for %d: does a longer message get new memory?", size, room)
		if size <= room {
			where := "in other memory"
			if cap(got) > 0 && &got[:1][0] == &buf[:1][0] {
				where = "in the caller's memory"
			}
			require.Equal(l, "in the caller's memory", where, "where the slice is that RecvInto() of %d bytes returned, with room for %d: with buf, err = RecvInto(buf) the memory is lost otherwise, by an empty message too", size, room)
		}
	}
	var longer [][]byte
	for i := range 2 {
		require.NoError(l, w.Send(numbered(i, 2*room)), "Send() of %d bytes", 2*room)
		got, err = r.RecvInto(buf)
		require.NoError(l, err, "RecvInto() of %d bytes with room for %d", 2*room, room)
		longer = append(longer, got)
	}
	l.SameBytes(numbered(0, 2*room), longer[0], "a message that had no room in the caller's memory, after the next one: is the new memory kept by the Reader and used again? It belongs to the caller.")
	require.NoError(l, w.Send([]byte("no memory")), "Send()")
	got, err = r.RecvInto(nil)
	require.NoError(l, err, "RecvInto(nil)")
	require.Equal(l, "no memory", string(got), "RecvInto(nil)")

	// Each message goes where the one before it was.
	const each, size = 20, 16_000 // beside that a call may need some memory of its own
	path = l.Path("many")
	p := l.Start(producer, lab.Tell("path", path), lab.Tell("sizes", join(slices.Repeat([]int{size}, each))))
	var sent bool
	p.Report(&sent)
	r = openReader(l, path)
	got = make([]byte, size)
	allocated := lab.Allocated(func() {
		for range each {
			if got, err = r.RecvInto(got); err != nil {
				return
			}
		}
	})
	require.NoError(l, err, "RecvInto() of one of %d messages", each)
	l.SameBytes(pattern(size), got, "RecvInto() of the last of %d messages", each)
	require.Less(l, allocated, uint64(each*size/2), "bytes that RecvInto() allocated for %d messages of %d bytes, with room for each: is there new memory for every message?", each, size)
	recv := l.Call("RecvInto()", func() error { _, err := r.RecvInto(got); return err })
	recv.Blocks("the Writer has not closed")
	p.Exit()
	recv.Returns(io.EOF)

	// New memory is the caller's as far as it goes. And a shorter record may have room again.
	path = l.Path("own")
	raw := rawWriter(l, path)
	write(l, raw, frame("one"), frame("two"))
	r = openReader(l, path)
	one, err := r.RecvInto(nil)
	require.NoError(l, err, "RecvInto(nil)")
	two, err := r.RecvInto(nil)
	require.NoError(l, err, "RecvInto(nil)")
	_ = append(one, "and what else the caller has to say"...)
	require.Equal(l, "two", string(two), "the second of two messages, when the caller has appended to the first one: does the capacity of what RecvInto() returns reach into the next message?")
	at := 2 * len(frame("one"))
	write(l, raw, frame(string(pattern(1000)))[:file.HeaderSize])
	own := make([]byte, 0, room)
	recv = l.Call("RecvInto() of a record in whose place a shorter one stands by the time it is whole", func() (err error) { got, err = r.RecvInto(own); return err })
	recv.Blocks("only the header is there, of a record that is longer than the caller's memory")
	shorter, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(l, err, "opening the file")
	_, err = shorter.WriteAt(frame("hello"), int64(at))
	require.NoError(l, errors.Join(err, shorter.Close()), "pwrite() of a shorter record")
	recv.Returns(nil)
	require.Equal(l, "hello", string(got), "RecvInto() of the shorter record")
	require.Same(l, &own[:1][0], &got[0], "where RecvInto() put a record of 5 bytes, with room for %d: in the caller's memory", room)
}
