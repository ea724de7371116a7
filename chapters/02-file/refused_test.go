package file_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

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
		p.Kill()
	}
}
