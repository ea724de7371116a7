package file_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	file "ipcworkbook/chapters/02-file"
	"ipcworkbook/harness/lab"
)

// Step 10: a writer that is killed inside a record is noticed, and the record is
// io.ErrUnexpectedEOF. Whole records before it are delivered. The Reader looks at
// the lock and never takes it, and it reads once more before it judges.
func TestWriterKilledInsideARecord(t *testing.T) {
	l := lab.New(t)
	whole := frame("hello")
	for i, sent := range []int{1, file.HeaderSize, file.HeaderSize + 2} {
		path := l.Path(fmt.Sprintf("records%d", i))
		v := startVictim(l, path, frame("one"), frame(""), whole[:sent])
		r := openReader(l, path)
		require.NoError(l, expect(r, "one"), "Recv() of a whole record before the torn one")
		require.NoError(l, expect(r, ""), "Recv() of a whole record before the torn one")
		recv := l.Call(fmt.Sprintf("Recv() of %d of a record's %d bytes: does Recv notice that nobody has the lock any more? Is it woken up when the writer is gone (IN_CLOSE_WRITE)?", sent, len(whole)), receives(r))
		recv.Blocks("the record is not whole and its writer lives")
		v.Kill()
		recv.ReturnsSoon(io.ErrUnexpectedEOF)
		require.Equal(l, "free", seen(l, path), "the lock after Recv() has looked at it: does Recv keep it?")

		late := openReader(l, path)
		require.NoError(l, expect(late, "one"), "Recv() of a whole record, by a Reader that came when the writer was dead")
		require.NoError(l, expect(late, ""), "Recv() of a whole record, by a Reader that came when the writer was dead")
		l.Call("Recv() of a torn record, by a Reader that came when its writer was dead: there is no event to wait for", receives(late)).ReturnsSoon(io.ErrUnexpectedEOF)
		require.NoError(l, late.Close(), "Close() of a Reader")
		late = openReader(l, path)
		require.NoError(l, errors.Join(expect(late, "one"), expect(late, "")), "Recv() of the whole records, by another Reader")
		l.Call("RecvInto() of a torn record", func() error { _, err := late.RecvInto(make([]byte, 9)); return err }).ReturnsSoon(io.ErrUnexpectedEOF)
		require.NoError(l, errors.Join(r.Close(), late.Close()), "Close() of the Readers")
	}

	// Killed inside of Send, before each of its system calls. There is no room for the
	// whole record, so what write(2) left of it is there when the next call comes.
	folder := inFolder(l, "killed in Send")
	require.NoError(l, os.Mkdir(folder, 0o700), "making a folder")
	for call, isHeld := 0, true; isHeld && call < most; call++ {
		path := tryPath(folder, call)
		calls := l.Calls()
		sender := l.Start(sendsWithoutRoom, lab.Tell("path", path), calls.HandOver())
		calls.Of(sender)
		r := openReader(l, path)
		for range 2 {
			require.NoError(l, expect(r, string(pattern(tornSize))), "Recv() of a whole record before the one in which the writer is killed")
		}
		recv := l.Call("Recv() of the record in which a Writer was killed", func() error {
			_, err := r.Recv()
			if !errors.Is(err, file.ErrTruncated) {
				return err
			}
			// The Writer has cut it off again. How such a Reader goes on is step 12's: here
			// another one begins.
			again, err := file.OpenReader(path)
			if err != nil {
				return err
			}
			for range 3 {
				if err == nil {
					_, err = again.Recv()
				}
			}
			return errors.Join(err, again.Close())
		})
		isHeld = calls.Hold(call)
		recv.NotYet("the record is not whole, and its Writer lives")
		sender.Kill()
		if size(l, path) > 2*(file.HeaderSize+tornSize) {
			recv.ReturnsSoon(io.ErrUnexpectedEOF)
		} else {
			recv.Blocks("the Writer was killed between two records: a new one may come")
			write(l, rawWriter(l, path), endMark)
			recv.Returns(io.EOF)
		}
		require.NoError(l, r.Close(), "Close() of the Reader")
	}

	// The writer completes its record and goes, just when the Reader has seen a part
	// of it and asks for the lock.
	for _, sent := range []int{1, file.HeaderSize + 2} {
		atEachCall(l, fmt.Sprintf("completed at %d", sent), "open,recv", func(r *held) func() {
			raw := rawWriter(l, r.path)
			write(l, raw, whole[:sent])
			return func() {
				write(l, raw, whole[sent:])
				require.NoError(l, raw.Close(), "closing the raw writer")
			}
		}, func(r *held) {
			r.calls.Reports("hello", "Recv() of a record that its writer completed, and went: does Recv look into the file once more before it judges?")
		})
	}

	// A Reader looks at the lock, and does not take it for that: a new writer would be
	// turned away.
	atEachCall(l, "looked at", "open,recv", func(r *held) func() {
		raw := rawWriter(l, r.path)
		write(l, raw, whole[:6])
		require.NoError(l, raw.Close(), "closing the raw writer")
		return func() {
			next, err := locked(r.path)
			require.NoError(l, err, "locking the file for a new writer, with a Reader %s: does the Reader take the lock to see whether it is free? Ask with F_OFD_GETLK.", r.calls)
			require.NoError(l, next.Close(), "closing the new writer")
		}
	}, func(r *held) {
		r.calls.Reports("io.ErrUnexpectedEOF", "Recv() of a torn record, while a new writer came and went")
	})

	theDiskCannotBeRead(l)

	// When a process dies, the kernel closes its file first and takes the lock away
	// afterwards. The first is an event, the second is none.
	path := l.Path("closed first")
	raw := rawWriter(l, path)
	write(l, raw, whole[:6])
	r := openReader(l, path)
	recv := l.Call("Recv() of a torn record", receives(r))
	recv.Blocks("the record is not whole and its writer lives")
	closed, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(l, err, "opening the file for writing")
	require.NoError(l, closed.Close(), "and closing it")
	recv.NotYet("the file was closed (IN_CLOSE_WRITE), and the lock is still there")
	unlock(l, raw)
	recv.Returns(io.ErrUnexpectedEOF)

	// The same behind a record that was received: nothing tells of the lock that goes.
	path = l.Path("behind a record")
	raw = rawWriter(l, path)
	write(l, raw, frame("one"), whole[:6])
	r = openReader(l, path)
	require.NoError(l, expect(r, "one"), "Recv() of a record before a torn one")
	recv = l.Call("Recv() of a torn record behind a whole one", receives(r))
	recv.Blocks("the record is not whole and its writer lives")
	unlock(l, raw)
	recv.Returns(io.ErrUnexpectedEOF)
}

const tornSize = 1000

var sendsWithoutRoom = lab.NewRole("victim in Send", func(c *lab.Child) error {
	w, err := file.OpenWriter(c.Text("path"), file.Never)
	if err != nil {
		return fmt.Errorf("OpenWriter(): %w", err)
	}
	if err := limitFiles(5 * tornSize / 2); err != nil {
		return err
	}
	message := pattern(tornSize)
	for range 2 {
		if err := w.Send(message); err != nil {
			return fmt.Errorf("Send() of %d bytes: %w", len(message), err)
		}
	}
	if err := c.ShowCalls(); err != nil {
		return err
	}
	c.Wait()
	err = w.Send(message) // it is killed here
	c.Report(fmt.Sprint(err))
	c.Wait()
	return nil
})

// unlock takes the lock away, as the kernel does when the process that has it dies.
func unlock(l *lab.Lab, f *os.File) {
	l.Helper()
	conn, err := f.SyscallConn()
	require.NoError(l, err, "SyscallConn")
	free := unix.Flock_t{Type: unix.F_UNLCK}
	require.NoError(l, conn.Control(func(fd uintptr) { err = unix.FcntlFlock(fd, unix.F_OFD_SETLK, &free) }), "Control")
	require.NoError(l, err, "F_OFD_SETLK F_UNLCK")
}

// Step 11: a file that is truncated or replaced under the Reader is reported, and
// never read as garbage.
func TestTruncationAndReplacementAreReported(t *testing.T) {
	l := lab.New(t)

	// Truncation: received records are gone.
	for _, to := range []struct {
		what string
		left int
	}{
		{"truncated to nothing", 0},
		{"truncated inside a received record", 7},
		{"truncated between received records", len(frame("one"))},
		{"truncated by the last record's bytes", len(frame("one")) + len(frame("two")) - 3},
	} {
		what, left := to.what, to.left
		path := l.Path(what)
		raw := rawWriter(l, path)
		write(l, raw, frame("one"), frame("two"))
		r := openReader(l, path)
		require.NoError(l, expect(r, "one"), "Recv()")
		require.NoError(l, expect(r, "two"), "Recv()")
		recv := l.Call("Recv() of a file that was "+what+": does Recv look at the file's size when it is woken up?", receives(r))
		recv.Blocks("nothing has happened yet")
		require.NoError(l, raw.Truncate(int64(left)), "truncating the file")
		recv.ReturnsSoon(file.ErrTruncated)
		write(l, raw, frame("three"), frame("four"), frame("five")) // O_APPEND: behind what is left
		_, err := r.Recv()
		require.ErrorIs(l, err, file.ErrTruncated, "Recv() once more, after the file has grown again: received records are gone, and the Reader has no place to go on from")
		require.NoError(l, r.Close(), "Close() of the Reader")
	}
	path := l.Path("inside a torn record")
	raw := rawWriter(l, path)
	write(l, raw, frame("one"), frame("hello")[:7])
	r := openReader(l, path)
	require.NoError(l, expect(r, "one"), "Recv()")
	recv := l.Call("Recv() of a record of which 7 bytes were seen, and 2 of them are left: is what was seen compared with what is there?", receives(r))
	recv.Blocks("the record is not whole, and its writer lives")
	require.NoError(l, raw.Truncate(int64(len(frame("one"))+2)), "truncating the file")
	recv.ReturnsSoon(file.ErrTruncated)
	write(l, raw, frame("hello")[2:])
	require.NoError(l, expect(r, "hello"), "Recv() after that: no record that was received is gone, so does it go on behind the last one?")
	require.NoError(l, r.Close(), "Close() of the Reader")

	path = l.Path("between two calls")
	raw = rawWriter(l, path)
	write(l, raw, frame("one"))
	r = openReader(l, path)
	require.NoError(l, expect(r, "one"), "Recv()")
	require.NoError(l, raw.Truncate(0), "truncating the file")
	l.Call("Recv() of a file that was truncated before the call: does Recv wait without looking at the file's size?", receives(r)).ReturnsSoon(file.ErrTruncated)
	require.NoError(l, r.Close(), "Close() of the Reader")

	// Replacement.
	for _, by := range []struct {
		what    string
		replace func(path string) error
	}{
		{"replaced by rename", func(path string) error {
			return errors.Join(os.WriteFile(path+".new", frame("new"), 0o600), os.Rename(path+".new", path))
		}},
		{"given another name too, and replaced by rename", func(path string) error {
			return errors.Join(os.Link(path, path+".1"), os.WriteFile(path+".new", frame("new"), 0o600), os.Rename(path+".new", path))
		}},
		{"renamed", func(path string) error { return os.Rename(path, path+".1") }},
		{"renamed, and another one made", func(path string) error {
			return errors.Join(os.Rename(path, path+".1"), os.WriteFile(path, slices.Concat(frame("new"), endMark), 0o600))
		}},
		{"removed", os.Remove},
		{"removed, and another one made", func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, frame("new"), 0o600))
		}},
	} {
		what := by.what
		path := inFolder(l, what)
		write(l, rawWriter(l, path), frame("one"))
		r := openReader(l, path)
		require.NoError(l, expect(r, "one"), "Recv()")
		var got []byte
		var err error
		recv := l.Call("Recv() of a file that was "+what+": is Recv woken up by that? IN_DELETE_SELF comes only when nobody has the file open any more, and the Reader has. IN_ATTRIB tells that the number of links is another.", func() error {
			got, err = r.Recv()
			return nil
		})
		recv.Blocks("nothing has happened yet")
		require.NoError(l, by.replace(path), "replacing the file")
		recv.ReturnsSoon(nil)
		require.Equal(l, "ErrReplaced", outcome(got, err), "Recv() of a file that was "+what+": does the Reader open the new file by itself? That is for its caller to do. What the old one still gets would be lost.")
		_, err = r.Recv()
		require.ErrorIs(l, err, file.ErrReplaced, "Recv() once more of a file that was "+what)
		require.NoError(l, r.Close(), "Close() of the Reader")
	}

	// What is whole in the old file comes first.
	path = inFolder(l, "unread")
	raw = rawWriter(l, path)
	write(l, raw, frame("one"), frame("two"), frame("three")[:6])
	r = openReader(l, path)
	require.NoError(l, expect(r, "one"), "Recv()")
	require.NoError(l, os.Rename(path, path+".1"), "renaming the file")
	require.NoError(l, os.WriteFile(path, frame("new"), 0o600), "making another file")
	require.NoError(l, expect(r, "two"), "Recv() of what the old file still has: was it looked at before it was left?")
	recv = l.Call("Recv()", func() error { return expect(r, "three") })
	recv.Blocks("the old file's writer has not finished its record, and it lives")
	write(l, raw, frame("three")[6:])
	recv.Returns(nil)
	l.Call("Recv() at the end of a file that was renamed before the call: does Recv wait without looking at what the path leads to?", receives(r)).ReturnsSoon(file.ErrReplaced)
	require.NoError(l, r.Close(), "Close() of the Reader")

	// The folder is renamed, and a file stands in its place.
	folder := inFolder(l, "folder")
	require.NoError(l, os.Mkdir(folder, 0o700), "making a folder")
	path = folder + "/records"
	write(l, rawWriter(l, path), frame("one"))
	r = openReader(l, path)
	require.NoError(l, errors.Join(os.Rename(folder, folder+".1"), os.WriteFile(folder, nil, 0o600)), "renaming the folder, and making a file of its name")
	require.NoError(l, expect(r, "one"), "Recv()")
	l.Call("Recv() when the folder of the path is a file now: does Recv wait without looking at what the path leads to? It leads to no file, and the kernel says ENOTDIR and not ENOENT.", receives(r)).ReturnsSoon(file.ErrReplaced)
	require.NoError(l, r.Close(), "Close() of the Reader")

	path = inFolder(l, "ended")
	write(l, rawWriter(l, path), frame("one"), endMark)
	r = openReader(l, path)
	require.NoError(l, os.Remove(path), "removing the file")
	require.NoError(l, expect(r, "one"), "Recv()")
	_, err := r.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() behind the end mark of a file that was removed: the end is the end")
	require.NoError(l, r.Close(), "Close() of the Reader")

	// The old file gets its last record and is renamed, just when the Reader has found
	// nothing and asks what the path leads to.
	atEachCall(l, "renamed in between", "open recv recv", func(r *held) func() {
		raw := rawWriter(l, r.path)
		r.Go()
		var got string
		r.Report(&got)
		require.Equal(l, "opened", got, "OpenReader()")
		return func() {
			write(l, raw, frame("the last"))
			require.NoError(l, os.Rename(r.path, r.path+".1"), "renaming the file")
			require.NoError(l, raw.Close(), "closing the raw writer")
		}
	}, func(r *held) {
		r.calls.Reports("the last", "Recv() of the last record of a file that was renamed right after it: does Recv look into the old file once more, when it knows that the path leads elsewhere?")
		r.Go()
		r.calls.Reports("ErrReplaced", "Recv() of a file that was renamed")
	})

	// The file is replaced while a Reader is opened. It has the old one then or the new
	// one, and each is told.
	atEachCall(l, "replaced in between", "open,follow", func(r *held) func() {
		raw := rawWriter(l, r.path)
		require.NoError(l, os.WriteFile(r.path+".new", frame("new"), 0o600), "writing another file")
		return func() {
			require.NoError(l, os.Rename(r.path+".new", r.path), "renaming it to the path")
			require.NoError(l, raw.Close(), "closing the raw writer")
		}
	}, func(r *held) {
		r.calls.Reports("new", "Recv() of a file that was replaced while OpenReader() or Recv() was under way, and if it says ErrReplaced, of the new file: is it the open file that is watched, or what stands at its path by then? Where the path leads has to be looked at when the watch is there.")
	})

	// What is no replacement.
	path = inFolder(l, "behind a link")
	raw = rawWriter(l, path)
	require.NoError(l, os.Symlink(path, path+".link"), "making a symbolic link")
	r = openReader(l, path+".link")
	recv = l.Call("Recv() of a Reader that came through a symbolic link: is the link itself looked at (lstat(2)), and not what it leads to (stat(2))?", func() error { return expect(r, "one") })
	recv.Blocks("the link leads to the file that the Reader has open")
	write(l, raw, frame("one"))
	recv.ReturnsSoon(nil)
	require.NoError(l, r.Close(), "Close() of the Reader")
	path = inFolder(l, "touched")
	raw = rawWriter(l, path)
	write(l, raw, frame("one"))
	r = openReader(l, path)
	require.NoError(l, expect(r, "one"), "Recv()")
	recv = l.Call("Recv()", func() error { return expect(r, "two") })
	require.NoError(l, os.Chmod(path, 0o644), "chmod")
	require.NoError(l, os.Link(path, path+".link"), "link")
	require.NoError(l, os.Remove(path+".link"), "removing the link")
	touched, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(l, err, "opening the file for writing")
	require.NoError(l, touched.Close(), "and closing it")
	recv.Blocks("the file is where it was, and as it was: the path leads to it")
	write(l, raw, frame("two"))
	recv.Returns(nil)

	// What is not there any more does not come back.
	path = inFolder(l, "comes back")
	raw = rawWriter(l, path)
	write(l, raw, frame("one"))
	r = openReader(l, path)
	require.NoError(l, expect(r, "one"), "Recv()")
	require.NoError(l, os.Rename(path, path+".old"), "giving the file another name")
	l.Call("Recv() when the file has another name", receives(r)).ReturnsSoon(file.ErrReplaced)
	require.NoError(l, os.Rename(path+".old", path), "giving it its own name back")
	l.Call("Recv() after ErrReplaced, when the file is at its path again: ErrReplaced is for good", receives(r)).ReturnsSoon(file.ErrReplaced)
}

// inFolder is a path in a folder in which the test may leave other files too.
func inFolder(l *lab.Lab, what string) string { return l.Dir() + "/" + what }

// Step 12: a new Writer cuts off a torn tail before it appends. A Reader that has
// seen the tail is told that it is gone, and goes on.
func TestNewWriterCutsOffATornTail(t *testing.T) {
	l := lab.New(t)
	torn := map[string][]byte{
		"half a header":          frame("hello")[:2],
		"a header":               frame("hello")[:4],
		"a header and a part":    frame("hello")[:7],
		"half an end mark":       endMark[:3],
		"a header that lies":     append(binary.BigEndian.AppendUint32(nil, file.MaxMessage), "hello"...),
		"all but one large byte": frame(string(pattern(20_000)))[:20_003],
	}
	for _, what := range []string{"half a header", "a header", "a header and a part", "half an end mark", "a header that lies", "all but one large byte"} {
		path := l.Path("records of " + what)
		v := startVictim(l, path, frame("one"), frame(""), torn[what])
		r := openReader(l, path)
		require.NoError(l, expect(r, "one"), "Recv()")
		require.NoError(l, expect(r, ""), "Recv()")

		before := size(l, path)
		_, err := file.OpenWriter(path, file.Never)
		require.ErrorIs(l, err, file.ErrLocked, "OpenWriter() while the writer lives that writes the record")
		require.Equal(l, before, size(l, path), "size of the file after OpenWriter() was refused: the tail is a living writer's record; is it cut off before the lock is there?")

		v.Kill()
		l.Call("Recv() of a torn record", receives(r)).ReturnsSoon(io.ErrUnexpectedEOF)
		recv := l.Call("Recv() of a Reader that has seen "+what+" and has said so: does it tell that what it has seen is gone?", receives(r))
		recv.Blocks("a new writer may come and go on: is it said more than once for the same torn record?")

		w := openWriter(l, path, file.Never)
		kept := len(frame("one")) + len(frame(""))
		require.Equal(l, kept, size(l, path), "size of the file after OpenWriter(): is a torn tail ("+what+") cut off, and nothing else?")
		recv.ReturnsSoon(file.ErrTruncated)
		require.NoError(l, w.Send([]byte("two")), "Send() of a new Writer")
		require.NoError(l, expect(r, "two"), "Recv() after a torn tail was cut off: does the Reader go on behind the last whole record?")
		require.NoError(l, w.Close(), "Close() of the new Writer")
		_, err = r.Recv()
		require.ErrorIs(l, err, io.EOF, "Recv() at the end")
		require.Equal(l, fmt.Sprintf("% x", slices.Concat(frame("one"), frame(""), frame("two"), endMark)), content(l, path), "the file in the end")
		require.NoError(l, r.Close(), "Close() of the Reader")
	}

	// Torn, cut off, and torn again: each torn record is told.
	path := l.Path("torn twice")
	startVictim(l, path, frame("one"), frame("hello")[:6]).Kill()
	r := openReader(l, path)
	require.NoError(l, expect(r, "one"), "Recv()")
	l.Call("Recv() of a torn record", receives(r)).ReturnsSoon(io.ErrUnexpectedEOF)
	second := rawWriter(l, path)
	require.NoError(l, second.Truncate(int64(len(frame("one")))), "cutting the torn record off")
	l.Call("Recv() when the torn record was cut off", receives(r)).ReturnsSoon(file.ErrTruncated)
	write(l, second, frame("again")[:7])
	recv := l.Call("Recv() of a second torn record: is it said of the first one only? It is said once for each torn record.", receives(r))
	recv.NotYet("the record is not whole, and its writer lives")
	require.NoError(l, second.Close(), "closing the second writer")
	recv.ReturnsSoon(io.ErrUnexpectedEOF)
	require.NoError(l, r.Close(), "Close() of the Reader")

	// A file that is nothing but a torn record, and one of large records.
	path = l.Path("nothing whole")
	startVictim(l, path, frame("hello")[:5]).Kill()
	w := openWriter(l, path, file.Never)
	require.Zero(l, size(l, path), "size of a file that held a torn record only, after OpenWriter()")
	require.NoError(l, w.Send([]byte("first")), "Send()")
	require.NoError(l, expect(openReader(l, path), "first"), "Recv()")

	// A Reader has received what was before the torn record, and asks for more only when a
	// new Writer has cut it off and appended.
	path = l.Path("cut off meanwhile")
	startVictim(l, path, frame("one"), frame("hello")[:6]).Kill()
	r = openReader(l, path)
	require.NoError(l, expect(r, "one"), "Recv()")
	require.NoError(l, openWriter(l, path, file.Never).Send([]byte("a longer one")), "Send() of a new Writer")
	require.NoError(l, expect(r, "a longer one"), "Recv() after a torn record was cut off and a new Writer came: is a part of the torn record used that was read ahead with the record before it?")

	theTailCannotBeFound(l)
	path = l.Path("large records")
	require.NoError(l, os.WriteFile(path, slices.Concat(frame(string(pattern(file.MaxMessage))), frame(string(pattern(100_000))), frame(string(pattern(file.MaxMessage)))[:700_000]), 0o600), "writing large records")
	openWriter(l, path, file.Never)
	require.Equal(l, 2*file.HeaderSize+file.MaxMessage+100_000, size(l, path), "size of a file with two large records and a torn one, after OpenWriter()")

	// A writer has no room for its record, cuts the part off, and goes: just when a
	// Reader has seen the part, and at any other moment. The next writer comes at once,
	// or when the Reader has seen all that there is to see.
	for _, later := range []bool{false, true} {
		name, when := "cut off", "went"
		if later {
			name, when = "cut off, and later", "went, and nobody came for a while"
		}
		atEachCall(l, name, "open,recv record", func(r *held) func() {
			raw := rawWriter(l, r.path)
			write(l, raw, frame("one"))
			r.Go()
			var got string
			r.Report(&got)
			require.Equal(l, "one", got, "Recv() of a whole record before the torn one")
			write(l, raw, frame("hello")[:6])
			return func() {
				require.NoError(l, raw.Truncate(int64(len(frame("one")))), "cutting a part off")
				require.NoError(l, raw.Close(), "closing the raw writer")
				if !later {
					writesNext(l, r.path)
				}
			}
		}, func(r *held) {
			if later {
				r.Rests()
				writesNext(l, r.path)
			}
			r.calls.Reports("hello", "Recv() of the record of a new writer, after the last one cut a part off, and "+when+": is what Recv has seen of a record still kept when it is gone, or is it said twice that it is gone? Is a part that was cut off said to be torn, since the file has not become larger?")
		})
	}
	anotherWriterComes(l)
}

func writesNext(l *lab.Lab, path string) {
	next := rawWriter(l, path)
	write(l, next, frame("hello"))
	require.NoError(l, next.Close(), "closing the next raw writer")
}
