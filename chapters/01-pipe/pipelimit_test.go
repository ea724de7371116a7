package pipe_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	pipe "ipcworkbook/chapters/01-pipe"
	"ipcworkbook/harness/lab"
)

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
	raw, w := sender(l)
	page := os.Getpagesize()
	stay := flagsStay(l, raw, w)

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

	stay("Capacity() and SetCapacity()")

	message := pattern(got - pipe.HeaderSize)
	require.NoError(l, w.Send(message), "Send() of a frame as large as the pipe")
	send := l.Call("Send()", func() error { return w.Send([]byte("one more")) })
	send.Blocks("the pipe is full: does Send return before its bytes are in the pipe?", lab.Holds(raw, got, "A full pipe takes no byte."))
	_, err = w.SetCapacity(page)
	require.ErrorIs(l, err, unix.EBUSY, "SetCapacity(%d) while more than that waits in the pipe: is the kernel's error returned?", page)
	again, err = w.Capacity()
	require.NoError(l, err, "Capacity() after SetCapacity() failed")
	require.Equal(l, got, again, "Capacity() after SetCapacity() failed")
	_, err = w.SetCapacity(1<<31 + page)
	require.ErrorIs(l, err, unix.EINVAL, "SetCapacity(%d), which no pipe can have: is the kernel's error returned?", 1<<31+page)
	r := pipe.NewReader(raw)
	l.CloseAtEnd(r)
	first, err := r.Recv()
	require.NoError(l, err, "Recv() of the frame that filled the pipe")
	l.SameBytes(message, first, "Recv() of the frame that filled the pipe: does Recv read until the message is whole?")
	send.Returns(nil)
	require.NoError(l, expect(r, "one more"), "Recv() of what waited")

	_, other := handed(l, unix.O_NONBLOCK)
	number := numberOf(l, w)
	require.NoError(l, w.Close(), "Close() of the Writer")
	takeNumber(l, number, other)
	_, err = w.Capacity()
	require.Error(l, err, "Capacity() after Close(): is the descriptor's number still used? It may be another pipe's by now.")
	_, err = w.SetCapacity(page)
	require.Error(l, err, "SetCapacity() after Close(): is the descriptor's number still used? It may be another pipe's by now.")
}

// Step 12: RecvInto receives into memory that the caller brings. A message that
// fits takes no new memory.
func TestRecvIntoUsesTheCallersMemory(t *testing.T) {
	l := lab.New(t)
	r, w := open(l)
	stay := flagsStay(l, r, w)
	const room = 100
	buf := make([]byte, 0, room)

	require.NoError(l, w.Send([]byte("hello")), `Send("hello")`)
	got, err := r.RecvInto(buf)
	require.NoError(l, err, "RecvInto() with room for %d bytes", room)
	require.Equal(l, "hello", string(got), "RecvInto() with room for %d bytes: is what it returns as long as the message?", room)
	require.Equal(l, "hello", string(buf[:len(got)]), "the caller's memory after RecvInto(): is the message there? It is cap(buf) that counts, not len(buf).")

	require.NoError(l, w.Send([]byte("other")), `Send("other")`)
	require.NoError(l, expect(r, "other"), "Recv() after RecvInto()")
	require.Equal(l, "hello", string(buf[:5]), "the caller's memory after a later Recv(): does the Reader keep the memory that RecvInto was lent?")

	var sent, longer [][]byte
	for i, size := range []int{room, 0, room + 1, 0, 3 * room, 1, 2 * room} {
		message := pattern(i + size)[i:]
		require.NoError(l, w.Send(message), "Send() of %d bytes", size)
		got, err = r.RecvInto(buf)
		require.NoError(l, err, "RecvInto() of %d bytes with room for %d", size, room)
		l.SameBytes(message, got, "RecvInto() of %d bytes with room for %d: does a longer message get new memory?", size, room)
		if size > room {
			sent, longer = append(sent, message), append(longer, got)
			continue
		}
		require.Equal(l, room, cap(got), "the capacity of what RecvInto() returned of %d bytes with room for %d: is it buf[:n]? The next RecvInto(buf) has that much room.", size, room)
		require.Same(l, &buf[:1][0], &got[:1][0], "the memory of what RecvInto() returned of %d bytes with room for %d: is it buf[:n]?", size, room)
	}
	for i, message := range sent {
		l.SameBytes(message, longer[i], "RecvInto() of %d bytes with room for %d, after others were received: is the new memory the Reader's, and used again?", len(message), room)
	}
	require.NoError(l, w.Send([]byte("no memory")), "Send()")
	got, err = r.RecvInto(nil)
	require.NoError(l, err, "RecvInto(nil)")
	require.Equal(l, "no memory", string(got), "RecvInto(nil)")

	recv := l.Call("RecvInto(), before anything was sent: does it wait as Recv does?", func() error {
		got, err = r.RecvInto(buf)
		return err
	})
	recv.Blocks("nothing was sent")
	recv.Interrupt(1)
	require.NoError(l, w.Send([]byte("late")), `Send("late")`)
	recv.ReturnsSoon(nil)
	require.Equal(l, "late", string(got), "RecvInto() that waited and was interrupted")
	stay("RecvInto()")

	// Each message goes where the one before it was.
	const each, size = 20, 16_000 // beside that a call may need some memory of its own
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

	for range 2 {
		_, err = r.RecvInto(got)
		require.ErrorIs(l, err, io.EOF, "RecvInto() after the last writer has closed")
	}
	for _, cut := range []int{1, pipe.HeaderSize, 6} {
		r, w = open(l)
		raw := l.File(w)
		write(l, raw, frame("hello")[:cut])
		require.NoError(l, raw.Close(), "closing the raw write end")
		require.NoError(l, w.Close(), "Close() of the Writer")
		_, err = r.RecvInto(got)
		require.ErrorIs(l, err, io.ErrUnexpectedEOF, "RecvInto() of %d of a frame's 9 bytes: does RecvInto tell a cut frame as Recv does?", cut)
	}
	r, w = open(l)
	write(l, l.File(w), binary.BigEndian.AppendUint32(nil, pipe.MaxMessage+1))
	l.Call(fmt.Sprintf("RecvInto() of a header that claims %d bytes", pipe.MaxMessage+1), func() error {
		_, err := r.RecvInto(got)
		return err
	}).ReturnsSoon(pipe.ErrTooLarge)
}
