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

// Step 6: one writer at a time. A second one is refused, in this process and in
// another, and the lock dies with its holder.
func TestOneWriterAtATime(t *testing.T) {
	l := lab.New(t)
	path := l.Path("records")
	w := openWriter(l, path, file.Never)
	require.NoError(l, w.Send([]byte("one")), "Send()")
	require.Equal(l, "locked for writing", seen(l, path), "the file while a Writer has it, as F_OFD_GETLK shows it at its far end: is the lock on the whole file, and one of fcntl(2)?")

	before := content(l, path)
	for range 2 { // a refused one must not take the lock away with it
		_, err := file.OpenWriter(path, file.Never)
		require.ErrorIs(l, err, file.ErrLocked, "OpenWriter() while another Writer of this process has the file: a record lock (F_SETLK) belongs to the process, and falls with any descriptor of the file that it closes. An open file description lock (F_OFD_SETLK) does not.")
	}
	second := l.Start(triesToWrite, lab.Tell("path", path))
	var refused string
	second.Report(&refused)
	require.Equal(l, "ErrLocked", refused, "OpenWriter() in another process while a Writer has the file")
	require.Equal(l, before, content(l, path), "the file after OpenWriter() was refused: is it changed before it is locked?")

	// A Reader is no hindrance, wherever it is in the file.
	r := openReader(l, path)
	require.NoError(l, expect(r, "one"), "Recv()")
	recv := l.Call("Recv()", receives(r))
	recv.Blocks("the Writer has not closed")
	require.NoError(l, w.Close(), "Close() of the Writer")
	recv.Returns(io.EOF)
	require.Equal(l, "free", seen(l, path), "the file after Close() of its Writer: is a copy of the descriptor still open?")

	// Whoever has the lock is respected, whatever program it is.
	other := l.Path("other")
	stranger := rawWriter(l, other)
	_, err := file.OpenWriter(other, file.Never)
	require.ErrorIs(l, err, file.ErrLocked, "OpenWriter() while another program has the file locked with F_OFD_SETLK")
	require.NoError(l, stranger.Close(), "closing the other program's descriptor")

	holder := l.Start(holdsTheFile, lab.Tell("path", other))
	var ready bool
	holder.Report(&ready)
	require.Equal(l, "locked for writing", seen(l, other), "the file while a Writer in another process has it")
	_, err = file.OpenWriter(other, file.Never)
	require.ErrorIs(l, err, file.ErrLocked, "OpenWriter() while a Writer in another process has the file")
	waiting := openReader(l, other)
	recv = l.Call("Recv()", func() error { return expect(waiting, "after it") })
	recv.Blocks("nothing was sent")
	holder.Kill()
	next := openWriter(l, other, file.Never) // the lock died with its holder
	require.NoError(l, next.Send([]byte("after it")), "Send() of the Writer that came after one that was killed")
	recv.Returns(nil)

	early := l.Path("early")
	require.NoError(l, os.WriteFile(early, nil, 0o600), "making an empty file")
	openReader(l, early)
	w, err = file.OpenWriter(early, file.Never)
	require.NoError(l, err, "OpenWriter() of a file that a Reader has open: does the Reader take a lock, and keep every Writer out?")
	l.CloseAtEnd(w)
}

// anotherWriterComes while an OpenWriter is held before each of its calls. It finds a
// torn record, cuts it off, appends its own, and stays or goes. Who comes too late does
// nothing.
func anotherWriterComes(l *lab.Lab) {
	l.Helper()
	for _, stays := range []bool{true, false} {
		name, what := "went", "appended a record, and went"
		if stays {
			name, what = "stays", "appended a record, and stays"
		}
		var other *os.File
		atEachCall(l, "another writer "+name, "writer send close", func(r *held) func() {
			require.NoError(l, os.WriteFile(r.path, slices.Concat(frame("one"), frame("hello")[:6]), 0o600), "writing a torn record")
			return func() {
				var err error
				if other, err = locked(r.path); err != nil {
					other = nil // the Writer has the file already
					return
				}
				require.NoError(l, other.Truncate(int64(len(frame("one")))), "cutting the torn record off")
				write(l, other, frame("theirs"))
				if !stays {
					require.NoError(l, other.Close(), "closing the other writer")
				}
			}
		}, func(r *held) {
			want, sent, left := "opened", "sent", frame("one")
			if other != nil {
				left = slices.Concat(left, frame("theirs"))
			}
			if other != nil && stays {
				want, sent = "ErrLocked", "there is no Writer"
			} else {
				left = slices.Concat(left, frame("mine"))
			}
			r.calls.Reports(want, "OpenWriter() of a file to which another writer came just then, "+what+": is the file looked at before it has the lock?")
			r.Go()
			r.calls.Reports(sent, "Send() after that")
			require.Equal(l, fmt.Sprintf("% x", left), content(l, r.path), "the file after OpenWriter() and Send(), when another writer came just then, "+what+". It was %s: does OpenWriter look into the file before it has the lock, and cut by what it saw then?", r.calls)
			r.Go()
			r.calls.Reports("closed", "Close() after that")
			if other != nil && stays {
				require.NoError(l, other.Close(), "closing the other writer")
			}
		})
	}
}

// seen is what F_OFD_GETLK shows: whether somebody has the file locked. It asks
// for one byte, far behind the end of the file.
func seen(l *lab.Lab, path string) string {
	l.Helper()
	f, err := os.Open(path)
	require.NoError(l, err, "opening the file to look for its lock")
	defer f.Close()
	conn, err := f.SyscallConn()
	require.NoError(l, err, "SyscallConn")
	ask := unix.Flock_t{Type: unix.F_WRLCK, Start: 1 << 40, Len: 1}
	require.NoError(l, conn.Control(func(fd uintptr) { err = unix.FcntlFlock(fd, unix.F_OFD_GETLK, &ask) }), "Control")
	require.NoError(l, err, "F_OFD_GETLK")
	return map[int16]string{unix.F_UNLCK: "free", unix.F_RDLCK: "locked for reading", unix.F_WRLCK: "locked for writing"}[ask.Type]
}

var triesToWrite = lab.NewRole("second writer", func(c *lab.Child) error {
	w, err := file.OpenWriter(c.Text("path"), file.Never)
	switch {
	case err == nil:
		c.Report("it got the file")
		return w.Close()
	case errors.Is(err, file.ErrLocked):
		c.Report("ErrLocked")
		return nil
	}
	return fmt.Errorf("OpenWriter(): %w", err)
})

var holdsTheFile = lab.NewRole("holder", func(c *lab.Child) error {
	w, err := file.OpenWriter(c.Text("path"), file.Never)
	if err != nil {
		return fmt.Errorf("OpenWriter(): %w", err)
	}
	c.Report(true)
	c.Wait()
	return w.Close()
})

// Step 7: a writer that is killed inside a record is noticed, and the record is
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
		require.NoError(l, errors.Join(r.Close(), late.Close()), "Close() of the Readers")
	}

	// Killed inside of Send, before each of its system calls. There is no room for the
	// whole record, so what write(2) left of it is there when the next call comes.
	dir := inFolder(l, "killed in Send")
	require.NoError(l, os.Mkdir(dir, 0o700), "making a folder")
	for call, isHeld := 0, true; isHeld && call < most; call++ {
		path := tryPath(dir, call)
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
			// The Writer has cut it off again. How such a Reader goes on is step 8's: here
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

// Step 8: a new Writer cuts off a torn tail before it appends. A Reader that has
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
