package file_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	file "ipcworkbook/chapters/02-file"
	"ipcworkbook/harness/lab"
)

// What the steps share: both ends, raw frames, a raw writer, messages to compare.

// openWriter opens a Writer that is closed when the test ends.
func openWriter(l *lab.Lab, path string, d file.Durability) *file.Writer {
	l.Helper()
	w, err := file.OpenWriter(path, d)
	require.NoError(l, err, "OpenWriter()")
	l.CloseAtEnd(w)
	return w
}

// openReader opens a Reader that is closed when the test ends.
func openReader(l *lab.Lab, path string) *file.Reader {
	l.Helper()
	r, err := file.OpenReader(path)
	require.NoError(l, err, "OpenReader()")
	l.CloseAtEnd(r)
	return r
}

// frame is a message as it stands in the file: its length and its bytes.
func frame(message string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...)
}

// endMark is the last frame of a file.
var endMark = []byte{0xff, 0xff, 0xff, 0xff}

// locked opens the file at path as a writer does that uses no package: it appends
// to it, and has it locked. What is written to it are raw bytes.
func locked(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f, unix.F_OFD_SETLK, unix.F_WRLCK); err != nil {
		f.Close()
		if errors.Is(err, unix.EAGAIN) {
			return nil, errors.New("somebody else has the file locked")
		}
		return nil, os.NewSyscallError("fcntl F_OFD_SETLK", err)
	}
	return f, nil
}

func lock(f *os.File, cmd int, kind int16) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	err = conn.Control(func(fd uintptr) { lockErr = unix.FcntlFlock(fd, cmd, &unix.Flock_t{Type: kind}) })
	return errors.Join(err, lockErr)
}

// rawWriter is locked for the test's own process.
func rawWriter(l *lab.Lab, path string) *os.File {
	l.Helper()
	f, err := locked(path)
	require.NoError(l, err, "locking the file for a writer of the test's own: does a Reader take the lock to see whether it is free? It would turn a new writer away: ask with F_OFD_GETLK")
	l.CloseAtEnd(f)
	return f
}

// write writes all the bytes in one call.
func write(l *lab.Lab, f *os.File, parts ...[]byte) {
	l.Helper()
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	_, err := f.Write(all)
	require.NoError(l, err, "writing raw bytes to the file")
}

// content is what stands in the file.
func content(l *lab.Lab, path string) string {
	l.Helper()
	bytes, err := os.ReadFile(path)
	require.NoError(l, err, "reading the file")
	return fmt.Sprintf("% x", bytes)
}

func size(l *lab.Lab, path string) int {
	l.Helper()
	info, err := os.Stat(path)
	require.NoError(l, err, "looking at the file")
	return int(info.Size())
}

// expect receives one message and compares it.
func expect(r *file.Reader, want string) error {
	got, err := r.Recv()
	if err != nil {
		return err
	}
	switch {
	case string(got) == want:
		return nil
	case max(len(got), len(want)) > 20: // nobody can read that
		return fmt.Errorf("of the %d bytes that were sent it received: %s", len(want), lab.Difference([]byte(want), got))
	}
	return fmt.Errorf("received %q where %q was sent", got, want)
}

// receives is a Recv whose message does not matter.
func receives(r *file.Reader) func() error {
	return func() error { _, err := r.Recv(); return err }
}

// pattern is a message of n bytes in which no two pages are alike.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return p
}

// numbered is a message of n bytes that is unlike those of all other numbers up to 255.
func numbered(i, n int) []byte {
	p := pattern(n)
	for j := range p {
		p[j] ^= byte(i)
	}
	return p
}

// sizesUpTo are the sizes of a hundred messages.
func sizesUpTo(most int, random *rand.Rand) []int {
	var sizes []int
	for range 100 {
		sizes = append(sizes, random.IntN(most+1))
	}
	return sizes
}

// join writes numbers as a role takes them: "1,2,3".
func join(numbers []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(numbers), "[]"), " ", ",")
}

// numbers are those that join has written.
func numbers(text string) []int {
	var all []int
	for n := range strings.SplitSeq(text, ",") {
		i, err := strconv.Atoi(n)
		if err != nil {
			panic(err)
		}
		all = append(all, i)
	}
	return all
}

// follower reports every message that it receives, until the end.
var follower = lab.NewRole("follower", func(c *lab.Child) error {
	r, err := file.OpenReader(c.Text("path"))
	if err != nil {
		return fmt.Errorf("OpenReader(): %w", err)
	}
	for {
		message, err := r.Recv()
		if err == io.EOF {
			c.Report("the end")
			return r.Close()
		}
		if err != nil {
			return fmt.Errorf("Recv(): %w", err)
		}
		c.Report(fmt.Sprintf("%q", message)) // bytes that are no text get through
	}
})

// producer sends what it is told to, waits for the test's word, and closes.
var producer = lab.NewRole("producer", func(c *lab.Child) error {
	w, err := file.OpenWriter(c.Text("path"), file.Never)
	if err != nil {
		return fmt.Errorf("OpenWriter(): %w", err)
	}
	for _, size := range numbers(c.Text("sizes")) {
		if err := w.Send(pattern(size)); err != nil {
			return fmt.Errorf("Send() of %d bytes: %w", size, err)
		}
	}
	c.Report(true)
	c.Wait()
	return w.Close()
})

// victim writes raw bytes with the lock held, and waits for its death.
var victim = lab.NewRole("victim", func(c *lab.Child) error {
	f, err := locked(c.Text("path"))
	if err != nil {
		return err
	}
	raw, err := hex.DecodeString(c.Text("bytes"))
	if err != nil {
		return err
	}
	n, err := f.Write(raw)
	if err != nil {
		return err
	}
	c.Report(n)
	c.Wait()
	return f.Close()
})

// startVictim starts a victim that has written its bytes.
func startVictim(l *lab.Lab, path string, parts ...[]byte) *lab.Process {
	l.Helper()
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	v := l.Start(victim, lab.Tell("path", path), lab.Tell("bytes", hex.EncodeToString(all)))
	var written int
	v.Report(&written)
	require.Equal(l, len(all), written, "what the victim wrote")
	return v
}

// end is a Reader or a Writer.
type end interface {
	io.Closer
	syscall.Conn
}
