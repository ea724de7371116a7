package file_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	file "ipcworkbook/chapters/02-file"
	"ipcworkbook/harness/lab"
)

// A disk that fails, and what the ends make of its errors. The kernel answers in its place
// (seccomp(2)).

// reading are the calls that read from a file.
var reading = []string{"read", "readv", "pread", "preadv", "preadv2"}

// withoutLinks is a folder of the test by the path that the kernel knows.
func withoutLinks(l *lab.Lab) string {
	l.Helper()
	dir, err := filepath.EvalSymlinks(l.Dir())
	require.NoError(l, err, "looking at the folder")
	return dir
}

// theDiskCannotBeRead: to a Reader this is neither a torn record, nor something to wait for.
func theDiskCannotBeRead(l *lab.Lab) {
	l.Helper()
	dir := withoutLinks(l)
	path := tryPath(dir, 0)
	require.NoError(l, os.WriteFile(path, frame("one"), 0o600), "writing a record")
	calls := l.Calls()
	r := l.Start(heldReader, lab.Tell("dir", dir), lab.Tell("does", "open recv"), calls.HandOver())
	calls.Of(r)
	told(l, r, "opened", "OpenReader()")
	calls.Refuse(unix.EIO, -1, path, reading...)
	r.Go()
	calls.Reports("EIO", "Recv() when the disk fails (EIO of read(2)): is only io.EOF taken for the end of the file, or every error?")
	r.Kill()
}

// theTailCannotBeFound, or it cannot be cut off: a new Writer says so, and appends nothing.
func theTailCannotBeFound(l *lab.Lab) {
	l.Helper()
	path := withoutLinks(l) + "/on a disk that fails"
	torn := slices.Concat(frame("one"), frame("hello")[:6])
	require.NoError(l, os.WriteFile(path, torn, 0o600), "writing a torn record")
	for _, fails := range []struct {
		what  string
		names []string
		why   string
	}{
		{"read(2)", reading, "is only io.EOF taken for the end of the file, or every error?"},
		{"ftruncate(2)", []string{"ftruncate"}, "the torn record is still there. Is what ftruncate(2) returned looked at?"},
	} {
		p, calls := startTold(l, path, file.Never)
		calls.Refuse(unix.EIO, -1, path, fails.names...)
		told(l, p, "EIO", fmt.Sprintf("OpenWriter() of a file with a torn record, when the disk fails (EIO of %s): %s", fails.what, fails.why))
		require.Equal(l, fmt.Sprintf("% x", torn), content(l, path), "the file after OpenWriter() had an error of the disk (EIO of %s): the file is as it was", fails.what)
		require.Empty(l, openIn(p, filepath.Dir(path)), "what is open after OpenWriter() had an error of the disk (EIO of %s): is the file closed, and with it the lock given back?", fails.what)
		p.Kill()
	}
}

// nothingWatches: where the kernel has no room for a watch OpenReader says so, or the Reader looks by
// itself. A Reader that hears of nothing would wait for ever.
func nothingWatches(l *lab.Lab) {
	l.Helper()
	dir := withoutLinks(l)
	path := dir + "/not watched"
	w := openWriter(l, path, file.Never)
	require.NoError(l, w.Send([]byte("one")), "Send()")
	calls := l.Calls()
	r := l.Start(opensUnwatched, lab.Tell("path", path), calls.HandOver())
	calls.Of(r)
	calls.Refuse(unix.ENOSPC, -1, "", "inotify_add_watch")
	r.Go()
	var got string
	r.Report(&got)
	if got == "opened" {
		r.Go()
		r.Report(&got)
		require.Equal(l, "one", got, "Recv()")
		r.Go()
		r.Rests()
		require.NoError(l, w.Send([]byte("two")), "Send()")
		calls.Reports("two", "Recv() of a Reader that was opened where inotify_add_watch(2) failed (ENOSPC: there are no more watches for this user)")
	} else {
		require.Equal(l, "ENOSPC", got, "OpenReader() where inotify_add_watch(2) fails (ENOSPC: there are no more watches for this user)")
	}
	r.Kill()
}

var opensUnwatched = lab.NewRole("reader without a watch", func(c *lab.Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	c.Wait()
	r, err := file.OpenReader(c.Text("path"))
	if errors.Is(err, unix.ENOSPC) {
		c.Report("ENOSPC")
		c.Wait()
		return nil
	}
	if err != nil {
		return fmt.Errorf("OpenReader(): %w", err)
	}
	c.Report("opened")
	for {
		c.Wait()
		c.Report(outcome(r.Recv()))
	}
})

// theDiskFailedOnce: what a Writer, and the next one, make of an error of the disk that comes once.
func theDiskFailedOnce(l *lab.Lab) {
	l.Helper()
	dir := withoutLinks(l)
	path := dir + "/ended"
	p, calls := startTold(l, path, file.EachRecord)
	if told(l, p, "", "OpenWriter() with EachRecord") != "it writes through" {
		calls.Refuse(unix.EIO, 1, path, syncs...)
		told(l, p, "EIO", "Send() with EachRecord, when the disk fails")
		told(l, p, "", "Close()")
		require.True(l, strings.HasSuffix(content(l, path), fmt.Sprintf("% x", endMark)), "the file ends with the end mark after Close(), also where a Send() had an error of the disk. It has: %s", content(l, path))
	}
	p.Kill()

	// The name of an empty file may not be durable yet: who made it had an error, or has died.
	path = dir + "/empty"
	require.NoError(l, os.WriteFile(path, nil, 0o644), "making an empty file")
	require.NoError(l, os.Chmod(path, 0o644), "chmod()")
	p, calls = startTold(l, path, file.AtClose)
	calls.Refuse(unix.EIO, -1, dir, syncs...)
	told(l, p, "EIO", "OpenWriter() with AtClose of an empty file, when the disk fails for the folder: nobody knows whether the file's name is durable. Whoever made it may have had this very error")
	p.Kill()
	info, err := os.Stat(path)
	require.NoError(l, err, "stat()")
	require.Equal(l, os.FileMode(0o644), info.Mode(), "the mode of an empty file that was there before OpenWriter(): it keeps its own")

	require.NoError(l, l.Start(opensByItsName, lab.Tell("dir", dir)).Wait(), "a process that works in the folder, and opens the file by its bare name")
}

var opensByItsName = lab.NewRole("writer in the folder", func(c *lab.Child) error {
	if err := os.Chdir(c.Text("dir")); err != nil {
		return err
	}
	w, err := file.OpenWriter("bare", file.AtClose)
	if err != nil {
		return fmt.Errorf("OpenWriter() of a new file with AtClose, by its bare name in the folder in which the process works: %w", err)
	}
	return w.Close()
})
