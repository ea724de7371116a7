package lab

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A disk fails once, and only for one of two files.
func TestRefusingCalls(t *testing.T) {
	l := New(t)
	path, other := l.Path("file"), l.Path("other")
	calls := l.Calls()
	p := l.Start(syncsTwo, Tell("path", path), Tell("other", other), calls.HandOver())
	calls.Of(p)
	said := func() (text string) {
		p.Go()
		p.Report(&text)
		return text
	}
	require.Equal(l, "<nil> <nil>", said())
	calls.Refuse(unix.EIO, 1, path, "fdatasync")
	require.Equal(l, "input/output error <nil>", said())
	require.Equal(l, "<nil> <nil>", said(), "once is over")
	require.Equal(l, 2, calls.Made())
	calls.Refuse(unix.ENOSPC, -1, "", "fdatasync", "fcntl(F_SETFD)")
	for range 2 {
		require.Equal(l, "no space left on device no space left on device", said())
	}
	p.Kill()
}

var syncsTwo = NewRole("syncs two files", func(c *Child) error {
	f, err := os.Create(c.Text("path"))
	g, err2 := os.Create(c.Text("other"))
	if err := errors.Join(err, err2, c.ShowCalls()); err != nil {
		return err
	}
	text := func(f *os.File) string {
		err := control(f, unix.Fdatasync)
		if err == nil {
			return "<nil>"
		}
		return err.Error()
	}
	for {
		c.Wait()
		c.Report(text(f) + " " + text(g))
	}
})
