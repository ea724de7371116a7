package lab

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A program looks at a file's size, and then reads it. In between it can be changed.
func TestHoldingAProcessBetweenItsCalls(t *testing.T) {
	l := New(t)
	path := l.Path("file")
	calls := l.Calls()
	p := l.Start(looksAndReads, Tell("path", path), calls.HandOver())
	calls.Of(p)
	var where, got []string
	for n, held := 0, true; held; n++ {
		require.NoError(l, os.WriteFile(path, []byte("old"), 0o600))
		held = calls.Hold(n)
		require.NoError(l, os.WriteFile(path, []byte("newer"), 0o600))
		where = append(where, calls.String())
		calls.Go()
		var text string
		p.Report(&text)
		got = append(got, text)
	}
	name := l.base(path)
	require.Equal(l, []string{
		"held before openat()",
		"held before fstat(" + name + "), after openat()",
		"held before pread(" + name + "), after openat(), fstat(" + name + ")",
		"at rest, after openat(), fstat(" + name + "), pread(" + name + ")",
	}, where)
	require.Equal(l, []string{"newer", "newer", "new", "old"}, got, "what it read")
	p.Kill()
}

func (l *Lab) base(path string) string {
	info, err := os.Lstat(path)
	require.NoError(l, err)
	return info.Name()
}

var looksAndReads = NewRole("looks and reads", func(c *Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for {
		c.Wait()
		fd, err := unix.Open(c.Text("path"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		var info unix.Stat_t
		if err := unix.Fstat(fd, &info); err != nil {
			return err
		}
		text := make([]byte, info.Size)
		if _, err := unix.Pread(fd, text, 0); err != nil {
			return err
		}
		unix.Close(fd)
		c.Report(string(text))
	}
})

// A call that waits is not held, and what it waits for comes.
func TestAProcessThatWaitsIsNotHeld(t *testing.T) {
	l := New(t)
	var fds [2]int // os.Pipe makes them non-blocking
	require.NoError(l, unix.Pipe2(fds[:], unix.O_CLOEXEC))
	r, w := os.NewFile(uintptr(fds[0]), "r"), os.NewFile(uintptr(fds[1]), "w")
	defer w.Close()
	calls := l.Calls()
	p := l.Start(readsOne, HandOver("r", r), calls.HandOver())
	calls.Of(p)
	require.True(l, calls.Hold(0), "before the read")
	calls.Go()
	p.Blocks("nothing was written")
	_, err := w.Write([]byte("x"))
	require.NoError(l, err)
	calls.Reports("x", "read")

	require.False(l, calls.Hold(1), "when it waits in read")
	require.Contains(l, calls.String(), "at rest, after read(pipe:")
	_, err = w.Write([]byte("y"))
	require.NoError(l, err)
	calls.Go()
	calls.Reports("y", "read")
	require.True(l, calls.Hold(0), "before the next read")
	p.Kill() // also a process that is held
}

var readsOne = NewRole("reads one byte at a time", func(c *Child) error {
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for {
		c.Wait()
		b := make([]byte, 1)
		if _, err := unix.Read(c.given.Files["r"], b); err != nil {
			return err
		}
		c.Report(string(b))
	}
})
