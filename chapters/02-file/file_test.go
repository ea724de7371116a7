package file_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	file "ipcworkbook/chapters/02-file"
	"ipcworkbook/harness/lab"
)

// Step 1: a record is visible to another process as soon as it is written, and
// before the disk has it.
func TestRecordIsVisibleBeforeTheDiskHasIt(t *testing.T) {
	l := lab.New(t)
	defer unix.Umask(unix.Umask(0)) // no mistake in the mode is hidden by it
	path, missing := l.DirtyPath("records")
	w := openWriter(l, path, file.Never)
	require.NoError(l, w.Send([]byte("hello")), `Send("hello")`)
	require.Equal(l, "00 00 00 05 68 65 6c 6c 6f", content(l, path),
		`the file after Send("hello"): is it the length, a uint32 in big-endian order, and then the message? Is the frame still in a buffer of your own?`)

	r := openReader(l, path)
	require.NoError(l, expect(r, "hello"), "Recv() of what is there")
	info, err := os.Stat(path)
	require.NoError(l, err, "looking at the file that OpenWriter made")
	require.Equal(l, "-rw-------", info.Mode().String(), "mode of the file that OpenWriter made: is it for its owner only?")
	require.Equal(l, "reading", l.Access(r), "for what a Reader has the file open: one that may write needs a permission that it has no use for, and its Close looks like that of a writer (IN_CLOSE_WRITE)")
	for _, one := range []struct {
		what string
		end  end
	}{{"the Reader", r}, {"the Writer", w}} {
		what, end := one.what, one.end
		l.MustBe(what, end, lab.RegularFile)
		require.Equal(l, "close-on-exec", l.OnExec(end), what+", its descriptor: whoever inherits the Writer's keeps the lock")
	}

	// One record after another, each seen by another process.
	other := l.Start(receivesWhenTold, lab.Tell("path", path))
	var got string
	other.Go()
	other.Report(&got)
	require.Equal(l, "hello", got, "Recv() in another process, of a record that was there before it came")
	var dirty int
	for i := range 5 {
		message := fmt.Sprintf("message %d", i)
		require.NoError(l, w.Send([]byte(message)), "Send(%q)", message)
		other.Go()
		other.Report(&got)
		require.Equal(l, message, got, "Recv() in another process, while the Writer has the file open")
		if missing == "" { // each time, since somebody may call sync(2) just then
			dirty = max(dirty, l.DirtyPages(path))
		}
	}
	if missing == "" {
		require.NotZero(l, dirty, "dirty pages of the file when another process has its records: does Send wait for the disk? With Never nobody asked for that.")
	}
	require.NoError(l, w.Close(), "Close() of the Writer")
	other.Exit()

	// Mode and close-on-exec are there from the first moment, and are not set by a call
	// of their own. What other goroutines start in between would inherit the descriptor.
	for _, does := range []string{"open", "writer"} {
		atEachCall(l, does+" from the first moment", does, func(r *held) func() {
			if does == "open" {
				require.NoError(l, os.WriteFile(r.path, nil, 0o600), "making an empty file")
			}
			return func() {
				if info, err := os.Stat(r.path); err == nil {
					require.Equal(l, "-rw-------", info.Mode().String(), "mode of the file, with the process %s: is it made for others too at first?", r.calls)
				}
				require.Empty(l, inherits(r.Process, r.path), "descriptors of the file that a child would inherit, with the process %s: is close-on-exec set by a second call? open(2) has O_CLOEXEC.", r.calls)
			}
		}, func(r *held) { r.calls.Reports("opened", "opening the file") })
	}

	// A file that is there keeps its mode.
	shared := l.Path("shared")
	require.NoError(l, os.WriteFile(shared, frame("one"), 0o600), "writing a file of records")
	require.NoError(l, os.Chmod(shared, 0o640), "letting the group read it")
	require.NoError(l, openWriter(l, shared, file.Never).Close(), "Close() of a Writer")
	info, err = os.Stat(shared)
	require.NoError(l, err, "looking at the file")
	require.Equal(l, "-rw-r-----", info.Mode().String(), "mode of a file that was there before OpenWriter(): is it set although the file is not new?")

	// Close leaves nothing open. (What a package makes once and keeps does not count.)
	for range 2 {
		require.NoError(l, openReader(l, path).Close(), "Close() of a Reader")
	}
	before := instances()
	for range 5 {
		require.NoError(l, openReader(l, path).Close(), "Close() of a Reader")
	}
	require.LessOrEqual(l, instances(), before, "inotify instances that this process has, after five more Readers were opened and closed: does Close of the Reader close all that it has opened? A user has 128 of them as a rule.")
	if missing != "" { // all the rest is right: only who asks for the disk is not found here
		l.Unsupported("%s", missing)
	}
}

// instances counts the inotify instances of this process.
func instances() (n int) {
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		if target, _ := os.Readlink(fd); target == "anon_inode:inotify" {
			n++
		}
	}
	return n
}

// inherits are a process's descriptors of a file that are not close-on-exec.
func inherits(p *lab.Process, path string) (fds []string) {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.PID()))
	for _, link := range links {
		target, _ := os.Readlink(link)
		info, err := os.ReadFile(strings.Replace(link, "/fd/", "/fdinfo/", 1))
		if err != nil || !strings.HasSuffix(path, target) || target == "" {
			continue
		}
		for line := range strings.Lines(string(info)) {
			if text, ok := strings.CutPrefix(line, "flags:"); ok {
				if flags, _ := strconv.ParseInt(strings.TrimSpace(text), 8, 64); flags&unix.O_CLOEXEC == 0 {
					fds = append(fds, filepath.Base(link))
				}
			}
		}
	}
	return fds
}

var receivesWhenTold = lab.NewRole("another process", func(c *lab.Child) error {
	r, err := file.OpenReader(c.Text("path"))
	if err != nil {
		return fmt.Errorf("OpenReader(): %w", err)
	}
	for range 6 {
		c.Wait()
		message, err := r.Recv()
		if err != nil {
			return fmt.Errorf("Recv(): %w", err)
		}
		c.Report(string(message))
	}
	c.Wait()
	return r.Close()
})

// Step 2: a Reader at the end sees what is appended later. It waits for it, and
// does not open the file again.
func TestReaderSeesWhatIsAppendedLater(t *testing.T) {
	l := lab.New(t)
	path := l.Path("records")
	w := openWriter(l, path, file.Never)
	r := openReader(l, path)
	opened := l.Opened(r)
	for _, message := range []string{"one", "", "three"} {
		recv := l.Call("Recv()", func() error { return expect(r, message) })
		recv.NotYet("nothing more has been appended: is the end of the file taken for the end?")
		require.NoError(l, w.Send([]byte(message)), "Send(%q)", message)
		recv.Returns(nil)
	}
	opened.MustStillBe("Recv() of what was appended", r, "The same descriptor reads on after end of file. There is no need to open the file again.")

	// Messages keep their boundaries, whatever their sizes, and keep their bytes. What
	// Recv returns belongs to the caller, with all of its capacity.
	for _, message := range []string{"the first one", "the next one", "", "second", ""} {
		require.NoError(l, w.Send([]byte(message)), "Send(%q)", message)
	}
	first, err := r.Recv()
	require.NoError(l, err, "Recv() of the first of some messages")
	overwritten, err := r.Recv()
	require.NoError(l, err, "Recv() of the next one")
	copy(overwritten[:cap(overwritten)], strings.Repeat("x", cap(overwritten)))
	for _, message := range []string{"", "second", ""} {
		require.NoError(l, expect(r, message), "Recv() of %q: does a Recv read more than its own message, and lose it? Or is a slice handed out that has the next messages in its capacity? The caller has written into it.", message)
	}
	require.Equal(l, "the first one", string(first), "the first message, after later ones were received: does every Recv use the same buffer?")

	// Two Readers of one process take turns. Each has a place and memory of its own.
	var readers []*file.Reader
	for i := range 2 {
		path := l.Path(fmt.Sprintf("turn %d", i))
		require.NoError(l, os.WriteFile(path, slices.Concat(frame(fmt.Sprintf("first %d", i)), frame(fmt.Sprintf("second %d", i))), 0o600), "writing records")
		readers = append(readers, openReader(l, path))
	}
	for _, which := range []string{"first", "second"} {
		for i, r := range readers {
			require.NoError(l, expect(r, fmt.Sprintf("%s %d", which, i)), "Recv() of two Readers that take turns: have they a buffer in common?")
		}
	}

	sizes := append(sizesUpTo(3000, l.Rand("sizes")), file.MaxMessage, 0, 200_001, 1)
	other := l.Path("other")
	p := openWriter(l, other, file.Never) // so that the file is there
	theirs := openReader(l, other)
	require.NoError(l, p.Send([]byte("mine")), "Send()")
	require.NoError(l, expect(theirs, "mine"), "Recv()")
	var kept [][]byte
	for i, size := range sizes {
		message := numbered(i, size)
		require.NoError(l, p.Send(message), "Send() of %d bytes", size)
		clear(message) // the caller may change it afterwards
		got, err := theirs.Recv()
		require.NoError(l, err, "Recv() of %d bytes", size)
		l.SameBytes(numbered(i, size), got, "Recv() of %d bytes: is one read taken for one message?", size)
		kept = append(kept, got)
	}
	for i, size := range sizes {
		l.SameBytes(numbered(i, size), kept[i], "message %d, after all others were received: is what Recv returns a part of a buffer that it uses again, to read ahead for instance?", i)
	}
	twoWritersAtOnce(l)
}

// Step 3: waiting costs no processor. While another process burns 100 ms of
// processor time, a Reader that waits is woken up at most 20 times a second, and
// uses under 1 ms. And no wake-up is lost.
func TestWaitingCostsNoProcessor(t *testing.T) {
	l := lab.New(t)
	path := l.Path("records")
	w := openWriter(l, path, file.Never)
	idle := l.Start(receivesTwo, lab.Tell("path", path))
	idle.Rests() // so it waits; what comes just before it waits is tried below
	var got string
	require.NoError(l, w.Send([]byte("one")), "Send()")
	idle.Report(&got)
	require.Equal(l, "one", got, "Recv() in another process")

	burner := l.Start(burns)
	idle.Rests()
	before := idle.Ran()
	burner.Exit()
	ran := idle.Ran().Since(before)
	require.Less(l, ran.Wakes, int(20*burnt.Seconds())+1,
		"how often a Reader that waits was woken up while another process burnt %v: does Recv sleep and look again? Let the kernel say when there is something (inotify(7)).", burnt)
	require.Less(l, ran.CPU, burnt/100,
		"the processor time that a Reader that waits used while another process burnt %v: does Recv look again and again?", burnt)

	// A signal comes to a Reader that waits (SIGURG, which the Go runtime uses itself).
	idle.Interrupt(2)
	require.NoError(l, w.Send([]byte("two")), "Send()")
	idle.Report(&got)
	require.Equal(l, "two", got, "Recv() in another process, after it has waited")

	// Two Readers of one process wait for the same file. Each is woken up, also when the
	// other one is gone.
	path = l.Path("two readers")
	w = openWriter(l, path, file.Never)
	one, other := openReader(l, path), openReader(l, path)
	const each = "Recv() of one of two Readers of this process: is it woken up when the other one is? What the kernel tells an inotify instance it tells once, so each Reader needs its own, or somebody who hands it on."
	first := l.Call(each, func() error { return expect(one, "one") })
	second := l.Call(each, func() error { return expect(other, "one") })
	first.Blocks("nothing was sent")
	second.Blocks("nothing was sent")
	require.NoError(l, w.Send([]byte("one")), "Send()")
	first.ReturnsSoon(nil)
	second.ReturnsSoon(nil)
	second = l.Call("Recv() of a Reader when another Reader of the file was closed: is the watch that both have taken away?", func() error { return expect(other, "two") })
	second.Blocks("nothing was sent")
	require.NoError(l, one.Close(), "Close() of the other Reader")
	require.NoError(l, w.Send([]byte("two")), "Send()")
	second.ReturnsSoon(nil)
	require.NoError(l, other.Close(), "Close() of a Reader")

	// A Reader opens the file, finds nothing, and is about to wait. In between comes
	// the record.
	const lost = "does Recv wait although the record is there? Whoever looks first and begins to watch then has missed what came in between."
	atEachCall(l, "opens", "open,recv", func(r *held) func() {
		w := openWriter(l, r.path, file.Never)
		return func() { require.NoError(l, w.Send([]byte("now")), "Send()") }
	}, func(r *held) { r.calls.Reports("now", "Recv() of a record that came just then: "+lost) })

	// The same, with a Reader that has waited before.
	atEachCall(l, "has waited", "open,recv recv", func(r *held) func() {
		w := openWriter(l, r.path, file.Never)
		r.Go()
		r.Rests()
		require.NoError(l, w.Send([]byte("one")), "Send()")
		var got string
		r.Report(&got)
		require.Equal(l, "one", got, "Recv() of a Reader that waited")
		return func() { require.NoError(l, w.Send([]byte("two")), "Send()") }
	}, func(r *held) { r.calls.Reports("two", "Recv() of a record that came just then: "+lost) })
	nothingWatches(l)
}

// burnt is how much processor time another process uses meanwhile.
const burnt = 100 * time.Millisecond

var receivesTwo = lab.NewRole("reader that waits", func(c *lab.Child) error {
	r, err := file.OpenReader(c.Text("path"))
	if err != nil {
		return fmt.Errorf("OpenReader(): %w", err)
	}
	for range 2 {
		message, err := r.Recv()
		if errors.Is(err, unix.EINTR) {
			return fmt.Errorf("Recv() that waited when a signal came: %w\n"+
				"poll(2) and epoll_wait(2) are never restarted by the kernel after a signal: call again after EINTR (signal(7)).", err)
		}
		if err != nil {
			return fmt.Errorf("Recv(): %w", err)
		}
		c.Report(string(message))
	}
	return r.Close()
})

var burns = lab.NewRole("burner", func(c *lab.Child) error {
	c.Wait()
	c.Burn(burnt)
	return nil
})

// Step 4: a record that is half written is not delivered until it is whole.
func TestHalfARecordIsNotDelivered(t *testing.T) {
	l := lab.New(t)
	path := l.Path("records")
	raw := rawWriter(l, path)
	r := openReader(l, path)

	recv := l.Call("Recv(): is one read taken for a whole header, or for a whole message?", func() error { return expect(r, "hello") })
	have := 0
	for _, n := range []int{1, 3, 1, 3} { // of the frame's 9 bytes
		write(l, raw, frame("hello")[have:have+n])
		have += n
		recv.Blocks(fmt.Sprintf("%d of the frame's 9 bytes are there, and the writer lives", have))
	}
	write(l, raw, frame("hello")[have:])
	recv.Returns(nil)

	// A signal comes while it waits for the rest (SIGURG, which the Go runtime uses
	// itself).
	recv = l.Call("Recv() of a record of which 6 bytes are there, when a signal comes: is a call that returned EINTR made again (signal(7))?", func() error { return expect(r, "again") })
	write(l, raw, frame("again")[:6])
	recv.Blocks("the record is not whole, and its writer lives")
	recv.Interrupt(2)
	recv.NotYet("the record is not whole, and its writer lives")
	write(l, raw, frame("again")[6:])
	recv.Returns(nil)

	recv = l.Call("Recv() after a record that was there in part has become whole: is a deadline left from the wait for the rest of it?", func() error { return expect(r, "next") })
	l.Start(burns).Exit() // longer than any pause, and so than a deadline of one
	recv.Blocks("nothing more has been appended")
	write(l, raw, frame("next"))
	recv.Returns(nil)

	// Whole records come first, and no byte of the half one is lost or doubled.
	write(l, raw, frame("one"), frame(""), frame("three")[:2])
	require.NoError(l, expect(r, "one"), "Recv() of a whole record with a half one behind it")
	require.NoError(l, expect(r, ""), "Recv() of an empty record with a half one behind it")
	recv = l.Call("Recv()", func() error { return expect(r, "three") })
	recv.Blocks("2 of a header's 4 bytes are there, and the writer lives")
	write(l, raw, frame("three")[2:])
	recv.Returns(nil)

	large := frame(string(pattern(100_000)))
	recv = l.Call("Recv() of 100000 bytes", func() error { return expect(r, string(pattern(100_000))) })
	write(l, raw, large[:70_000])
	recv.Blocks("70000 of the frame's 100004 bytes are there, and the writer lives")
	write(l, raw, large[70_000:100_003])
	recv.Blocks("100003 of the frame's 100004 bytes are there, and the writer lives")
	write(l, raw, large[100_003:])
	recv.Returns(nil)
	require.NoError(l, raw.Close(), "closing the raw writer")

	// Pieces that know nothing of frames, while the Reader reads.
	pieces := l.Start(writesInPieces, lab.Tell("path", path))
	var begun bool
	pieces.Report(&begun)
	for i, size := range slices.Repeat(pieceSizes, 20) {
		require.NoError(l, expect(r, string(pattern(size))), "Recv() of record %d, which comes in pieces: is what was read of a half record lost, or read twice?", i)
	}
	pieces.Exit()
}

var pieceSizes = []int{0, 1, 5, 0, 40, 700, 3, 0, 0, 2}

var writesInPieces = lab.NewRole("writer in pieces", func(c *lab.Child) error {
	f, err := locked(c.Text("path"))
	if err != nil {
		return err
	}
	c.Report(true)
	var all []byte
	for _, size := range slices.Repeat(pieceSizes, 20) {
		all = append(all, frame(string(pattern(size)))...)
	}
	random := c.Rand("pieces")
	for len(all) > 0 {
		n := min(1+random.IntN(1+random.IntN(60)), len(all))
		if _, err := f.Write(all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	c.Wait() // with the lock
	return f.Close()
})

// Step 5: the end is marked by a frame of its own. No payload ends anything, no
// end of file does, and no writer that is gone.
func TestTheEndIsAFrame(t *testing.T) {
	l := lab.New(t)
	path := l.Path("records")
	w := openWriter(l, path, file.Never)
	r := openReader(l, path)
	other := l.Start(follower, lab.Tell("path", path))
	messages := []string{string(endMark), "EOF", "EOF\n", "", "\x00", "\x04", strings.Repeat("\xff", 100)}
	for _, message := range messages {
		require.NoError(l, w.Send([]byte(message)), "Send(%q)", message)
		require.NoError(l, expect(r, message), "Recv() of %q: is a message taken for the end because of its bytes?", message)
	}
	before := size(l, path)
	recv := l.Call("Recv()", receives(r))
	recv.Blocks("the Writer has not closed")
	require.NoError(l, w.Close(), "Close() of the Writer")
	recv.Returns(io.EOF)
	require.Equal(l, fmt.Sprintf("% x", endMark), content(l, path)[3*before:], "what Close() of the Writer appended: is it the end mark, and nothing else?")
	l.Call("Recv() once more: the end stays the end", receives(r)).ReturnsSoon(io.EOF)

	// Others read the same, also who comes late.
	for _, message := range messages {
		var got string
		other.Report(&got)
		require.Equal(l, fmt.Sprintf("%q", message), got, "Recv() in another process")
	}
	var got string
	other.Report(&got)
	require.Equal(l, "the end", got, "Recv() in another process, after Close() of the Writer")
	late := openReader(l, path)
	for _, message := range messages {
		require.NoError(l, expect(late, message), "Recv() of %q by a Reader that came when all was over", message)
	}
	_, err := late.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() at the end, by a Reader that came when all was over")
	require.NoError(l, errors.Join(r.Close(), late.Close()), "Close() of the Readers")
	ended := content(l, path)
	_, err = file.OpenWriter(path, file.Never)
	require.ErrorIs(l, err, file.ErrEnded, "OpenWriter() of a file that has its end mark: does it walk from header to header and look for the mark? A Reader that has seen the end reads no further.")
	require.Equal(l, ended, content(l, path), "the file after OpenWriter() was refused")

	// The mark may come in pieces, and nothing behind it counts.
	half := l.Path("half")
	raw := rawWriter(l, half)
	r = openReader(l, half)
	recv = l.Call("Recv()", receives(r))
	write(l, raw, endMark[:2])
	recv.Blocks("only 2 of the end mark's 4 bytes are there")
	write(l, raw, endMark[2:])
	recv.Returns(io.EOF)
	write(l, raw, frame("too late"))
	l.Call("Recv() when something was appended behind the end mark: the end stays the end", receives(r)).ReturnsSoon(io.EOF)
	require.NoError(l, errors.Join(raw.Close(), r.Close()), "closing the raw writer and the Reader")
	_, err = file.OpenWriter(half, file.Never)
	require.ErrorIs(l, err, file.ErrEnded, "OpenWriter() of a file with something behind its end mark")

	// A writer that dies between two records has not ended the file. The next one
	// goes on.
	open := l.Path("open")
	killed := startVictim(l, open, frame("one"), frame("no end: "+string(endMark)))
	r = openReader(l, open)
	require.NoError(l, expect(r, "one"), "Recv()")
	require.NoError(l, expect(r, "no end: "+string(endMark)), "Recv() of a message that ends with the mark's bytes")
	recv = l.Call("Recv()", func() error { return expect(r, "two") })
	recv.Blocks("the writer may go on")
	killed.Kill()
	recv.Blocks("there is no end mark: a new writer may go on where the last one died")
	next, err := file.OpenWriter(open, file.Never)
	require.NoError(l, err, "OpenWriter() of a file whose last message ends with the mark's bytes: are the file's last bytes taken for the end? A mark stands in the place of a length: go from header to header.")
	l.CloseAtEnd(next)
	require.NoError(l, next.Send([]byte("two")), `Send("two") of a new Writer`)
	recv.Returns(nil)

	// A few bytes behind the mark are no length. And what has ended stays so, whatever becomes of the file.
	for behind := range file.HeaderSize + 1 {
		path := l.Path(fmt.Sprint(behind, " behind"))
		raw := rawWriter(l, path)
		write(l, raw, frame("one"), endMark, []byte("junk")[:behind])
		r := openReader(l, path)
		require.NoError(l, expect(r, "one"), "Recv()")
		_, err := r.Recv()
		require.ErrorIs(l, err, io.EOF, "Recv() of an end mark with %d bytes behind it", behind)
		require.NoError(l, raw.Truncate(int64(len(frame("one")))), "cutting the mark off")
		write(l, raw, frame("two"))
		l.Call("Recv() behind the end, when somebody has cut the mark off and appended a record: io.EOF is for good", receives(r)).ReturnsSoon(io.EOF)
		require.NoError(l, errors.Join(raw.Close(), r.Close()), "closing the raw writer and the Reader")
	}
}
