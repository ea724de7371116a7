package file_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	file "ipcworkbook/chapters/02-file"
	"ipcworkbook/harness/lab"
)

// Step 13: durability is a choice: never, at Close, at each record. The kernel
// counts the pages that the disk does not have yet.
func TestDurabilityIsAChoice(t *testing.T) {
	l := lab.New(t)
	message := pattern(10_000)
	open := func(what string, d file.Durability) (*file.Writer, string) {
		path, missing := l.DirtyPath(what)
		w := openWriter(l, path, d) // first, so that the stub is told and not the machine
		if missing != "" {
			l.Unsupported("%s", missing)
		}
		return w, path
	}

	w, path := open("each", file.EachRecord)
	for i := range 3 {
		require.NoError(l, w.Send(message), "Send() with EachRecord")
		require.Zero(l, l.DirtyPages(path), "dirty pages after Send() of record %d with EachRecord: does Send wait for the disk before it returns (fdatasync(2), or O_DSYNC of open(2))?", i)
	}
	require.NoError(l, w.Close(), "Close() with EachRecord")
	require.Zero(l, l.DirtyPages(path), "dirty pages after Close() with EachRecord: is the end mark on the disk too?")

	// That pages are dirty is tried more than once: somebody may call sync(2) just
	// then.
	var atSend, atEnd int
	for i := range 5 {
		w, path = open(fmt.Sprintf("at close %d", i), file.AtClose)
		require.NoError(l, w.Send(message), "Send() with AtClose")
		atSend = max(atSend, l.DirtyPages(path))
		require.NoError(l, w.Close(), "Close() with AtClose")
		require.Zero(l, l.DirtyPages(path), "dirty pages after Close() with AtClose: does Close wait for the disk (fdatasync(2)), and behind the end mark? close(2) does not.")
	}
	require.NotZero(l, atSend, "dirty pages after Send() with AtClose: does Send wait for the disk? Only Close has to.")

	atSend = 0
	for i := range 5 {
		w, path = open(fmt.Sprintf("never %d", i), file.Never)
		require.NoError(l, w.Send(message), "Send() with Never")
		atSend = max(atSend, l.DirtyPages(path))
		require.NoError(l, w.Close(), "Close() with Never")
		atEnd = max(atEnd, l.DirtyPages(path))
	}
	require.NotZero(l, atSend, "dirty pages after Send() with Never: does Send wait for the disk?")
	require.NotZero(l, atEnd, "dirty pages after Close() with Never: does Close wait for the disk?")

	// What an earlier writer has left to the kernel is a part of the file.
	for i, d := range []file.Durability{file.EachRecord, file.AtClose} {
		what := []string{"EachRecord", "AtClose"}[i]
		path, _ := l.DirtyPath("of an earlier writer, " + what)
		require.NoError(l, os.WriteFile(path, frame(string(pattern(50_000))), 0o600), "writing a record of an earlier writer")
		require.NoError(l, openWriter(l, path, d).Close(), "Close() with %s", what)
		require.Zero(l, l.DirtyPages(path), "dirty pages after Close() with %s, of a file with a record of an earlier writer, which did not wait for the disk: has the disk all of the file (fdatasync(2)), or only what this Writer has written (O_DSYNC)?", what)
	}
	aDiskFails(l)
	theFolderComesAfterTheFile(l)
	theDiskFailedOnce(l)
	theLockStaysUntilTheDisk(l)
}

// theLockStaysUntilTheDisk: who gets the lock next finds a file that the disk has.
func theLockStaysUntilTheDisk(l *lab.Lab) {
	l.Helper()
	path := inFolder(l, "locked until the disk has it")
	p, calls := startTold(l, path, file.AtClose)
	told(l, p, "", "OpenWriter() with AtClose")
	told(l, p, "no error", "Send() with AtClose")
	synced := false
	for isHeld := calls.Hold(0); isHeld; isHeld = calls.HoldNext() {
		if !synced {
			require.Equal(l, "locked for writing", seen(l, path), "the file with Close() of a Writer %s: is the lock given back before the disk has all?", calls)
		}
		synced = synced || waitsForTheDisk(calls)
	}
	var got string
	p.Report(&got)
	require.Equal(l, "no error", got, "Close() with AtClose")
	p.Kill()
}

// waitsForTheDisk says whether it is held before such a call.
func waitsForTheDisk(calls *lab.Calls) bool {
	is := calls.String()
	return slices.ContainsFunc(syncs, func(name string) bool { return strings.HasPrefix(is, "held before "+name+"(") })
}

// theFolderComesAfterTheFile: a name is on the disk when its folder is synced, and the
// folder has to have it by then.
func theFolderComesAfterTheFile(l *lab.Lab) {
	l.Helper()
	path := inFolder(l, "after the file")
	p, calls := startTold(l, path, file.AtClose)
	synced := "never"
	for isHeld := calls.Hold(0); isHeld; isHeld = calls.HoldNext() {
		if !waitsForTheDisk(calls) {
			continue
		}
		if _, err := os.Stat(path); err == nil {
			synced = "when the file was in it"
		} else if synced == "never" {
			synced = "before the file was in it"
		}
	}
	var got string
	p.Report(&got)
	require.Equal(l, "no error", got, "OpenWriter() with AtClose")
	require.NotEqual(l, "before the file was in it", synced, "when the folder of a new file was synced: does OpenWriter() sync the folder first, and make the file then?")
	p.Kill()
}

// openIn are a process's descriptors of a folder and of what is in it.
func openIn(p *lab.Process, dir string) (names []string) {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.PID()))
	for _, link := range links {
		if target, _ := os.Readlink(link); target == dir || strings.HasPrefix(target, dir+"/") {
			names = append(names, filepath.Base(target))
		}
	}
	return names
}

// syncs are the calls that wait for the disk.
var syncs = []string{"fsync", "fdatasync", "syncfs"}

// aDiskFails lets the calls fail that wait for the disk, in another process.
func aDiskFails(l *lab.Lab) {
	l.Helper()
	dir := withoutLinks(l)
	path := dir + "/new"
	p, calls := startTold(l, path, file.AtClose)
	calls.Refuse(unix.EIO, -1, dir, syncs...)
	told(l, p, "EIO", "OpenWriter() of a new file with AtClose, when the disk fails for the folder (EIO of fsync(2)): is the folder synced, and is what that returned looked at? A new file's name is in its folder, and a power failure takes it away.")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) { // it may remove what it has made
		require.Equal(l, "free", seen(l, path), "the lock after OpenWriter() had an error of the disk: is the file closed?")
	}
	require.Empty(l, openIn(p, dir), "what is open after OpenWriter() had an error of the disk: is the folder closed too?")
	p.Kill()

	const once = "A second fdatasync(2) that succeeds proves nothing. The kernel says once that the disk has failed, and counts the pages as clean then."
	path = dir + "/each"
	p, calls = startTold(l, path, file.EachRecord)
	opened := told(l, p, "", "OpenWriter() with EachRecord")
	of, why := append([]string{"write", "writev", "pwrite", "pwritev", "pwritev2"}, syncs...), "is what fdatasync(2) returned looked at?"
	if opened != "it writes through" { // with O_DSYNC the write itself says that the disk has failed
		of = append(syncs, "pwritev2")
	}
	calls.Refuse(unix.EIO, 1, path, of...)
	got := told(l, p, "", "Send() with EachRecord")
	if calls.Made() > 1 && opened != "it writes through" {
		why = "is it tried again until it succeeds? " + once
	}
	require.Equal(l, "EIO", got, "Send() with EachRecord, when the disk fails (EIO of fdatasync(2)): "+why)
	if opened != "it writes through" {
		if got = told(l, p, "", "Close()"); got != "no error" {
			got = "an error"
		}
		require.Equal(l, "an error", got, "Close() after a Send() whose record the disk has refused: is the error kept? "+once)
	}
	p.Kill()

	path = dir + "/close"
	p, calls = startTold(l, path, file.AtClose)
	told(l, p, "", "OpenWriter() with AtClose")
	told(l, p, "no error", "Send() with AtClose")
	calls.Refuse(unix.EIO, 1, path, syncs...)
	got = told(l, p, "", "Close() with AtClose")
	why = "is what fdatasync(2) returned looked at?"
	if calls.Made() > 1 {
		why = "is it tried again until it succeeds? " + once
	}
	require.Equal(l, "EIO", got, "Close() with AtClose, when the disk fails (EIO of fdatasync(2)): "+why)
	require.Equal(l, "free", seen(l, path), "the lock after Close() had an error of the disk: is the file closed all the same?")
	p.Kill()
}

// startTold starts a Writer that does as it is told, and whose calls can be refused.
func startTold(l *lab.Lab, path string, d file.Durability) (*lab.Process, *lab.Calls) {
	l.Helper()
	calls := l.Calls()
	p := l.Start(writesWhenTold, lab.Tell("path", path), lab.Tell("durability", strconv.Itoa(int(d))), calls.HandOver())
	calls.Of(p)
	return p, calls
}

// told lets it make its next call, and returns what came of it. Want is "" where that is
// to be looked at by the caller.
func told(l *lab.Lab, p *lab.Process, want, what string) (got string) {
	l.Helper()
	p.Go()
	p.Report(&got)
	if want != "" {
		require.Equal(l, want, got, what)
	}
	return got
}

var writesWhenTold = lab.NewRole("writer whose disk fails", func(c *lab.Child) error {
	d, err := strconv.Atoi(c.Text("durability"))
	if err := errors.Join(err, c.ShowCalls()); err != nil {
		return err
	}
	said := func(err error) {
		switch {
		case err == nil:
			c.Report("no error")
		case errors.Is(err, file.ErrLocked):
			c.Report("ErrLocked")
		case errors.Is(err, unix.EIO):
			c.Report("EIO")
		case errors.Is(err, unix.ENOLCK):
			c.Report("ENOLCK")
		default:
			c.Report("the error: " + err.Error())
		}
		c.Wait()
	}
	c.Wait()
	w, err := file.OpenWriter(c.Text("path"), file.Durability(d))
	if err != nil {
		said(err)
		return nil
	}
	conn, err := w.SyscallConn()
	if err != nil {
		return fmt.Errorf("SyscallConn(): %w", err)
	}
	flags := 0
	err = conn.Control(func(fd uintptr) { flags, _ = unix.FcntlInt(fd, unix.F_GETFL, 0) })
	switch {
	case err != nil:
		return fmt.Errorf("SyscallConn(): %w", err)
	case flags&unix.O_DSYNC != 0:
		c.Report("it writes through")
	default:
		c.Report("no error")
	}
	c.Wait()
	said(w.Send([]byte("hello")))
	said(w.Close())
	return nil
})

// Step 14: when space runs out the error says so, the torn record is cut back,
// and what was whole stays readable.
func TestSpaceRunsOut(t *testing.T) {
	l := lab.New(t)
	path := l.Path("records")
	require.NoError(l, os.WriteFile(path, frame(string(pattern(1000))), 0o600), "writing a record of an earlier writer")
	p := l.Start(runsOutOfSpace, lab.Tell("path", path))
	var sent int
	p.Report(&sent)
	kept := 9 * (file.HeaderSize + 1000)
	require.Equal(l, 8, sent, "records of 1000 bytes that went into a file of at most 10000 bytes (RLIMIT_FSIZE), behind one of an earlier writer, before Send() returned EFBIG: is a short write taken for a whole one?")
	require.GreaterOrEqual(l, size(l, path), kept, "size of the file after Send() has returned EFBIG: is more cut off than the part that this Send has written? There were records in the file when it was opened, and they stay.")
	require.Equal(l, kept, size(l, path), "size of the file after Send() has returned EFBIG: a part of the record was written before there was no room. Is all of it cut off again?")

	r := openReader(l, path)
	for i := range 1 + sent {
		require.NoError(l, expect(r, string(pattern(1000))), "Recv() of record %d, which was whole when space ran out", i)
	}
	recv := l.Call("Recv() of a record that had room after one that had none", func() error { return expect(r, "small") })
	recv.Blocks("nothing whole is behind it, and the Writer lives")
	p.Go() // a smaller one has room
	p.Report(&sent)
	require.Equal(l, 2, sent, "records that had room after one that had none")
	written, err := os.ReadFile(path)
	require.NoError(l, err, "reading the file")
	l.SameBytes(slices.Concat(frame("small"), frame(string(pattern(949)))), written[kept:], "what is in the file behind the records that had room before: does the next write go to the end of the file (O_APPEND)? Or to an offset that was not set back, and zeros are before it?")
	recv.Returns(nil)
	require.NoError(l, expect(r, string(pattern(949))), "Recv() of a record that had room")

	// No room for the end mark: there are 2 bytes left.
	full := size(l, path)
	require.Equal(l, 9_998, full, "size of the file")
	recv = l.Call("Recv() while a Writer closes that has no room for the end mark, and another one ends the file", func() error {
		_, err := r.Recv()
		if errors.Is(err, file.ErrTruncated) { // it has seen a part of the mark
			_, err = r.Recv()
		}
		return err
	})
	p.Go()
	var closed string
	p.Report(&closed)
	require.Equal(l, "EFBIG", closed, "Close() when there is no room for the end mark")
	require.Equal(l, full, size(l, path), "size of the file after Close() that had no room for the end mark: is what was written of it cut off again?")
	require.Equal(l, "free", seen(l, path), "the lock after Close() that had no room for the end mark: is the file closed all the same?")
	p.Exit()
	write(l, rawWriter(l, path), endMark)
	recv.Returns(io.EOF)

	// Somebody else has appended a record, as a shell may (>>): it stays. There is room for a
	// header, or for a part of the message too.
	for _, room := range []int{file.HeaderSize, file.HeaderSize + 2} {
		path = l.Path(fmt.Sprintf("room for %d", room))
		p = l.Start(hasRoomFor, lab.Tell("path", path), lab.Tell("limit", strconv.Itoa(len(frame("one"))+len(frame("theirs"))+room)))
		var got string
		p.Report(&got)
		other, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		require.NoError(l, err, "opening the file to append to it")
		write(l, other, frame("theirs"))
		require.NoError(l, other.Close(), "closing it")
		p.Go()
		p.Report(&got)
		require.Equal(l, "EFBIG", got, "Send() of 5 bytes with room for %d of the frame's 9: somebody else has appended a record in between. Does this one go behind it (O_APPEND)?", room)
		require.Equal(l, fmt.Sprintf("% x", slices.Concat(frame("one"), frame("theirs"))), content(l, path), "the file after Send() has returned EFBIG, with room for %d of the frame's 9 bytes: is all cut off that this Send has written, and nothing else? In between somebody else has appended a record, which was seen by others.", room)
		p.Exit()
	}

	// Somebody else empties the file. The next record goes to its end, which is its
	// beginning now.
	path = l.Path("emptied")
	w := openWriter(l, path, file.Never)
	require.NoError(l, w.Send([]byte("one")), "Send()")
	require.NoError(l, os.Truncate(path, 0), "emptying the file")
	require.NoError(l, w.Send([]byte("two")), "Send() into a file that somebody else has emptied")
	require.Equal(l, fmt.Sprintf("% x", frame("two")), content(l, path), "the file after Send(), when somebody else has emptied it: does the record go to the end of the file, wherever that is by then (O_APPEND)? At an older offset zeros come before it, and each four of them read as an empty message.")
}

// spaceLimit is how large a file the Writer may make, in bytes. It is no multiple
// of a page.
const spaceLimit = 10_000

var runsOutOfSpace = lab.NewRole("writer without space", func(c *lab.Child) error {
	w, err := file.OpenWriter(c.Text("path"), file.Never)
	if err != nil {
		return fmt.Errorf("OpenWriter(): %w", err)
	}
	if err := limitFiles(spaceLimit); err != nil {
		return err
	}
	sent := 0
	for ; sent < 100; sent++ {
		if err = w.Send(pattern(1000)); err != nil {
			break
		}
	}
	if !errors.Is(err, unix.EFBIG) {
		return fmt.Errorf("Send() of record %d, for which there is no room: the error has to wrap EFBIG: %v", sent, err)
	}
	c.Report(sent)
	c.Wait()
	for _, small := range [][]byte{[]byte("small"), pattern(949)} { // 2 bytes are left then
		if err := w.Send(small); err != nil {
			return fmt.Errorf("Send() of %d bytes, for which there is room, after a larger record had none and was cut off: %w\n"+
				"Does it go to the end of the file (O_APPEND), or on at an offset that was not set back?", len(small), err)
		}
	}
	c.Report(2)
	c.Wait()
	switch err := w.Close(); {
	case errors.Is(err, unix.EFBIG):
		c.Report("EFBIG")
	default:
		c.Report(fmt.Sprint(err))
	}
	c.Wait()
	return nil
})

var hasRoomFor = lab.NewRole("writer with little room", func(c *lab.Child) error {
	limit, err := strconv.ParseUint(c.Text("limit"), 10, 64)
	if err != nil {
		return err
	}
	w, err := file.OpenWriter(c.Text("path"), file.Never)
	if err != nil {
		return fmt.Errorf("OpenWriter(): %w", err)
	}
	if err := w.Send([]byte("one")); err != nil {
		return fmt.Errorf("Send(): %w", err)
	}
	c.Report("sent")
	c.Wait()
	if err := limitFiles(limit); err != nil {
		return err
	}
	err = w.Send([]byte("hello"))
	if errors.Is(err, unix.EFBIG) {
		c.Report("EFBIG")
	} else {
		c.Report(fmt.Sprint(err))
	}
	c.Wait()
	return nil // without an end mark, for which there is no room
})

// limitFiles is how large a file this process may make from now on, in bytes.
func limitFiles(to uint64) error {
	var most unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &most); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	most.Cur = to
	return os.NewSyscallError("setrlimit", unix.Setrlimit(unix.RLIMIT_FSIZE, &most))
}
