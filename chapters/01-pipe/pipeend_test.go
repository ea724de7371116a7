package pipe_test

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	pipe "ipcworkbook/chapters/01-pipe"
	"ipcworkbook/harness/lab"
)

// Step 5: Recv returns io.EOF when the last writer has closed: not before, not
// never.
func TestEndOfFileAfterTheLastWriter(t *testing.T) {
	l := lab.New(t)
	r, w := open(l)

	first := l.Start(holder, lab.Give("w", w))
	second := l.Start(holder, lab.Give("w", w))
	require.NoError(l, w.Send([]byte("last")), "Send()")
	require.NoError(l, expect(r, "last"), "Recv() of what was sent before the end")
	recv := l.Call("Recv(): does Recv tell the end of the stream from an empty message?", func() error { _, err := r.Recv(); return err })
	recv.Blocks("three processes have the write end")
	closes := l.Call("Close() of the Writer while a Recv() waits: does a lock that Recv holds belong to both ends?", w.Close)
	closes.ReturnsSoon(nil)
	recv.Blocks("two processes still have the write end")
	first.Exit()
	recv.Blocks("one process still has the write end")
	second.Exit()
	recv.ReturnsTheEnd(r)

	_, err := r.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() once more: the end stays the end")

	// Who owns a file closes it. And a number that was closed may be somebody else's.
	for _, kind := range []string{"NewWriter()", "NewSharedWriter()"} {
		readEnd, writeEnd := handed(l, unix.O_NONBLOCK)
		othersR, othersW := handed(l, unix.O_NONBLOCK)
		w := map[string]func(*os.File) *pipe.Writer{"NewWriter()": pipe.NewWriter, "NewSharedWriter()": pipe.NewSharedWriter}[kind](writeEnd)
		number := numberOf(l, w)
		require.NoError(l, w.Close(), "Close() of the Writer of %s", kind)
		end := l.Call("read(2) after Close() of the only Writer, which "+kind+" made: is the file that it was given still open? The Writer owns it.",
			func() error { return readsEnd(readEnd) })
		end.ReturnsSoon(io.EOF)
		runtime.KeepAlive(writeEnd)

		others := takeNumber(l, number, othersW)
		_ = w.Close()
		require.Error(l, w.Send([]byte("hello")), "Send() after Close(): is the descriptor's number still used? It may be another file's by now.")
		waiting, err := lab.Waiting(othersR)
		require.NoError(l, err, "FIONREAD")
		require.Zero(l, waiting, "bytes in another pipe, whose end has the number of a Writer that was closed: is the number still used after Close()?")
		require.Equal(l, number, openNumber(others), "another file, which has the number of a Writer that was closed twice: did the second Close() close it?")
	}
}

// readsEnd wants the end of the stream.
func readsEnd(f *os.File) error {
	if n, err := f.Read(make([]byte, 1)); n > 0 || err != io.EOF {
		return fmt.Errorf("read %d bytes: %w", n, err)
	}
	return io.EOF
}

// openNumber is the file's number, or -1 where it is not open any more.
func openNumber(f *os.File) int {
	conn, err := f.SyscallConn()
	if err != nil {
		return -1
	}
	number := -1
	_ = conn.Control(func(fd uintptr) {
		if _, err := unix.FcntlInt(fd, unix.F_GETFD, 0); err == nil {
			number = int(fd)
		}
	})
	return number
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
		end, w := sender(l)
		victim := l.Start(sendsOnAndOn, lab.HandOver("w", w), lab.Tell("size", strconv.Itoa(size)))
		whole := random.IntN(2)
		relayed := pipe.NewReader(l.Relay(end, lab.Around(pipe.HeaderSize), lab.KillAfter(whole*length+sent, victim)))
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

	raw, w := sender(l)
	send := l.Call("Send() whose reader closes in the middle of it: is the error of a later write(2) returned?", func() error { return w.Send(make([]byte, 2*l.Capacity(raw))) })
	send.Blocks("the pipe is full")
	require.NoError(l, raw.Close(), "closing the raw read end")
	send.ReturnsSoon(unix.EPIPE)

	readEnd, writeEnd := handed(l, unix.O_NONBLOCK)
	require.NoError(l, pipe.NewReader(readEnd).Close(), "Close() of the Reader of NewReader()")
	_, err := writeEnd.Write([]byte("hello"))
	require.ErrorIs(l, err, unix.EPIPE, "write(2) after Close() of the only Reader, which NewReader() made: is the file that it was given still open? The Reader owns it.")
	runtime.KeepAlive(readEnd)

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
