package joinable_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// What a process has: what is left when a Queue is closed or refused, and what a program that
// is started would inherit.

// belongings are how many there are of each kind in a process.
type belongings struct{ Descriptors, Mappings, Goroutines int }

// owned is what this process has now.
func owned() (b belongings, err error) {
	lab.CollectGarbage()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return b, err
	}
	maps, err := os.ReadFile("/proc/self/maps")
	return belongings{len(entries), strings.Count(string(maps), "/memfd:"), runtime.NumGoroutine()}, err
}

// inherited are the descriptors of this process that are not close-on-exec.
func inherited() (all []string, err error) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		n, err := strconv.Atoi(entry.Name())
		if err != nil {
			return nil, err
		}
		flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			continue // the folder itself is closed by now
		}
		target, _ := os.Readlink("/proc/self/fd/" + entry.Name())
		all = append(all, fmt.Sprintf("%d is %s", n, target))
	}
	return all, nil
}

// asBefore is an error if descriptors are inherited that were not before.
func asBefore(before []string, after string) error {
	now, err := inherited()
	for _, fd := range now {
		if !slices.Contains(before, fd) {
			return fmt.Errorf("after %s descriptor %s, and not close-on-exec: programs inherit it", after, fd)
		}
	}
	return err
}

// is says whether that is the error that was expected.
func is(err, want error, what string) error {
	switch {
	case err == nil:
		return fmt.Errorf("%s: expected the error %q, and got none", what, want)
	case !errors.Is(err, want):
		return fmt.Errorf("%s: expected the error %q, and got: %v", what, want, err)
	}
	return nil
}

// copied are copies of files, in a role's own process.
func copied(files []*os.File) (all []*os.File, err error) {
	for _, f := range files {
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return all, err
		}
		all = append(all, os.NewFile(uintptr(fd), "copy"))
	}
	return all, nil
}

// attachedBy attaches a role's process once more, by copies of the files.
func attachedBy(files []*os.File) (*joinable.Queue, error) {
	all, err := copied(files)
	if err != nil {
		return nil, err
	}
	q, err := joinable.Attach(all, 0, 0)
	if err != nil {
		for _, f := range all {
			f.Close()
		}
		return nil, fmt.Errorf("Attach(): %w", err)
	}
	return q, nil
}

// slicesAreTheCallers asserts that a Queue has its files, whatever is done with the slice that Attach was given
// and with those that Files has returned.
func slicesAreTheCallers(l *lab.Lab) {
	given := copies(l, queue(l, 1, 20))
	files := slices.Clone(given)
	q, err := joinable.Attach(given, 0, 0)
	require.NoError(l, err, "Attach()")
	l.CloseAtEnd(q)
	var want []int
	for i := range files {
		want = append(want, i)
	}
	has := func() (all []int) {
		for _, f := range q.Files() {
			all = append(all, slices.Index(files, f))
		}
		return all
	}
	require.Equal(l, want, has(), "Files() after Attach(): which ones of its files they are")
	clear(given)
	require.Equal(l, want, has(), "Files(), when the slice was written over that Attach() was given, which ones of its files they are: the Queue takes the files over, and the slice stays the caller's")
	clear(q.Files())
	require.Equal(l, want, has(), "Files(), when the slice was written over that an earlier Files() has returned, which ones of its files they are: does it hand out the Queue's own slice?")
	require.NoError(l, q.Close(), "Close()")
	for i, f := range files {
		_, err := f.Stat()
		require.ErrorIs(l, err, os.ErrClosed, "file %d that Attach() was given, after Close()", i)
	}
}

// leavesNothing asserts that a process that is attached again and again, that waits, and that is
// refused, has what it had before.
func leavesNothing(l *lab.Lab) {
	q := queue(l, 3, 20)
	p := l.Start(comesAndGoes, handed(q)...)
	before := reported[belongings](p)
	put(l, q, "kept")
	take(l, q, "kept")
	p.Go()
	p.Blocks("the queue is empty")
	put(l, q, "1")
	p.Blocks("item 2 is not there, and the context of Get() has not ended")
	put(l, q, "2")
	p.Blocks("an item is not done")
	done(l, q, 1)
	p.Report(new(bool))
	p.Rests() // what is about to end has ended
	p.Go()
	require.Equal(l, before, reported[belongings](p), "descriptors, mappings of memfds, and goroutines of a process that has attached 21 times, has waited, was refused, and has closed all its Queues. The contexts of its calls have not ended yet")

	// All are there, and it is refused.
	var all []*joinable.Queue
	for range joinable.MaxProcesses - 1 {
		all = append(all, another(l, q))
	}
	p.Go()
	p.Report(new(bool))
	p.Rests()
	p.Go()
	require.Equal(l, before, reported[belongings](p), "descriptors, mappings of memfds, and goroutines of a process whose Attach() was refused 20 times with EUSERS")
	for _, a := range all {
		require.NoError(l, a.Close(), "Close()")
	}
	p.Go()
	require.NoError(l, p.Wait(), "the process that was refused, when others have closed: Attach() that was refused has no place")
}

// comesAndGoes attaches, waits and closes, and reports what it has before and afterwards.
var comesAndGoes = lab.NewRole("process that comes and goes", func(c *lab.Child) error {
	files, err := filesOf(c)
	if err != nil {
		return err
	}
	q, err := attachedBy(files) // what a process makes once is made now
	if err != nil {
		return err
	}
	if err := q.Close(); err != nil {
		return fmt.Errorf("Close(): %w", err)
	}
	says := func() error {
		b, err := owned()
		c.Report(b)
		c.Wait()
		return err
	}
	long, end := context.WithCancel(context.Background())
	defer end()
	if err := says(); err != nil {
		return err
	}
	for range 20 {
		q, err := attachedBy(files)
		if err != nil {
			return err
		}
		if err := q.Close(); err != nil {
			return fmt.Errorf("Close(): %w", err)
		}
		_, refused := joinable.Attach(files, 0, 4711)
		if err := is(refused, joinable.ErrFormat, "Attach() that expects another size of items"); err != nil {
			return err
		}
	}
	if q, err = attachedBy(files); err != nil {
		return err
	}
	for n := range 2 {
		if _, err := q.Get(long); err != nil {
			return fmt.Errorf("Get() of item %d, with a context: %w", n+1, err)
		}
		if err := q.TaskDone(); err != nil {
			return fmt.Errorf("TaskDone(): %w", err)
		}
	}
	if err := q.Join(long); err != nil {
		return fmt.Errorf("Join() with a context: %w", err)
	}
	if err := q.Close(); err != nil {
		return fmt.Errorf("Close(): %w", err)
	}
	c.Report(true)
	c.Wait()
	if err := says(); err != nil {
		return err
	}
	for range 20 {
		_, refused := joinable.Attach(files, 0, 0)
		if err := is(refused, unix.EUSERS, "Attach() when MaxProcesses are attached"); err != nil {
			return err
		}
	}
	c.Report(true)
	c.Wait()
	if err := says(); err != nil {
		return err
	}
	if q, err = attachedBy(files); err != nil {
		return err
	}
	return q.Close()
})
