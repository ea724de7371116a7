package pipe_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	pipe "ipcworkbook/chapters/01-pipe"
	"ipcworkbook/harness/lab"
)

// Step 1: both ends are close-on-exec: a child that was not given them has none.
func TestBothEndsAreCloseOnExec(t *testing.T) {
	l := lab.New(t)
	r, w := open(l)
	l.MustBe("New(): the Reader", r, lab.Pipe)
	l.MustBe("New(): the Writer", w, lab.Pipe)

	assert.Equal(l, "reading", l.Access(r), "New(), what the Reader is open for: are the ends swapped?")
	assert.Equal(l, "writing", l.Access(w), "New(), what the Writer is open for: are the ends swapped?")
	assert.Equal(l, "close-on-exec", l.OnExec(r), "New(), the read end: is O_CLOEXEC set when the pipe is made?")
	assert.Equal(l, "close-on-exec", l.OnExec(w), "New(), the write end: is O_CLOEXEC set when the pipe is made?")

	stranger := l.Start(listsDescriptors)
	var has []string
	stranger.Report(&has)
	require.NotContains(l, has, l.Target(r), "the descriptors of a child that was given none: is O_CLOEXEC set when the pipe is made?")
}

var listsDescriptors = lab.NewRole("stranger", func(c *lab.Child) error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	var has []string
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			has = append(has, target)
		}
	}
	c.Report(has)
	return nil
})

// Step 2: a message sent in one process arrives in another, in the frame that
// the package's comment specifies.
func TestMessageArrivesInAnotherProcess(t *testing.T) {
	l := lab.New(t)

	r, w := open(l)
	raw := l.File(r)
	require.NoError(l, w.Send([]byte("hello")), `Send("hello")`)
	waiting, err := lab.Waiting(r)
	require.NoError(l, err, "FIONREAD")
	require.NotZero(l, waiting, `bytes in the pipe after Send("hello"): is the frame still in a buffer of your own, or did a write fail unseen?`)
	sent := make([]byte, waiting)
	_, err = io.ReadFull(raw, sent)
	require.NoError(l, err, "reading the raw frame")
	require.Equal(l, "00 00 00 05 68 65 6c 6c 6f", fmt.Sprintf("% x", sent),
		`the raw frame of Send("hello"): is it the length, a uint32 in big-endian order, and then the message?`)

	r, w = open(l)
	l.Start(producer, lab.HandOver("w", w), lab.Tell("messages", "hello"))
	got, err := r.Recv()
	require.NoError(l, err, "Recv() of what the producer sent: does Recv ask for more bytes than the frame has?")
	require.Equal(l, "hello", string(got), "Recv() of what the producer sent")

	r, w = open(l)
	consumer := l.Start(consumer, lab.HandOver("r", r))
	require.NoError(l, w.Send([]byte("hello")), `Send("hello")`)
	var received string
	consumer.Report(&received)
	require.Equal(l, "hello", received, "Recv() in the consumer")
	require.NoError(l, w.Close(), "Close() of the Writer")
}

var producer = lab.NewRole("producer", func(c *lab.Child) error {
	w := pipe.NewWriter(c.File("w"))
	lab.CollectGarbage()
	for message := range strings.SplitSeq(c.Text("messages"), ",") {
		if err := w.Send([]byte(message)); err != nil {
			return fmt.Errorf("Send(%q): %w", message, err)
		}
	}
	return w.Close()
})

var consumer = lab.NewRole("consumer", func(c *lab.Child) error {
	r := pipe.NewReader(c.File("r"))
	lab.CollectGarbage()
	message, err := r.Recv()
	if err != nil {
		return fmt.Errorf("Recv(): %w", err)
	}
	c.Report(string(message))
	return r.Close()
})

// Step 3: messages keep their boundaries however the bytes arrive: one at a
// time, many messages at once, or in pieces that know nothing of frames. Empty
// messages too.
func TestMessagesKeepTheirBoundaries(t *testing.T) {
	l := lab.New(t)
	r, w := open(l)
	raw := l.File(w)

	recv := l.Call("Recv(): is one Read taken for a whole header, or for a whole message?", func() error { return expect(r, "hello") })
	for i, b := range frame("hello") {
		recv.Blocks(fmt.Sprintf("%d of the frame's 9 bytes have arrived", i),
			lab.Holds(r, 0, "Recv takes what is there and waits for the rest."))
		write(l, raw, []byte{b})
	}
	recv.Returns(nil)

	require.NoError(l, w.Send(nil), "Send(nil)")
	waiting, err := lab.Waiting(r)
	require.NoError(l, err, "FIONREAD")
	require.Equal(l, pipe.HeaderSize, waiting, "bytes in the pipe after Send(nil): an empty message is a header with nothing behind it")
	require.NoError(l, expect(r, ""), "Recv() of an empty message: is an empty message taken for the end?")

	// The writers close, so that a Recv that lost what it had read is told so.
	write(l, raw, frame("one"), frame(""), frame("three"), frame(""))
	require.NoError(l, raw.Close(), "closing the raw write end")
	require.NoError(l, w.Close(), "Close() of the Writer")
	first, err := r.Recv()
	require.NoError(l, err, "Recv() of the first message")
	for _, want := range []string{"", "three", ""} {
		require.NoError(l, expect(r, want), "Recv() of %q, which arrived together with others: does a Recv read more than its own message, and lose it?", want)
	}
	require.Equal(l, "one", string(first), "the first message, after later ones were received: does every Recv use the same buffer?")

	// A relay passes on the end of one message, say, with a part of the next
	// header.
	r, w = open(l)
	relayed := pipe.NewReader(l.Relay(r, lab.Around(pipe.HeaderSize)))
	l.CloseAtEnd(relayed)
	sizes := sizesUpTo(20, l.Rand("sizes"))
	l.Start(sendsPatterns, lab.HandOver("w", w), lab.Tell("sizes", join(sizes)))
	for i, size := range sizes {
		require.NoError(l, expect(relayed, string(pattern(size))),
			"Recv() of message %d through a relay: does a Recv read more than its own message, and lose it?", i+1)
	}
}

// Step 4: a message larger than the pipe's capacity gets through.
func TestMessageLargerThanThePipe(t *testing.T) {
	l := lab.New(t)
	r, w := open(l)
	large := pattern(3*l.Capacity(w) + 1)
	require.Less(l, len(large), pipe.MaxMessage, "the size that this step sends")

	producer := l.Start(sendsPatterns, lab.HandOver("w", w), lab.Tell("sizes", fmt.Sprintf("%d,%d,0", len(large), pipe.MaxMessage)))
	producer.Blocks("the pipe is full and nobody reads yet")
	producer.Interrupt(1) // a write that has begun is short then
	for _, size := range []int{len(large), pipe.MaxMessage, 0} {
		got, err := r.Recv()
		require.NoError(l, err, "Recv() of %d bytes: does Send go on after a short write? Does Recv take a message of MaxMessage bytes?", size)
		l.SameBytes(pattern(size), got, "Recv() of %d bytes: does Recv read until the message is whole? Does Send go on after a short write?", size)
	}

	// Every write of this sender is short, not only its first one.
	r, w = open(l)
	raw, page, half := l.File(r), os.Getpagesize(), l.Capacity(r)/2
	producer = l.Start(sendsPatterns, lab.HandOver("w", w), lab.Tell("sizes", strconv.Itoa(len(large))))
	var arrived bytes.Buffer
	random := l.Rand("room")
	for range 3 {
		producer.Blocks("the pipe is full: does Send go on after every short write?")
		producer.Interrupt(1)
		_, err := io.CopyN(&arrived, raw, int64(page+random.IntN(half)))
		require.NoError(l, err, "making room in the pipe")
	}
	whole := frame(string(large))
	_, err := io.CopyN(&arrived, raw, int64(len(whole)-arrived.Len()))
	require.NoError(l, err, "reading the rest of the raw frame: does Send go on after every short write?")
	l.SameBytes(whole, arrived.Bytes(), "the raw frame of a Send() that was interrupted: does Send go on after every short write?")

	r, w = open(l)
	send := l.Call("Send() of MaxMessage+1 bytes: is the length checked before anything is written?", func() error { return w.Send(make([]byte, pipe.MaxMessage+1)) })
	send.ReturnsSoon(pipe.ErrTooLarge)
	waiting, err := lab.Waiting(r)
	require.NoError(l, err, "FIONREAD")
	require.Zero(l, waiting, "bytes in the pipe after a message was refused: is the length checked before the header goes out?")
}

var sendsPatterns = lab.NewRole("producer of large messages", func(c *lab.Child) error {
	w := pipe.NewWriter(c.File("w"))
	for size := range strings.SplitSeq(c.Text("sizes"), ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			return err
		}
		if err := w.Send(pattern(n)); err != nil {
			return fmt.Errorf("Send() of %d bytes: %w", n, err)
		}
	}
	return w.Close()
})

// Step 5: Recv returns io.EOF when the last writer has closed: not before, not
// never.
func TestEndOfFileAfterTheLastWriter(t *testing.T) {
	l := lab.New(t)
	r, w := open(l)

	first := l.Start(holder, lab.Give("w", w))
	second := l.Start(holder, lab.Give("w", w))
	require.NoError(l, w.Send([]byte("last")), "Send()")
	require.NoError(l, w.Close(), "Close() of our own copy of the write end")

	require.NoError(l, expect(r, "last"), "Recv() of what was sent before the end")
	recv := l.Call("Recv(): does Recv tell the end of the stream from an empty message?", func() error { _, err := r.Recv(); return err })
	recv.Blocks("two processes still have the write end")
	first.Exit()
	recv.Blocks("one process still has the write end")
	second.Exit()
	recv.Returns(io.EOF)

	_, err := r.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() once more: the end stays the end")
}

var holder = lab.NewRole("holder", func(c *lab.Child) error {
	w := pipe.NewWriter(c.File("w"))
	c.Wait()
	return w.Close()
})

// Step 6: a writer killed inside a message gives io.ErrUnexpectedEOF, never a
// short message and never a clean end.
func TestWriterKilledInsideAMessage(t *testing.T) {
	l := lab.New(t)
	const cut = "does Recv tell a frame that was cut from a whole one, and from a clean end between two frames?"
	whole := frame("hello")
	for _, sent := range []int{1, pipe.HeaderSize, pipe.HeaderSize + 2} {
		r, w := open(l)
		victim := l.Start(writesRaw, lab.HandOver("w", w), lab.Tell("bytes", string(whole[:sent])))
		var written int
		victim.Report(&written)
		require.Equal(l, sent, written, "what the victim wrote")

		recv := l.Call(fmt.Sprintf("Recv() of %d of a frame's %d bytes: %s", sent, len(whole), cut),
			func() error { _, err := r.Recv(); return err })
		recv.Blocks("the message is not whole and its writer lives")
		victim.Kill()
		recv.Returns(io.ErrUnexpectedEOF)
	}

	// Killed in the middle of Send, in a later message and in a larger one.
	random := l.Rand("cut")
	size := 2<<16 + random.IntN(1<<12)
	length := pipe.HeaderSize + size
	for _, sent := range []int{
		1 + random.IntN(pipe.HeaderSize-1), // inside the header
		pipe.HeaderSize,
		pipe.HeaderSize + 1<<16, // a whole number of buffers, for who reads piece by piece
		pipe.HeaderSize + 1 + random.IntN(size-1),
	} {
		r, w := open(l)
		victim := l.Start(sendsOnAndOn, lab.HandOver("w", w), lab.Tell("size", strconv.Itoa(size)))
		whole := random.IntN(2)
		relayed := pipe.NewReader(l.Relay(r, lab.Around(pipe.HeaderSize), lab.KillAfter(whole*length+sent, victim)))
		l.CloseAtEnd(relayed)
		for range whole {
			require.NoError(l, expect(relayed, string(pattern(size))), "Recv() of a whole message before the cut")
		}
		recv := l.Call(fmt.Sprintf("Recv() of %d of a frame's %d bytes, sent by Send(): %s", sent, length, cut),
			func() error { _, err := relayed.Recv(); return err })
		recv.Returns(io.ErrUnexpectedEOF)
	}
}

var sendsOnAndOn = lab.NewRole("victim in Send", func(c *lab.Child) error {
	size, err := strconv.Atoi(c.Text("size"))
	if err != nil {
		return err
	}
	for w := pipe.NewWriter(c.File("w")); ; {
		if err := w.Send(pattern(size)); err != nil {
			return fmt.Errorf("Send() of %d bytes: %w", size, err)
		}
	}
})

var writesRaw = lab.NewRole("victim", func(c *lab.Child) error {
	n, err := c.File("w").WriteString(c.Text("bytes"))
	if err != nil {
		return err
	}
	c.Report(n)
	c.Wait()
	return nil
})

// Step 7: sending with no reader left returns EPIPE. The disposition of SIGPIPE
// is left alone: it stays as it was, and a child started afterwards still dies
// of it.
func TestSendWithoutReaderReturnsEPIPE(t *testing.T) {
	l := lab.New(t)
	before := ignoredSignals(l)

	r, w := open(l)
	require.NoError(l, w.Send([]byte("nobody reads this")), "Send() while a reader is there")
	require.NoError(l, r.Close(), "Close() of the only read end")
	require.ErrorIs(l, w.Send([]byte("hello")), unix.EPIPE,
		"Send() with no reader left: does Send return the kernel's error? Is a copy of the read end still open in your code?")
	require.ErrorIs(l, w.Send([]byte("hello")), unix.EPIPE, "Send() once more: did the first error change the Writer?")

	require.Equal(l, before, ignoredSignals(l), "the ignored signals of this process (SigIgn): does the package ignore SIGPIPE for the whole program?")
	writer := l.Start(writesToClosedOutput) // uses the package first
	require.ErrorContains(l, writer.Wait(), "killed by SIGPIPE", "a child that writes to an output that nobody reads")
}

var writesToClosedOutput = lab.NewRole("writer to nobody", func(c *lab.Child) error {
	reader, writer, err := pipe.New()
	if err != nil {
		return err
	}
	reader.Close()
	writer.Send([]byte("hello"))
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	// The Go runtime treats descriptors 1 and 2 as every other program does:
	// writing to a broken pipe there is the end (os/signal, SIGPIPE).
	if err := unix.Dup2(int(w.Fd()), 1); err != nil {
		return err
	}
	r.Close()
	_, err = os.Stdout.WriteString("hello")
	return fmt.Errorf("lived on with %w: SIGPIPE is ignored or caught here", err)
})

// Step 8: several writers at once. Frames of up to PipeBuf bytes, header
// included, never mix. A shared Writer refuses a larger one; a Writer that has
// the pipe to itself does not.
func TestSharedWritersNeverMix(t *testing.T) {
	l := lab.New(t)
	largest := pipe.PipeBuf - pipe.HeaderSize

	r, w := open(l)
	shared := pipe.NewSharedWriter(l.File(w))
	l.CloseAtEnd(shared)
	require.ErrorIs(l, shared.Send(make([]byte, largest+1)), pipe.ErrTooLarge,
		"Send() of %d bytes and a header by a shared Writer: does the limit count the header?", largest+1)
	require.NoError(l, shared.Send(make([]byte, largest)), "Send() of %d bytes and a header by a shared Writer", largest)
	require.NoError(l, w.Send(make([]byte, largest+1)), "Send() of %d bytes by a Writer that has the pipe to itself", largest+1)
	waiting, err := lab.Waiting(r)
	require.NoError(l, err, "FIONREAD")
	require.Equal(l, 2*pipe.PipeBuf+1, waiting, "bytes in the pipe after two frames: was something sent for the refused message?")

	// A frame goes out in one write: either all of it is in the pipe or
	// nothing. Here the last page of the pipe has room for a header only.
	r, w = open(l)
	raw := l.File(w)
	filled := l.Capacity(w) - 50
	write(l, raw, make([]byte, filled))
	waits := l.Start(sendsShared, lab.Give("w", w), lab.Tell("id", "0"), lab.Tell("sizes", "2000"))
	waits.Blocks("the pipe has no room for the frame",
		lab.Holds(r, filled, "A part of the frame went out alone: are header and message written by two calls?"))
	_, err = io.CopyN(io.Discard, l.File(r), int64(filled))
	require.NoError(l, err, "emptying the pipe")
	_, err = r.Recv()
	require.NoError(l, err, "Recv() of the frame that waited")

	// Four processes, sizes that are no multiple of a page.
	const each = 500
	r, w = open(l)
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
	defer unix.Umask(unix.Umask(0)) // no mistake in the mode is hidden by it
	var path string
	for i, order := range [][]*lab.Role{{fifoReader, fifoWriter}, {fifoWriter, fifoReader}, {fifoReader, fifoWriter}} {
		// Whoever is first makes the FIFO; the third pair uses that of the second.
		path = l.Path(fmt.Sprintf("fifo%d", min(i, 1)))
		first := l.Start(order[0], lab.Tell("path", path))
		first.Blocks("nobody has opened the other side: is it a FIFO, and opened for one direction only?")
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
	require.Equal(l, "prw-------", info.Mode().String(), "mode of what OpenReader or OpenWriter made: is it a FIFO, for its owner only?")

	regular := l.Path("regular")
	require.NoError(l, os.WriteFile(regular, []byte("precious"), 0o600), "writing a regular file")
	_, err = pipe.OpenReader(regular)
	require.Error(l, err, "OpenReader() of a regular file: does it check that what is there is a FIFO?")
	_, err = pipe.OpenWriter(regular)
	require.Error(l, err, "OpenWriter() of a regular file: does it check that what is there is a FIFO?")
	content, err := os.ReadFile(regular)
	require.NoError(l, err, "reading the regular file")
	require.Equal(l, "precious", string(content), "content of the regular file: was it opened for writing?")
}

var fifoReader = lab.NewRole("reader", func(c *lab.Child) error {
	r, err := pipe.OpenReader(c.Text("path"))
	if err != nil {
		return fmt.Errorf("OpenReader(): %w", err)
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
	w, err := pipe.OpenWriter(c.Text("path"))
	if err != nil {
		return fmt.Errorf("OpenWriter(): %w", err)
	}
	for _, message := range []string{"hello", ""} {
		if err := w.Send([]byte(message)); err != nil {
			return fmt.Errorf("Send(%q): %w", message, err)
		}
	}
	return w.Close()
})

// Step 10: a corrupt length is an error that names the limit. Nothing is
// allocated for what it claims.
func TestCorruptLengthIsAnError(t *testing.T) {
	l := lab.New(t)
	for _, claim := range []uint32{pipe.MaxMessage + 1, 1 << 31, 1<<32 - 1} {
		r, w := open(l)
		write(l, l.File(w), binary.BigEndian.AppendUint32(nil, claim), []byte("hello"))

		var err error
		var allocated uint64
		recv := l.Call(fmt.Sprintf("Recv() of a header that claims %d bytes: is the length checked before anything else is read?", claim), func() error {
			allocated = lab.Allocated(func() { _, err = r.Recv() })
			return err
		})
		recv.ReturnsSoon(pipe.ErrTooLarge) // the writers live: more never comes
		require.ErrorContains(l, err, strconv.Itoa(pipe.MaxMessage), "Recv() of a header that claims %d bytes: the text names the limit", claim)
		require.Less(l, allocated, uint64(pipe.MaxMessage), "bytes that Recv() allocated: is the length checked before memory is taken?")
	}
}

// Step 11: the capacity can be read and set, and a full pipe makes the sender
// wait: that is flow control.
func TestFullPipeMakesTheSenderWait(t *testing.T) {
	l := lab.New(t)
	r, w := open(l)
	page := os.Getpagesize()
	before := l.Waits(w)

	got, err := w.Capacity()
	require.NoError(l, err, "Capacity()")
	require.Equal(l, l.Capacity(w), got, "Capacity(): is the kernel asked?")
	got, err = w.SetCapacity(page + 1)
	require.NoError(l, err, "SetCapacity(%d)", page+1)
	require.Equal(l, l.Capacity(w), got, "SetCapacity(%d): the kernel rounds up; does it return what the pipe has now?", page+1)
	require.GreaterOrEqual(l, got, page+1, "SetCapacity(%d)", page+1)
	again, err := w.Capacity()
	require.NoError(l, err, "Capacity() after SetCapacity()")
	require.Equal(l, got, again, "Capacity() after SetCapacity()")

	require.Equal(l, before, l.Waits(w), "the descriptor after Capacity() and SetCapacity(): does File.Fd make it blocking for everybody who shares it?")

	message := pattern(got - pipe.HeaderSize)
	require.NoError(l, w.Send(message), "Send() of a frame as large as the pipe")
	send := l.Call("Send()", func() error { return w.Send([]byte("one more")) })
	send.Blocks("the pipe is full: does Send return before its bytes are in the pipe?", lab.Holds(r, got, "A full pipe takes no byte."))
	_, err = w.SetCapacity(page)
	require.ErrorIs(l, err, unix.EBUSY, "SetCapacity(%d) while more than that waits in the pipe: is the kernel's error returned?", page)
	first, err := r.Recv()
	require.NoError(l, err, "Recv() of the frame that filled the pipe")
	l.SameBytes(message, first, "Recv() of the frame that filled the pipe: does Recv read until the message is whole?")
	send.Returns(nil)
	require.NoError(l, expect(r, "one more"), "Recv() of what waited")
}

// Step 12: RecvInto receives into memory that the caller brings. A message that
// fits takes no new memory.
func TestRecvIntoUsesTheCallersMemory(t *testing.T) {
	l := lab.New(t)
	r, w := open(l)
	const room = 100
	buf := make([]byte, 0, room)

	require.NoError(l, w.Send([]byte("hello")), `Send("hello")`)
	got, err := r.RecvInto(buf)
	require.NoError(l, err, "RecvInto() with room for %d bytes", room)
	require.Equal(l, "hello", string(got), "RecvInto() with room for %d bytes: is what it returns as long as the message?", room)
	require.Equal(l, "hello", string(buf[:len(got)]), "the caller's memory after RecvInto(): is the message there? It is cap(buf) that counts, not len(buf).")

	for _, size := range []int{room, 0, room + 1, 0, 3 * room, 1} {
		require.NoError(l, w.Send(pattern(size)), "Send() of %d bytes", size)
		got, err = r.RecvInto(buf)
		require.NoError(l, err, "RecvInto() of %d bytes with room for %d", size, room)
		l.SameBytes(pattern(size), got, "RecvInto() of %d bytes with room for %d: does a longer message get new memory?", size, room)
	}
	require.NoError(l, w.Send([]byte("no memory")), "Send()")
	got, err = r.RecvInto(nil)
	require.NoError(l, err, "RecvInto(nil)")
	require.Equal(l, "no memory", string(got), "RecvInto(nil)")

	// Each message goes where the one before it was.
	const each, size = 300, 1000
	r, w = open(l)
	l.Start(sendsPatterns, lab.HandOver("w", w), lab.Tell("sizes", join(slices.Repeat([]int{size}, each))))
	got = make([]byte, size)
	allocated := lab.Allocated(func() {
		for range each {
			if got, err = r.RecvInto(got); err != nil {
				return
			}
		}
	})
	require.NoError(l, err, "RecvInto() of one of %d messages", each)
	l.SameBytes(pattern(size), got, "RecvInto() of the last of %d messages", each)
	require.Less(l, allocated, uint64(each*size/2), "bytes that RecvInto() allocated for %d messages of %d bytes, with room for each: is there new memory for every message?", each, size)

	_, err = r.RecvInto(got)
	require.ErrorIs(l, err, io.EOF, "RecvInto() after the last writer has closed")
	r, w = open(l)
	raw := l.File(w)
	write(l, raw, frame("hello")[:6])
	require.NoError(l, raw.Close(), "closing the raw write end")
	require.NoError(l, w.Close(), "Close() of the Writer")
	_, err = r.RecvInto(got)
	require.ErrorIs(l, err, io.ErrUnexpectedEOF, "RecvInto() of 6 of a frame's 9 bytes")
	r, w = open(l)
	write(l, l.File(w), binary.BigEndian.AppendUint32(nil, pipe.MaxMessage+1))
	l.Call(fmt.Sprintf("RecvInto() of a header that claims %d bytes", pipe.MaxMessage+1), func() error {
		_, err := r.RecvInto(got)
		return err
	}).ReturnsSoon(pipe.ErrTooLarge)
}
