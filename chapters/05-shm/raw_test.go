package shm_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	shm "ipcworkbook/chapters/05-shm"
	"ipcworkbook/harness/lab"
)

// What the steps share: regions, and a look at their files that is the test's own.

// never is no deadline.
var never time.Time

const (
	// soon is less than the pause between the two looks at a step that may hang: something
	// always moves in it.
	soon = 60 * time.Millisecond
	far  = time.Hour
	// between is more than the pause between two signals, which come when nothing moves any
	// more: a wait that begins anew after each of them is not over when it should be.
	between = 200 * time.Millisecond
	// early is what the clocks of the kernel may differ by.
	early = 10 * time.Millisecond
)

// region makes a new region. When the test ends it is closed, and its name removed.
func region(l *lab.Lab, size int, setup func(r *shm.Region) error) (*shm.Region, string) {
	name := named(l, "region")
	r, err := shm.Create(name, size, setup)
	require.NoError(l, err, "Create() of a new region")
	l.CloseAtEnd(r)
	return r, name
}

// attached attaches to a region that is there.
func attached(l *lab.Lab, name string) *shm.Region {
	r, err := shm.Attach(name, 0)
	require.NoError(l, err, "Attach() to a region that is there")
	l.CloseAtEnd(r)
	return r
}

// named returns a name of which nothing is left when the test ends.
func named(l *lab.Lab, what string) string {
	var s unix.Statfs_t
	if err := unix.Statfs(shm.Folder, &s); err != nil || s.Type != unix.TMPFS_MAGIC {
		l.Unsupported("This chapter needs a tmpfs at %s (shm_overview(7)), and there is none: %v.", shm.Folder, err)
	}
	name := l.Name(what)
	l.CloseAtEnd(unlinked(name))
	return name
}

type unlinked string

func (name unlinked) Close() error { os.RemoveAll(pathOf(string(name))); return nil }

func pathOf(name string) string { return filepath.Join(shm.Folder, name) }

func exists(name string) bool {
	_, err := os.Lstat(pathOf(name))
	return err == nil
}

// view is a mapping of a region's file that the test has made itself.
type view struct{ all []byte }

func viewOf(l *lab.Lab, name string) view {
	f, err := os.OpenFile(pathOf(name), os.O_RDWR, 0)
	require.NoError(l, err, "opening the file of a region")
	defer f.Close()
	info, err := f.Stat()
	require.NoError(l, err, "fstat() of the test's own")
	all, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	require.NoError(l, err, "mmap() of the test's own")
	v := view{all}
	l.CloseAtEnd(v)
	return v
}

func (v view) Close() error { return unix.Munmap(v.all) }

// at are the bytes of the users, from an offset on.
func (v view) at(offset int) []byte { return v.all[shm.HeaderSize+offset:] }

func (v view) word(offset int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&v.at(offset)[0]))
}

func (v view) long(offset int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&v.at(offset)[0]))
}

// Bits of an owner's word, and the number of an end that was closed.
const (
	waitersBit = 1 << 31
	diedBit    = 1 << 30
	threadBits = 1<<30 - 1
	closedEnd  = threadBits
)

// header is what stands in front of a region of that size.
func header(size int) []byte {
	h := append([]byte("ipc-shm\n"), make([]byte, shm.HeaderSize-8)...)
	binary.NativeEndian.PutUint32(h[8:], shm.Version)
	binary.NativeEndian.PutUint64(h[16:], uint64(size))
	return h
}

// put makes a file as somebody else may have.
func put(l *lab.Lab, name string, content []byte) {
	os.Remove(pathOf(name))
	require.NoError(l, os.WriteFile(pathOf(name), content, 0o600), "writing a file of the test's own")
}

// descriptors counts what this process has open of the folder.
func descriptors(l *lab.Lab) (n int) {
	lab.CollectGarbage()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(l, err, "reading /proc/self/fd")
	for _, e := range entries {
		if target, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.HasPrefix(target, shm.Folder) {
			n++
		}
	}
	return n
}

// mappedOf are the lines of this process's mappings that have the text in them.
func mappedOf(l *lab.Lab, text string) (lines []string) {
	maps, err := os.ReadFile("/proc/self/maps")
	require.NoError(l, err, "reading /proc/self/maps")
	for line := range strings.Lines(string(maps)) {
		if strings.Contains(line, text) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// notBefore is the error of a call that ended with its deadline, or what is wrong.
func notBefore(deadline time.Time, err error) error {
	if left := time.Until(deadline); errors.Is(err, os.ErrDeadlineExceeded) && left > early {
		return fmt.Errorf("it returned %v before its deadline", left)
	}
	return err
}

// endsAtItsDeadline asserts that a call that has to wait keeps its deadline.
func endsAtItsDeadline(l *lab.Lab, what string, wait func(deadline time.Time) error) {
	past := l.Call(what+", with a deadline that has passed", func() error { return wait(time.Now().Add(-far)) })
	past.ReturnsSoon(os.ErrDeadlineExceeded)
	old := l.Call(what+", with a deadline before 1970", func() error { return wait(time.Date(1960, 1, 1, 0, 0, 0, 1, time.UTC)) })
	old.ReturnsSoon(os.ErrDeadlineExceeded)

	deadline := time.Now().Add(soon)
	ends := l.Call(what+": is the deadline a point in time for the kernel, and not a duration? In seconds and nanoseconds?", func() error { return notBefore(deadline, wait(deadline)) })
	ends.Returns(os.ErrDeadlineExceeded)

	deadline = time.Now().Add(between)
	var returned atomic.Bool
	call := l.Call(what+", interrupted again and again", func() error {
		defer returned.Store(true)
		return notBefore(deadline, wait(deadline))
	})
	for time.Now().Before(deadline) {
		call.Interrupt(1)
	}
	call.Interrupt(1)
	require.True(l, returned.Load(), "%s has returned, when its deadline has passed and signals have interrupted it: does the wait begin anew each time?", what)
	call.Returns(os.ErrDeadlineExceeded)
}

// distant is a deadline that ends nothing here.
var distant = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC)

// pattern is a message of n bytes in which no two pages are alike.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return p
}

// same says what is wrong with a message.
func same(got []byte, want string) error {
	switch {
	case string(got) == want:
		return nil
	case max(len(got), len(want)) > 20: // nobody can read that
		return fmt.Errorf("of the %d bytes that were sent it received: %s", len(want), lab.Difference([]byte(want), got))
	}
	return fmt.Errorf("received %q where %q was sent", got, want)
}

// orNone is how a role tells an error that is another one than it should be, or none.
func orNone(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// mostCalls is how many calls of a process that is held are tried.
const mostCalls = 24

// held is a process that is held between its calls.
type held struct {
	*lab.Process
	calls *lab.Calls
}

// heldAt starts a role that works on a region, and waits for so long at most.
func heldAt(l *lab.Lab, role *lab.Role, name string, within time.Duration) held {
	calls := l.Calls()
	p := l.Start(role, lab.Tell("name", name), lab.Tell("within", within.String()), calls.HandOver())
	calls.Of(p)
	return held{p, calls}
}

// deadlineOf is the deadline of a role that was told how long it waits.
func deadlineOf(c *lab.Child) time.Time {
	within, err := time.ParseDuration(c.Text("within"))
	if err != nil || within == 0 {
		return never
	}
	return time.Now().Add(within)
}

// goesOnAfter lets the process go on when its deadline has passed. If it was not held, it may
// have come to its deadline before the test did what ends its wait.
func (h held) goesOnAfter(within time.Duration, isHeld bool, want, what string) {
	if !isHeld {
		h.calls.Go()
		h.Report(new(string))
		return
	}
	for begun := time.Now(); time.Since(begun) < within; {
		h.Rests()
	}
	h.calls.Go()
	h.calls.Reports(want, what)
}
