package pipe_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
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

	// Another goroutine may start a program between two calls. Here the second call
	// does nothing.
	l.RefusesCalls()
	var made []flags
	l.Start(madeAtOnce).Report(&made)
	const second = "does a second call set it? A program that another goroutine starts in between inherits the end."
	require.Equal(l, "close-on-exec", made[0].OnExec, "New() where F_SETFD is refused, the read end: %s", second)
	require.Equal(l, "close-on-exec", made[1].OnExec, "New() where F_SETFD is refused, the write end: %s", second)
	const cleared = "did a second call make it blocking? File.Fd does, for everybody who shares it, and Close wakes no Recv then."
	require.Equal(l, made[0].Waits, l.Waits(r), "New(), the read end: %s", cleared)
	require.Equal(l, made[1].Waits, l.Waits(w), "New(), the write end: %s", cleared)

	require.NoError(l, l.Start(hasNoneLeft).Wait(), "New() without a free descriptor: does it return the kernel's error, and leave nothing open?")
}

var hasNoneLeft = lab.NewRole("process without a free descriptor", func(c *lab.Child) error {
	return noneLeft("New()", func() error {
		_, _, err := pipe.New()
		return err
	})
})

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

	raw, w := sender(l)
	memory := append(make([]byte, 0, 32), "hello, caller"...)
	require.NoError(l, w.Send(memory[:5]), `Send("hello")`)
	require.Equal(l, "hello, caller", string(memory), `the caller's memory after Send("hello"): did Send put the header into it? append and slices.Insert use what is behind p.`)
	waiting, err := lab.Waiting(raw)
	require.NoError(l, err, "FIONREAD")
	require.NotZero(l, waiting, `bytes in the pipe after Send("hello"): is the frame still in a buffer of your own, or did a write fail unseen?`)
	sent := make([]byte, waiting)
	_, err = io.ReadFull(raw, sent)
	require.NoError(l, err, "reading the raw frame")
	require.Equal(l, "00 00 00 05 68 65 6c 6c 6f", fmt.Sprintf("% x", sent),
		`the raw frame of Send("hello"): is it the length, a uint32 in big-endian order, and then the message?`)

	r, w := open(l)
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

	// Whoever shares an end sees its flags change.
	r, w = open(l)
	stay := flagsStay(l, r, w)
	require.NoError(l, w.Send([]byte("hello")), `Send("hello")`)
	require.NoError(l, expect(r, "hello"), "Recv()")
	stay("Send() and Recv()")
	for _, mode := range []int{0, unix.O_NONBLOCK} {
		readEnd, writeEnd := handed(l, mode)
		copyR, copyW := l.File(readEnd), l.File(writeEnd)
		stay := flagsStay(l, copyR, copyW)
		r, w, shared := pipe.NewReader(readEnd), pipe.NewWriter(writeEnd), pipe.NewSharedWriter(l.File(copyW))
		l.CloseAtEnd(r, w, shared)
		require.NoError(l, w.Send([]byte("hello")), `Send("hello") on an end that was handed over`)
		require.NoError(l, expect(r, "hello"), "Recv() on an end that was handed over")
		require.NoError(l, shared.Send([]byte("shared")), `Send("shared") by a shared Writer`)
		require.NoError(l, expect(r, "shared"), "Recv() of what a shared Writer sent")
		stay("NewReader(), NewWriter(), NewSharedWriter(), Send() and Recv()")
		require.Equal(l, "close-on-exec", l.OnExec(r), "NewReader() of an end that is close-on-exec: is its copy made with F_DUPFD_CLOEXEC?")
		require.Equal(l, "close-on-exec", l.OnExec(w), "NewWriter() of an end that is close-on-exec: is its copy made with F_DUPFD_CLOEXEC?")
		require.Equal(l, "close-on-exec", l.OnExec(shared), "NewSharedWriter() of an end that is close-on-exec: is its copy made with F_DUPFD_CLOEXEC?")
	}
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

	otherR, otherW := open(l)
	recv := l.Call("Recv(): is one Read taken for a whole header, or for a whole message? Or do all Readers have one buffer?", func() error { return expect(r, "hello") })
	for i, b := range frame("hello") {
		recv.Blocks(fmt.Sprintf("%d of the frame's 9 bytes have arrived", i),
			lab.Holds(r, 0, "Recv takes what is there and waits for the rest."))
		switch i {
		case 3, 7: // inside the header, and inside the message
			other := l.Call("Send() and Recv() on another pipe while this Recv() waits: do ends share a lock or a buffer, which belongs to the package?",
				func() error { return errors.Join(otherW.Send(pattern(300)), expect(otherR, string(pattern(300)))) })
			other.ReturnsSoon(nil)
		case 0, 8: // a call that is interrupted goes on
			recv.Interrupt(1)
		}
		write(l, raw, []byte{b})
	}
	recv.ReturnsSoon(nil)

	sent, alone := sender(l)
	require.NoError(l, alone.Send(nil), "Send(nil)")
	waiting, err := lab.Waiting(sent)
	require.NoError(l, err, "FIONREAD")
	require.Equal(l, pipe.HeaderSize, waiting, "bytes in the pipe after Send(nil): an empty message is a header with nothing behind it")
	require.NoError(l, w.Send(nil), "Send(nil)")
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

	// A caller may append to what it got.
	r, w = open(l)
	raw = l.File(w)
	write(l, raw, frame("one"), frame("two"), frame("three"))
	require.NoError(l, raw.Close(), "closing the raw write end")
	require.NoError(l, w.Close(), "Close() of the Writer")
	first, err = r.Recv()
	require.NoError(l, err, "Recv() of the first message")
	copy(first[len(first):cap(first)], "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!")
	for _, want := range []string{"two", "three"} {
		require.NoError(l, expect(r, want), "Recv() of %q, after the caller appended to the message before it: does the capacity of that reach into the next one?", want)
	}

	// A relay passes on the end of one message, say, with a part of the next
	// header.
	end, w := sender(l)
	relayed := pipe.NewReader(l.Relay(end, lab.Around(pipe.HeaderSize)))
	l.CloseAtEnd(relayed)
	sizes := sizesUpTo(20, l.Rand("sizes"))
	l.Start(sendsPatterns, lab.HandOver("w", w), lab.Tell("sizes", join(sizes)))
	for i, size := range sizes {
		require.NoError(l, expect(relayed, string(pattern(size))),
			"Recv() of message %d through a relay: does a Recv read more than its own message, and lose it?", i+1)
	}

	// More than any buffer holds. Each page of the stream ends inside a header, and so
	// does each page and a header: a buffer of the Reader's own ends there too.
	r, w = open(l)
	raw = l.File(w)
	messages := []string{string(pattern(4090))}
	for i := range 1 + pipe.MaxMessage/4096 {
		messages = append(messages, "", strconv.Itoa(100000+i)+string(pattern(4082)))
	}
	var stream []byte
	var got [][]byte
	wholeAt := make([]int, len(messages))
	for i, m := range messages {
		stream = append(stream, frame(m)...)
		wholeAt[i] = len(stream)
	}
	receive := func(sent int) {
		for len(got) < len(messages) && wholeAt[len(got)] <= sent {
			want := messages[len(got)]
			message, err := r.Recv()
			require.NoError(l, err, "Recv() of message %d of a long stream: does a header lie across the end of a buffer, and lose its first bytes?", len(got)+1)
			l.SameBytes([]byte(want), message, "Recv() of message %d of a long stream: does a header lie across the end of a buffer, and lose its first bytes?", len(got)+1)
			got = append(got, message)
		}
	}
	if chunk := 8 * 4096; l.Capacity(w) >= 2*chunk { // what a Recv has left and the next chunk fit
		for sent := 0; sent < len(stream); {
			n := min(chunk, len(stream)-sent)
			write(l, raw, stream[sent:sent+n])
			sent += n
			receive(sent)
		}
	} else {
		all := l.Call("writing raw bytes", func() error { _, err := raw.Write(stream); return err })
		receive(len(stream))
		all.Returns(nil)
	}
	for i, message := range got {
		l.SameBytes([]byte(messages[i]), message, "message %d, after %d others were received: is it a part of a buffer that later messages come into?", i+1, len(got)-i-1)
	}
}

// Step 4: a message larger than the pipe's capacity gets through.
func TestMessageLargerThanThePipe(t *testing.T) {
	l := lab.New(t)

	// Every write of this sender is short, not only its first one.
	raw, w := sender(l)
	page, half := os.Getpagesize(), l.Capacity(w)/2
	large := pattern(3*l.Capacity(w) + 1)
	require.Less(l, len(large), pipe.MaxMessage, "the size that this step sends")
	producer := l.Start(sendsPatterns, lab.HandOver("w", w), lab.Tell("sizes", strconv.Itoa(len(large))))
	var arrived bytes.Buffer
	random := l.Rand("room")
	for range 3 {
		producer.Blocks("the pipe is full: does Send go on after every short write?")
		producer.Interrupt(1)
		_, err := io.CopyN(&arrived, raw, int64(page+random.IntN(half)))
		require.NoError(l, err, "making room in the pipe")
	}
	_, err := io.Copy(&arrived, raw)
	require.NoError(l, err, "reading the rest of the raw frame")
	l.SameBytes(frame(string(large)), arrived.Bytes(), "the raw frame of a Send() of %d bytes that was interrupted: does Send go on after every short write, and just where it stopped? What a write returns counts the header too.", len(large))

	r, w := open(l)
	producer = l.Start(sendsPatterns, lab.HandOver("w", w), lab.Tell("sizes", fmt.Sprintf("%d,%d,0", len(large), pipe.MaxMessage)))
	producer.Blocks("the pipe is full and nobody reads yet: does the Reader take all that comes into memory of its own?")
	producer.Interrupt(1) // a write that has begun is short then
	for _, size := range []int{len(large), pipe.MaxMessage, 0} {
		got, err := r.Recv()
		require.NoError(l, err, "Recv() of %d bytes: does Send go on after a short write? Does Recv take a message of MaxMessage bytes?", size)
		l.SameBytes(pattern(size), got, "Recv() of %d bytes: does Recv read until the message is whole?", size)
	}

	// When Send has returned, its memory is the caller's again.
	for _, size := range []int{5, 5000, 40000, 150000} {
		raw, w := sender(l)
		room(l, w, 2*size)
		if l.Capacity(w) < 2*size {
			continue
		}
		p := pattern(size)
		send := l.Call(fmt.Sprintf("Send() of %d bytes, for which there is room", size), func() error { return w.Send(p) })
		send.ReturnsSoon(nil)
		clear(p)
		sent := make([]byte, pipe.HeaderSize+size)
		_, err := io.ReadFull(raw, sent)
		require.NoError(l, err, "reading the raw frame")
		l.SameBytes(frame(string(pattern(size))), sent, "the raw frame of a Send() of %d bytes, after the caller has changed them: does the pipe share the caller's memory (vmsplice), or is it written later?", size)
	}

	raw, w = sender(l)
	sizes := []int{pipe.MaxMessage + 1, 1<<31 + 5, 1<<32 + 5}
	for _, p := range unreadable(l, sizes...) {
		send := l.Call(tooLarge(len(p)), func() error { return sendUnread(w, p) })
		send.ReturnsSoon(pipe.ErrTooLarge)
		waiting, err := lab.Waiting(raw)
		require.NoError(l, err, "FIONREAD")
		require.Zero(l, waiting, "bytes in the pipe after a message was refused: is the length checked before the header goes out?")
	}
	require.NoError(l, w.Send([]byte("hello")), "Send() of 5 bytes, after a message was refused")
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
