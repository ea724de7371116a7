package file_test

import (
	"errors"
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
	path := l.Path("between two calls")
	raw := rawWriter(l, path)
	write(l, raw, frame("one"))
	r := openReader(l, path)
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
	recv := l.Call("Recv()", func() error { return expect(r, "three") })
	recv.Blocks("the old file's writer has not finished its record, and it lives")
	write(l, raw, frame("three")[6:])
	recv.Returns(nil)
	l.Call("Recv() at the end of a file that was renamed before the call: does Recv wait without looking at what the path leads to?", receives(r)).ReturnsSoon(file.ErrReplaced)
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
