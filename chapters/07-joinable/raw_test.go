package joinable_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// What the steps share: queues, the hand-over to other processes, and what these do.

// forever is a context that does not end.
var forever = context.Background()

const (
	// soon is less than the pause between the two looks at a step that may hang: something
	// always moves in it.
	soon = 60 * time.Millisecond
	// mostCalls is how many calls of a process that is held are tried.
	mostCalls = 24
)

// queue makes a queue. When the test ends it is closed.
func queue(l *lab.Lab, bound, maxItem int) *joinable.Queue {
	q, err := joinable.Create(bound, maxItem)
	require.NoError(l, err, "Create(%d, %d)", bound, maxItem)
	l.CloseAtEnd(q)
	return q
}

// handed is what a process gets of a queue, and more.
func handed(q *joinable.Queue, more ...lab.Handed) []lab.Handed {
	return append(handedAs("file", q), more...)
}

// handedAs gives the files names of their own, for who is handed several queues.
func handedAs(name string, q *joinable.Queue) []lab.Handed {
	files := q.Files()
	all := []lab.Handed{lab.Tell(name+"s", strconv.Itoa(len(files)))}
	for i, f := range files {
		all = append(all, lab.Give(name+" "+strconv.Itoa(i), f))
	}
	return all
}

// filesOf are the files that a role was handed.
func filesOf(c *lab.Child) (files []*os.File, err error) { return filesAs("file", c) }

func filesAs(name string, c *lab.Child) (files []*os.File, err error) {
	n, err := strconv.Atoi(c.Text(name + "s"))
	for i := range n {
		files = append(files, c.File(name+" "+strconv.Itoa(i)))
	}
	return files, err
}

// attached attaches a role to the queue that it was handed.
func attached(c *lab.Child) (*joinable.Queue, error) { return attachedAs("file", c) }

func attachedAs(name string, c *lab.Child) (*joinable.Queue, error) {
	files, err := filesAs(name, c)
	if err != nil {
		return nil, err
	}
	q, err := joinable.Attach(files, 0, 0)
	if err != nil {
		return nil, fmt.Errorf("Attach(): %w", err)
	}
	return q, nil
}

// attachedInSight is attached, and the test sees the calls of the role's process from then on.
func attachedInSight(c *lab.Child) (*joinable.Queue, error) {
	q, err := attached(c)
	if err != nil {
		return nil, err
	}
	return q, c.ShowCalls()
}

// another attaches the test's own process once more, by copies of the files.
func another(l *lab.Lab, q *joinable.Queue) *joinable.Queue {
	a, err := joinable.Attach(copies(l, q), 0, 0)
	require.NoError(l, err, "Attach() in the maker's own process")
	l.CloseAtEnd(a)
	return a
}

// copies are copies of a queue's files, which nobody has taken over yet.
func copies(l *lab.Lab, q *joinable.Queue) (files []*os.File) {
	require.NotEmpty(l, q.Files(), "Files() of a queue: they are what another process needs")
	for _, f := range q.Files() {
		files = append(files, l.File(f))
	}
	return files
}

// put puts texts into a queue that has room for them.
func put(l *lab.Lab, q *joinable.Queue, items ...string) {
	for _, item := range items {
		require.NoError(l, q.TryPut([]byte(item)), "TryPut(%q) while there is room", item)
	}
}

// take takes texts that are there.
func take(l *lab.Lab, q *joinable.Queue, items ...string) {
	for _, want := range items {
		got, err := q.TryGet()
		require.NoError(l, err, "TryGet() while there are items")
		require.Equal(l, want, string(got), "TryGet()")
	}
}

// done marks so many items as done.
func done(l *lab.Lab, q *joinable.Queue, times int) {
	for range times {
		require.NoError(l, q.TaskDone(), "TaskDone() of an item that was taken here")
	}
}

// length is Len.
func length(l *lab.Lab, q *joinable.Queue) int {
	n, err := q.Len()
	require.NoError(l, err, "Len()")
	return n
}

// ended is a context that has ended, with a cause of its own.
func ended(cause error) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return ctx
}

// errBell is the cause of a context's end.
var errBell = errors.New("the bell has rung for closing time")

// both says whether an error is found in both ways.
func both(err, first, second error) error {
	if errors.Is(err, first) && errors.Is(err, second) {
		return nil
	}
	if err == nil {
		return fmt.Errorf("expected an error that wraps both %q and %q, and got none", first, second)
	}
	return fmt.Errorf("expected an error that wraps both %q and %q, and got: %v", first, second, err)
}

// numbered is item number n of a process: its name, the number, and what makes it as long as
// asked.
func numbered(name string, n, size int) []byte {
	p := pattern(size)
	return append([]byte(fmt.Sprintf("%s %d ", name, n)), p...)
}

// numberOf takes an item apart again.
func numberOf(item []byte) (name string, n int, err error) {
	parts := strings.SplitN(string(item), " ", 3)
	if len(parts) != 3 {
		return "", 0, fmt.Errorf("an item of %d bytes that nobody has put: %.40q", len(item), item)
	}
	if n, err = strconv.Atoi(parts[1]); err != nil {
		return "", 0, err
	}
	if rest := []byte(parts[2]); lab.Difference(pattern(len(rest)), rest) != "" && string(pattern(len(rest))) != string(rest) {
		return "", 0, fmt.Errorf("item %s %d is damaged: %s", parts[0], n, lab.Difference(pattern(len(rest)), rest))
	}
	return parts[0], n, nil
}

// pattern is n bytes in which no two pages are alike.
func pattern(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return p
}

// puts puts numbered items, and ends.
var puts = lab.NewRole("producer", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	times, err := strconv.Atoi(c.Text("times"))
	if err != nil {
		return err
	}
	for n := range times {
		if err := q.Put(forever, numbered(c.Text("name"), n, n%100)); err != nil {
			return fmt.Errorf("Put() of item %d: %w", n, err)
		}
	}
	return q.Close()
})

// takes takes items until it finds a marker, and reports which ones these were. It marks each
// of them as done.
var takes = lab.NewRole("consumer", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	got := []string{}
	for {
		item, err := q.Get(forever)
		if err != nil {
			return fmt.Errorf("Get() after %d items: %w", len(got), err)
		}
		if err := q.TaskDone(); err != nil {
			return fmt.Errorf("TaskDone() after Get(): %w", err)
		}
		if string(item) == marker {
			c.Report(got)
			return q.Close()
		}
		name, n, err := numberOf(item)
		if err != nil {
			return err
		}
		got = append(got, fmt.Sprintf("%s %d", name, n))
	}
})

// marker is the text that ends a consumer here. To the queue it is an item like any other.
const marker = "no more"

// all are the names of items from 0 to below n.
func all(name string, n int) (items []string) {
	for i := range n {
		items = append(items, fmt.Sprintf("%s %d", name, i))
	}
	return items
}

// exactlyOnce asserts that each item was taken, and none twice.
func exactlyOnce(l *lab.Lab, want, got []string, reason string) {
	want, got = slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))
	missing, twice := []string{}, []string{}
	for _, item := range want {
		if _, found := slices.BinarySearch(got, item); !found {
			missing = append(missing, item)
		}
	}
	for i := 1; i < len(got); i++ {
		if got[i] == got[i-1] {
			twice = append(twice, got[i])
		}
	}
	require.Empty(l, missing, "items that were put and that nobody took, of %d: %s", len(want), reason)
	require.Empty(l, twice, "items that were taken twice, of %d: %s", len(want), reason)
	require.Equal(l, want, got, "the items that were taken: %s", reason)
}

// inOrder asserts that the items of each producer were taken in its order.
func inOrder(l *lab.Lab, got []string, what string) {
	var names []string
	var last []int
	for _, item := range got {
		name, number, _ := strings.Cut(item, " ")
		n, _ := strconv.Atoi(number)
		i := slices.Index(names, name)
		if i < 0 {
			names, last = append(names, name), append(last, -1)
			i = len(names) - 1
		}
		require.Greater(l, n, last[i], "the number of an item of producer %s that %s took after number %d: the order of one producer is kept", name, what, last[i])
		last[i] = n
	}
}

// reported is what a process reports.
func reported[T any](p *lab.Process) (v T) {
	p.Report(&v)
	return v
}

// headerOf are the first bytes of the memory.
func headerOf(l *lab.Lab, f *os.File) []byte {
	h := make([]byte, joinable.HeaderSize)
	_, err := l.File(f).ReadAt(h, 0)
	require.NoError(l, err, "reading the header of the memory, the first file: it has HeaderSize bytes at least")
	return h
}

// header is what stands in front of the memory.
func header(bound, maxItem int, size int64) []byte {
	h := append([]byte("ipc-join"), make([]byte, joinable.HeaderSize-8)...)
	binary.NativeEndian.PutUint32(h[8:], joinable.Version)
	binary.NativeEndian.PutUint32(h[12:], uint32(bound))
	binary.NativeEndian.PutUint64(h[16:], uint64(maxItem))
	binary.NativeEndian.PutUint64(h[24:], uint64(size))
	return h
}

// allSeals are those of the memory.
const allSeals = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// descriptors is how many this process has open.
func descriptors(l *lab.Lab) int {
	lab.CollectGarbage()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(l, err, "reading /proc/self/fd")
	return len(entries)
}
