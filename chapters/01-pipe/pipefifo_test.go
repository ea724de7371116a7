package pipe_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	pipe "ipcworkbook/chapters/01-pipe"
	"ipcworkbook/harness/lab"
)

// Step 8: several writers at once. Frames of up to PipeBuf bytes, header
// included, never mix. A shared Writer refuses a larger one; a Writer that has
// the pipe to itself does not.
func TestSharedWritersNeverMix(t *testing.T) {
	l := lab.New(t)
	largest := pipe.PipeBuf - pipe.HeaderSize

	raw, w := sender(l)
	shared := pipe.NewSharedWriter(l.File(w))
	l.CloseAtEnd(shared)
	room(l, w, 2*pipe.PipeBuf+2000) // for what is allowed
	for _, p := range unreadable(l, 2*pipe.PipeBuf, 1<<16+5, 1<<32+5) {
		what := fmt.Sprintf("Send() of %d bytes by a shared Writer: has a shared Writer a limit of its own?", len(p))
		if len(p) > 1<<16 {
			what = fmt.Sprintf("Send() of %d bytes by a shared Writer: is the length compared as an int? In fewer bits it is 5.", len(p))
		}
		l.Call(what, func() error { return sendUnread(shared, p) }).ReturnsSoon(pipe.ErrTooLarge)
	}
	require.ErrorIs(l, shared.Send(make([]byte, largest+1)), pipe.ErrTooLarge,
		"Send() of %d bytes and a header by a shared Writer: does the limit count the header?", largest+1)
	require.NoError(l, shared.Send(make([]byte, largest)), "Send() of %d bytes and a header by a shared Writer", largest)
	require.NoError(l, w.Send(make([]byte, largest+1)), "Send() of %d bytes by a Writer that has the pipe to itself", largest+1)
	waiting, err := lab.Waiting(raw)
	require.NoError(l, err, "FIONREAD")
	require.Equal(l, 2*pipe.PipeBuf+1, waiting, "bytes in the pipe after two frames: was something sent for the refused message?")

	// A frame goes out in one write: either all of it is in the pipe or
	// nothing. Here the last page of the pipe has room for a header only.
	raw, w = sender(l)
	filled := l.Capacity(w) - 50
	write(l, l.File(w), make([]byte, filled))
	waits := l.Start(sendsShared, lab.Give("w", w), lab.Tell("id", "0"), lab.Tell("sizes", "2000"))
	waits.Blocks("the pipe has no room for the frame",
		lab.Holds(raw, filled, "A part of the frame went out alone: are header and message written by two calls?"))
	_, err = io.CopyN(io.Discard, raw, int64(filled))
	require.NoError(l, err, "emptying the pipe")
	waited := make([]byte, pipe.HeaderSize+2000)
	_, err = io.ReadFull(raw, waited)
	require.NoError(l, err, "reading the raw frame that waited")
	l.SameBytes(frame(strings.Repeat("0", 2000)), waited, "the raw frame that waited")

	// Four processes, sizes that are no multiple of a page.
	const each = 500
	r, w := open(l)
	random := l.Rand("sizes")
	for id := range 4 {
		var sizes []string
		for range each {
			sizes = append(sizes, strconv.Itoa(1+random.IntN(largest)))
		}
		l.Start(sendsShared, lab.Give("w", w), lab.Tell("id", strconv.Itoa(id)), lab.Tell("sizes", strings.Join(sizes, ",")))
	}
	require.NoError(l, w.Close(), "Close() of our own copy of the write end")
	var count [4]int
	for range 4 * each {
		message, err := r.Recv()
		require.NoError(l, err, "Recv(): did frames of several writers mix?")
		require.NotEmpty(l, message, "Recv()")
		id := message[0]
		l.SameBytes(bytes.Repeat(message[:1], len(message)), message, "Recv(): did messages of several writers mix?")
		require.Contains(l, "0123", string(rune(id)), "Recv(): the first byte of a message")
		count[id-'0']++
	}
	require.Equal(l, [4]int{each, each, each, each}, count, "messages of each writer")
	_, err = r.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() after the last writer")
}

var sendsShared = lab.NewRole("one of several writers", func(c *lab.Child) error {
	w := pipe.NewSharedWriter(c.File("w"))
	for size := range strings.SplitSeq(c.Text("sizes"), ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			return err
		}
		if err := w.Send([]byte(strings.Repeat(c.Text("id"), n))); err != nil {
			return fmt.Errorf("Send() of %d bytes: %w", n, err)
		}
	}
	return w.Close()
})

// Step 9: a FIFO joins two processes that share nothing but a path, whichever
// opens first. A second stream uses it again. What is no FIFO is an error.
func TestFIFOJoinsTwoProcesses(t *testing.T) {
	l := lab.New(t)
	l.RefusesCalls()
	defer unix.Umask(unix.Umask(0)) // no mistake in the mode is hidden by it
	var path string
	for i, order := range [][]*lab.Role{{fifoReader, fifoWriter}, {fifoWriter, fifoReader}, {fifoReader, fifoWriter}} {
		// Whoever is first makes the FIFO; the third pair uses that of the second.
		path = l.Path(fmt.Sprintf("fifo%d", min(i, 1)))
		if i == 2 {
			info, err := os.Stat(path)
			require.NoError(l, err, "the FIFO after both have closed")
			require.Equal(l, "prw-------", info.Mode().String(), "mode of what OpenReader or OpenWriter made: is it a FIFO, for its owner only?")
			require.NoError(l, os.Chmod(path, 0o640), "giving the FIFO another mode")
		}
		first := l.Start(order[0], lab.Tell("path", path))
		first.Blocks("nobody has opened the other side: is it opened for one direction only, and without O_NONBLOCK? Then open(2) waits. Or is what was made no FIFO?")
		first.Interrupt(1)
		first.Blocks("nobody has opened the other side: does a signal end the wait?")
		second := l.Start(order[1], lab.Tell("path", path))
		reader := map[bool]*lab.Process{true: first, false: second}[order[0] == fifoReader]
		for _, want := range []string{"hello", "", "end of file"} {
			var got string
			reader.Report(&got)
			require.Equal(l, want, got, "Recv() on the FIFO")
		}
		require.NoError(l, first.Wait(), "the process that opened first")
		require.NoError(l, second.Wait(), "the process that opened second")
	}
	info, err := os.Stat(path)
	require.NoError(l, err, "the FIFO after both have closed")
	require.Equal(l, "prw-r-----", info.Mode().String(), "mode of a FIFO that was there already: it belongs to who made it. Is it changed, or a new one made?")

	things := l.Path("things")
	require.NoError(l, os.Mkdir(things, 0o700), "making a folder")
	for _, thing := range []struct {
		name string
		make func(path string) error
	}{
		{"regular file", func(path string) error { return os.WriteFile(path, []byte("precious"), 0o644) }},
		{"folder", func(path string) error { return os.Mkdir(path, 0o755) }},
		{"socket", makeSocket},
	} {
		path := filepath.Join(things, thing.name)
		require.NoError(l, thing.make(path), "making a %s", thing.name)
		before := looks(l, path)
		_, err = pipe.OpenReader(path)
		require.Error(l, err, "OpenReader() of a %s: does it check that what is there is a FIFO?", thing.name)
		_, err = pipe.OpenWriter(path)
		require.Error(l, err, "OpenWriter() of a %s: does it check that what is there is a FIFO?", thing.name)
		require.Equal(l, before, looks(l, path), "the %s after OpenReader() and OpenWriter(): was it opened for writing, or was its mode changed?", thing.name)
	}
	for _, open := range []func(string) error{opensReader, opensWriter} {
		missing := l.Call("OpenReader() or OpenWriter() in a folder that is not there: is the kernel's error returned?",
			func() error { return open(filepath.Join(things, "missing", "fifo")) })
		missing.ReturnsSoon(fs.ErrNotExist)
	}
	require.NoError(l, l.Start(opensWithoutDescriptor, lab.Tell("path", filepath.Join(things, "fifo"))).Wait(),
		"OpenReader() and OpenWriter() without a free descriptor: is the kernel's error returned, and nothing left open?")

	// The other side may make the FIFO between any two calls of this one.
	for _, side := range []string{"OpenReader()", "OpenWriter()"} {
		calls := l.Calls()
		opener := l.Start(heldOpener, lab.Tell("side", side), lab.Tell("folder", things), calls.HandOver())
		calls.Of(opener)
		for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
			isHeld = calls.Hold(try)
			path := tryPath(things, side, try)
			if err := unix.Mkfifo(path, 0o600); err != unix.EEXIST {
				require.NoError(l, err, "mkfifo()")
			}
			bothSides, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
			require.NoError(l, err, "opening the FIFO")
			calls.Go()
			calls.Reports("opened", side+" while the other side makes the FIFO: that it is there by now is no error (EEXIST). Does a look come first, and mkfifo after it?")
			require.NoError(l, bothSides.Close(), "closing the other side")
		}
		opener.Kill()
	}
}

// mostCalls is how many calls of OpenReader and OpenWriter are tried.
const mostCalls = 14

func tryPath(folder, side string, try int) string {
	return filepath.Join(folder, fmt.Sprint("by ", side, " ", try))
}

var heldOpener = lab.NewRole("opener that is held", func(c *lab.Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	open := map[string]func(string) error{"OpenReader()": opensReader, "OpenWriter()": opensWriter}[c.Text("side")]
	for try := range mostCalls {
		c.Wait()
		got := "opened"
		if err := open(tryPath(c.Text("folder"), c.Text("side"), try)); err != nil {
			got = "the error: " + err.Error()
		}
		c.Report(got)
	}
	return nil
})

var opensWithoutDescriptor = lab.NewRole("process without a free descriptor for a FIFO", func(c *lab.Child) error {
	path := c.Text("path")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return err
	}
	bothSides, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer bothSides.Close()
	return errors.Join(noneLeft("OpenReader()", func() error { return opensReader(path) }),
		noneLeft("OpenWriter()", func() error { return opensWriter(path) }))
})

func opensReader(path string) error {
	r, err := pipe.OpenReader(path)
	if err != nil {
		return err
	}
	return r.Close()
}

func opensWriter(path string) error {
	w, err := pipe.OpenWriter(path)
	if err != nil {
		return err
	}
	return w.Close()
}

// looks is what stat(2) says of a file that nobody has touched: a change of its mode, and
// of its content, are seen in the last times.
func looks(l *lab.Lab, path string) string {
	var st unix.Stat_t
	require.NoError(l, unix.Stat(path, &st), "stat()")
	text := fmt.Sprintf("mode %o, %d bytes, changed %d.%09d", st.Mode, st.Size, st.Ctim.Sec, st.Ctim.Nsec)
	if st.Mode&unix.S_IFMT == unix.S_IFCHR {
		text = fmt.Sprintf("mode %o", st.Mode)
	}
	return text
}

// makeSocket makes the file of a socket. By bind(2) a path could have 108 bytes at most.
func makeSocket(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) }

var fifoReader = lab.NewRole("reader", func(c *lab.Child) error {
	if err := c.RefuseCloseOnExec(); err != nil { // by a second call
		return err
	}
	r, err := pipe.OpenReader(c.Text("path"))
	if err != nil {
		return fmt.Errorf("OpenReader(): %w", err)
	}
	if is, err := flagsOf(r); err != nil || is.OnExec != "close-on-exec" {
		return fmt.Errorf("the end of OpenReader() is %s: is O_CLOEXEC set when the FIFO is opened? %w", is.OnExec, err)
	}
	for {
		message, err := r.Recv()
		if errors.Is(err, io.EOF) {
			c.Report("end of file")
			return r.Close()
		}
		if err != nil {
			return fmt.Errorf("Recv(): %w", err)
		}
		c.Report(string(message))
	}
})

var fifoWriter = lab.NewRole("writer", func(c *lab.Child) error {
	if err := c.RefuseCloseOnExec(); err != nil { // by a second call
		return err
	}
	w, err := pipe.OpenWriter(c.Text("path"))
	if err != nil {
		return fmt.Errorf("OpenWriter(): %w", err)
	}
	if is, err := flagsOf(w); err != nil || is.OnExec != "close-on-exec" {
		return fmt.Errorf("the end of OpenWriter() is %s: is O_CLOEXEC set when the FIFO is opened? %w", is.OnExec, err)
	}
	for _, message := range []string{"hello", ""} {
		if err := w.Send([]byte(message)); err != nil {
			return fmt.Errorf("Send(%q): %w", message, err)
		}
	}
	return w.Close()
})
