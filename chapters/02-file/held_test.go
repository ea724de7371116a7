package file_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	file "ipcworkbook/chapters/02-file"
	"ipcworkbook/harness/lab"
)

// What another process does may come between any two system calls of a Reader. So a
// Reader in a process of its own is held before each of them, one after another, and
// the test does there what the other process would do.

// most is how many calls of a Reader are tried.
const most = 14

// heldReader does what it is told, with a new Reader for each try: "open", "recv",
// "record", which receives again when a part that was seen is gone (ErrTruncated), or
// "follow", which opens the new file when the old one was replaced (ErrReplaced), or "look",
// which opens a file and says whether it has a FIFO. Or it has a new Writer: "writer" opens it, "send" sends "mine",
// and "close" closes it.
// What stands between two spaces is done in one go, and the last result is reported.
var heldReader = lab.NewRole("process that is held", func(c *lab.Child) error {
	unix.Umask(0) // no mistake in the mode is hidden by it
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for try := range most {
		var r *file.Reader
		var w *file.Writer
		for part := range strings.FieldsSeq(c.Text("does")) {
			c.Wait()
			var got string
			for call := range strings.SplitSeq(part, ",") {
				var err error
				switch call {
				case "open":
					got = "opened"
					r, err = file.OpenReader(tryPath(c.Text("dir"), try))
				case "look":
					if got = "no FIFO"; isFIFO(file.OpenReader(tryPath(c.Text("dir"), try))) {
						got = "a FIFO"
					}
				case "writer":
					got = "opened"
					var failed error
					if w, failed = file.OpenWriter(tryPath(c.Text("dir"), try), file.Never); failed != nil {
						got = outcome(nil, failed)
					}
				case "send":
					if got = "there is no Writer"; w != nil {
						got = outcome([]byte("sent"), w.Send([]byte("mine")))
					}
				case "close":
					if got = "closed"; w != nil {
						got = outcome([]byte(got), w.Close())
						w = nil
					}
				case "recv":
					got = outcome(r.Recv())
				case "record":
					if got = outcome(r.Recv()); got == "ErrTruncated" {
						got = outcome(r.Recv())
					}
				case "follow":
					if got = outcome(r.Recv()); got != "ErrReplaced" {
						break
					}
					if err = r.Close(); err != nil {
						return fmt.Errorf("Close() of the Reader: %w", err)
					}
					if r, err = file.OpenReader(tryPath(c.Text("dir"), try)); err == nil {
						got = outcome(r.Recv())
					}
				}
				if err != nil {
					return fmt.Errorf("OpenReader(): %w", err)
				}
			}
			c.Report(got)
		}
		if r != nil {
			if err := r.Close(); err != nil {
				return fmt.Errorf("Close() of the Reader: %w", err)
			}
		}
		if w != nil {
			if err := w.Close(); err != nil {
				return fmt.Errorf("Close() of the Writer: %w", err)
			}
		}
	}
	return nil
})

// isFIFO reports whether a Reader was opened that has a FIFO open, and closes it.
func isFIFO(r *file.Reader, err error) bool {
	if err != nil {
		return false
	}
	defer r.Close()
	var st unix.Stat_t
	if conn, err := r.SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { _ = unix.Fstat(int(fd), &st) })
	}
	return st.Mode&unix.S_IFMT == unix.S_IFIFO
}

// twoWriters sends with one Writer, which is held, and meanwhile with another one.
var twoWriters = lab.NewRole("process with two Writers", func(c *lab.Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for try := range most {
		mine, err := file.OpenWriter(tryPath(c.Text("dir"), try), file.Never)
		if err != nil {
			return fmt.Errorf("OpenWriter(): %w", err)
		}
		theirs, err := file.OpenWriter(tryPath(c.Text("dir"), try)+" of the other", file.Never)
		if err != nil {
			return fmt.Errorf("OpenWriter(): %w", err)
		}
		c.Report("opened")
		c.Wait()
		sent := make(chan error)
		go func() { sent <- mine.Send([]byte("mine")) }()
		c.Wait()
		c.Report(outcome([]byte("sent"), theirs.Send([]byte("theirs"))))
		c.Wait()
		c.Report(outcome([]byte("sent"), <-sent))
		c.Wait()
		if err := errors.Join(mine.Close(), theirs.Close()); err != nil {
			return fmt.Errorf("Close() of the Writers: %w", err)
		}
	}
	return nil
})

// twoWritersAtOnce sends in two goroutines, each with a Writer of its own. One is held
// before each of its calls, and the other one goes on.
func twoWritersAtOnce(l *lab.Lab) {
	l.Helper()
	dir := inFolder(l, "two writers")
	require.NoError(l, os.Mkdir(dir, 0o700), "making a folder")
	calls := l.Calls()
	p := l.Start(twoWriters, lab.Tell("dir", dir), calls.HandOver())
	calls.Of(p)
	for try, isHeld := 0, true; isHeld && try < most; try++ {
		var got string
		p.Report(&got)
		require.Equal(l, "opened", got, "OpenWriter() of two files")
		calls.Alone()
		isHeld = calls.Hold(try)
		where := calls.String()
		p.Go()
		p.Report(&got)
		require.Equal(l, "sent", got, "Send() of another Writer of this process")
		calls.Go()
		p.Go()
		p.Report(&got)
		require.Equal(l, "sent", got, "Send()")
		path := tryPath(dir, try)
		require.Equal(l, fmt.Sprintf("% x", frame("mine")), content(l, path), "the file of a Writer, with Send() in one goroutine %s, while another Writer of this process sent in another goroutine: has each of them its own memory for a frame?", where)
		require.Equal(l, fmt.Sprintf("% x", frame("theirs")), content(l, path+" of the other"), "the other Writer's file")
		p.Go()
	}
	p.Kill()
}

func tryPath(dir string, try int) string { return fmt.Sprintf("%s/try %d", dir, try) }

// outcome is what Recv returned, in words.
func outcome(message []byte, err error) string {
	if err == nil {
		return string(message)
	}
	for _, one := range []struct {
		name  string
		known error
	}{
		{"io.EOF", io.EOF},
		{"io.ErrUnexpectedEOF", io.ErrUnexpectedEOF},
		{"ErrTruncated", file.ErrTruncated},
		{"ErrReplaced", file.ErrReplaced},
		{"ErrLocked", file.ErrLocked},
		{"ErrEnded", file.ErrEnded},
		{"ErrTooLarge", file.ErrTooLarge},
		{"EIO", unix.EIO},
	} {
		name, known := one.name, one.known
		if errors.Is(err, known) {
			return name
		}
	}
	return "the error: " + err.Error()
}

// held is a Reader that is held, and the file of a try.
type held struct {
	*lab.Process
	calls *lab.Calls
	path  string
}

// atEachCall holds a Reader before each of its system calls: before is what happens
// until the Reader's last part begins, meanwhile what the other process does when the
// Reader is held, and then what comes of it.
func atEachCall(l *lab.Lab, name, does string, before func(*held) func(), then func(*held)) {
	dir := inFolder(l, name)
	require.NoError(l, os.Mkdir(dir, 0o700), "making a folder")
	calls := l.Calls()
	r := &held{calls: calls, Process: l.Start(heldReader, lab.Tell("dir", dir), lab.Tell("does", does), calls.HandOver())}
	calls.Of(r.Process)
	for try, isHeld := 0, true; isHeld && try < most; try++ {
		r.path = tryPath(dir, try)
		meanwhile := before(r)
		isHeld = calls.Hold(try)
		meanwhile()
		calls.Go()
		then(r)
	}
	r.Kill()
}
