package file_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	require.Equal(l, "locked for writing", seen(l, path), "the file while a Writer has it, as F_OFD_GETLK shows it: is the lock on the whole file, and one of fcntl(2)?")

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

	old := l.Path("with records")
	require.NoError(l, os.WriteFile(old, frame("one"), 0o600), "writing a file of records")
	openWriter(l, old, file.Never)
	require.Equal(l, "locked for writing", seen(l, old), "a file that had records when its Writer came, as F_OFD_GETLK shows it: does the lock begin or end where the file ended then? It is on the whole file, to infinity (a length of 0).")
	theLockStaysUntilTheMark(l)
	noLockForAnotherReason(l)
}

// theLockStaysUntilTheMark: a Writer that closes gives the lock back when its end mark is
// there, and not before. It is held before each of its calls, and another writer comes.
func theLockStaysUntilTheMark(l *lab.Lab) {
	l.Helper()
	ended := fmt.Sprintf("% x", slices.Concat(frame("mine"), endMark))
	atEachCall(l, "closes", "writer,send close", func(r *held) func() {
		r.Go()
		var got string
		r.Report(&got)
		require.Equal(l, "sent", got, "Send()")
		return func() {
			if next, err := locked(r.path); err == nil {
				require.Equal(l, ended, content(l, r.path), "the file when another writer gets its lock, with Close() of the Writer %s: is the lock given back before the end mark is there?", r.calls)
				require.NoError(l, next.Close(), "closing the other writer")
			}
		}
	}, func(r *held) { r.calls.Reports("closed", "Close() of the Writer") })
}

// noLockForAnotherReason: the kernel has no room for a lock, and nobody has the file.
func noLockForAnotherReason(l *lab.Lab) {
	l.Helper()
	path := withoutLinks(l) + "/no room for a lock"
	p, calls := startTold(l, path, file.Never)
	calls.Refuse(unix.ENOLCK, -1, "", "fcntl(F_OFD_SETLK)")
	told(l, p, "ENOLCK", "OpenWriter() when the kernel has no room for a lock (ENOLCK of fcntl(2)): is every error of the lock taken for another writer? Only EAGAIN and EACCES say that.")
	require.Empty(l, openIn(p, filepath.Dir(path)), "what is open after OpenWriter() had the error ENOLCK: is the file closed?")
	p.Kill()
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

// seen is what F_OFD_GETLK shows: whether somebody has the file locked. It asks for the
// first byte, and for one far behind the end of the file.
func seen(l *lab.Lab, path string) string {
	l.Helper()
	f, err := os.Open(path)
	require.NoError(l, err, "opening the file to look for its lock")
	defer f.Close()
	conn, err := f.SyscallConn()
	require.NoError(l, err, "SyscallConn")
	var at [2]string
	for i, start := range []int64{0, 1 << 40} {
		ask := unix.Flock_t{Type: unix.F_WRLCK, Start: start, Len: 1}
		require.NoError(l, conn.Control(func(fd uintptr) { err = unix.FcntlFlock(fd, unix.F_OFD_GETLK, &ask) }), "Control")
		require.NoError(l, err, "F_OFD_GETLK")
		at[i] = map[int16]string{unix.F_UNLCK: "free", unix.F_RDLCK: "locked for reading", unix.F_WRLCK: "locked for writing"}[ask.Type]
	}
	if at[0] != at[1] {
		return at[0] + " at its first byte, and " + at[1] + " behind its end"
	}
	return at[0]
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
