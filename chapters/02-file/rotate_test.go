package file_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	file "ipcworkbook/chapters/02-file"
	"ipcworkbook/harness/lab"
)

// Step 9: a file that is truncated or replaced under the Reader is reported, and
// never read as garbage.
func TestTruncationAndReplacementAreReported(t *testing.T) {
	l := lab.New(t)

	// Truncation: received records are gone.
	for what, left := range map[string]int{
		"truncated to nothing":                 0,
		"truncated inside a received record":   7,
		"truncated between received records":   len(frame("one")),
		"truncated by the last record's bytes": len(frame("one")) + len(frame("two")) - 3,
	} {
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
	}
	path := l.Path("between two calls")
	raw := rawWriter(l, path)
	write(l, raw, frame("one"))
	r := openReader(l, path)
	require.NoError(l, expect(r, "one"), "Recv()")
	require.NoError(l, raw.Truncate(0), "truncating the file")
	l.Call("Recv() of a file that was truncated before the call: does Recv wait without looking at the file's size?", receives(r)).ReturnsSoon(file.ErrTruncated)

	// Replacement.
	for what, replace := range map[string]func(path string) error{
		"renamed": func(path string) error { return os.Rename(path, path+".1") },
		"renamed, and another one made": func(path string) error {
			return errors.Join(os.Rename(path, path+".1"), os.WriteFile(path, slices.Concat(frame("new"), endMark), 0o600))
		},
		"removed": os.Remove,
		"removed, and another one made": func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, frame("new"), 0o600))
		},
		"replaced by rename": func(path string) error {
			return errors.Join(os.WriteFile(path+".new", frame("new"), 0o600), os.Rename(path+".new", path))
		},
	} {
		path := inFolder(l, what)
		write(l, rawWriter(l, path), frame("one"))
		r := openReader(l, path)
		require.NoError(l, expect(r, "one"), "Recv()")
		recv := l.Call("Recv() of a file that was "+what+": is Recv woken up by that? IN_DELETE_SELF comes only when nobody has the file open any more, and the Reader has. IN_ATTRIB tells that the number of links is another.", receives(r))
		recv.Blocks("nothing has happened yet")
		require.NoError(l, replace(path), "replacing the file")
		recv.ReturnsSoon(file.ErrReplaced)
		_, err := r.Recv()
		require.ErrorIs(l, err, file.ErrReplaced, "Recv() once more of a file that was "+what)
	}

	// unlink(2) says that the last link is gone (IN_ATTRIB) a moment before the name is.
	// Here that moment is held: the path goes on through a link to a descriptor.
	gone := inFolder(l, "gone")
	write(l, rawWriter(l, gone), frame("one"))
	holds, err := os.Open(gone)
	require.NoError(l, err, "opening the file")
	l.CloseAtEnd(holds)
	path = inFolder(l, "the name stays a moment")
	require.NoError(l, os.Symlink(fmt.Sprintf("/proc/self/fd/%s", number(l, holds)), path), "making a symbolic link to a descriptor")
	r = openReader(l, path)
	require.NoError(l, expect(r, "one"), "Recv() of a file whose path is a symbolic link")
	recv := l.Call("Recv() of a file whose last link went (IN_ATTRIB), and its name a moment later: does Recv look at the path in between, find the name, and wait for ever? The number of links (st_nlink of fstat(2)) is 0 by then. Or ask again, or watch the folder.", receives(r))
	recv.Blocks("nothing has happened yet")
	require.NoError(l, os.Remove(gone), "removing the file")
	recv.Rests() // who counts the links returns here
	require.NoError(l, os.Remove(path), "removing the name that was left")
	recv.ReturnsSoon(file.ErrReplaced)

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

	path = inFolder(l, "ended")
	write(l, rawWriter(l, path), frame("one"), endMark)
	r = openReader(l, path)
	require.NoError(l, os.Remove(path), "removing the file")
	require.NoError(l, expect(r, "one"), "Recv()")
	_, err = r.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() behind the end mark of a file that was removed: the end is the end")

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

	// What is no replacement.
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
}

// inFolder is a path in a folder in which the test may leave other files too.
func inFolder(l *lab.Lab, what string) string { return l.Dir() + "/" + what }

// number is that of a file's descriptor, as its name in /proc/self/fd.
func number(l *lab.Lab, f *os.File) (n string) {
	l.Helper()
	conn, err := f.SyscallConn()
	require.NoError(l, err, "SyscallConn")
	require.NoError(l, conn.Control(func(fd uintptr) { n = fmt.Sprint(fd) }), "Control")
	return n
}
