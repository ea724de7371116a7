package pipe_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	pipe "ipcworkbook/chapters/01-pipe"
	"ipcworkbook/harness/lab"
)

// What the steps share: pipes, raw frames, messages to compare.

// open makes a pipe that is closed when the test ends.
func open(l *lab.Lab) (*pipe.Reader, *pipe.Writer) {
	r, w, err := pipe.New()
	require.NoError(l, err, "New()")
	l.CloseAtEnd(r, w)
	lab.CollectGarbage() // closes a file of which only the number was kept
	return r, w
}

// sender is a Writer of New, and the read end of its pipe as a file of the test's own.
// The Reader is closed: it may read ahead, and would take away what the test looks at.
func sender(l *lab.Lab) (*os.File, *pipe.Writer) {
	r, w, err := pipe.New()
	require.NoError(l, err, "New()")
	raw := l.File(r)
	l.CloseAtEnd(r, w) // after the raw end: a Send that waits gets EPIPE then
	lab.CollectGarbage()
	require.NoError(l, r.Close(), "Close() of the Reader")
	return raw, w
}

// room makes the pipe so large that n bytes have room, where the kernel allows it.
func room(l *lab.Lab, end syscall.Conn, n int) {
	if l.Capacity(end) < n {
		_, _ = unix.FcntlInt(uintptr(numberOf(l, end)), unix.F_SETPIPE_SZ, n)
	}
}

// unreadable are messages of these sizes, largest last, that lie in memory which nobody
// may read. It costs nothing, however large it is.
func unreadable(l *lab.Lab, sizes ...int) (messages [][]byte) {
	all, err := unix.Mmap(-1, 0, slices.Max(sizes), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil { // a limit of the process (RLIMIT_AS)
		all = make([]byte, slices.Min(sizes))
	} else {
		l.CloseAtEnd(unmapped(all))
	}
	for _, n := range sizes {
		if n <= len(all) {
			messages = append(messages, all[:n:n])
		}
	}
	return messages
}

type unmapped []byte

func (m unmapped) Close() error { return unix.Munmap(m) }

// sendUnread sends a message that cannot be read, and says so where Send reads it.
func sendUnread(w *pipe.Writer, p []byte) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			err = errors.New("it went on and read the message")
		}
	}()
	return w.Send(p)
}

// tooLarge names a Send of more than is allowed.
func tooLarge(n int) string {
	if n > 1<<31 {
		return fmt.Sprintf("Send() of %d bytes: is the length compared as an int? In 32 bits it is %d.", n, int32(n))
	}
	return fmt.Sprintf("Send() of MaxMessage+%d bytes: is the length checked before anything is written?", n-pipe.MaxMessage)
}

// frame is a message as it travels: its length and its bytes.
func frame(message string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...)
}

// write writes all the bytes in one call.
func write(l *lab.Lab, f *os.File, parts ...[]byte) {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	_, err := f.Write(all)
	require.NoError(l, err, "writing raw bytes into the pipe")
}

// expect receives one message and compares it.
func expect(r *pipe.Reader, want string) error {
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

// pattern is a message of n bytes in which no two pages are alike.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return p
}

// sizesUpTo are the sizes of a hundred messages. The first one is not empty.
func sizesUpTo(most int, random *rand.Rand) []int {
	sizes := []int{most}
	for range 99 {
		sizes = append(sizes, random.IntN(most+1))
	}
	return sizes
}

// join writes numbers as a role takes them: "1,2,3".
func join(numbers []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(numbers), "[]"), " ", ",")
}

// ignoredSignals returns the mask of ignored signals, as /proc shows it.
func ignoredSignals(l *lab.Lab) string {
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(l, err, "reading /proc/self/status")
	for line := range strings.Lines(string(status)) {
		if mask, ok := strings.CutPrefix(line, "SigIgn:\t"); ok {
			return strings.TrimSpace(mask)
		}
	}
	require.Fail(l, "no SigIgn line", "/proc/self/status")
	return ""
}
