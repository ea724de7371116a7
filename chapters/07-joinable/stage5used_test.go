package joinable_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// Step 20: a process that may open no more descriptors gets the kernel's error. Nothing is left
// open, and nothing is put or taken.
func TestDescriptorsRunOut(t *testing.T) {
	l := lab.New(t)
	q := queue(l, 3, 20)
	put(l, q, "1")
	empty := queue(l, 3, 20)
	more := []lab.Handed{}
	for i, f := range empty.Files() {
		more = append(more, lab.Give(fmt.Sprint("empty ", i), f))
	}
	require.NoError(l, l.Start(runsOut, handed(q, more...)...).Wait(), "a process that may open no more descriptors")
	require.Equal(l, 2, length(l, q), "Len() of a queue with one item, into which a process that could attach at last has put another one")
	take(l, q, "1", "2")
	done(l, q, 2)
	require.NoError(l, q.Join(forever), "Join()")
	for n := range joinable.MaxProcesses - 1 {
		a, err := joinable.Attach(copies(l, q), 0, 0)
		require.NoError(l, err, "Attach() number %d to a queue, when a process has ended whose Attach() has failed several times: does one that has failed keep a place?", n+1)
		l.CloseAtEnd(a)
	}

	// Who joins looks at each participant.
	joined := queue(l, 3, 20)
	put(l, joined, "1", "2", "3")
	var workers []*lab.Process
	for range 3 {
		p := l.Start(holdsItems, handed(joined, lab.Tell("items", "1"), lab.Tell("done", "0"))...)
		p.Report(new([]string))
		workers = append(workers, p)
	}
	joiner := l.Start(runsOutInJoin, handed(joined, lab.Tell("pid", fmt.Sprint(workers[1].PID())))...)
	joiner.Blocks("three items are not done, and there are as many descriptors as it needs")
	workers[1].Kill()
	tells := l.Call("Join() of a process that may open no more descriptors, when a worker is killed: it is EMFILE, or it learns of each one's end", joiner.Wait)
	tells.ReturnsSoon(nil)
	workers[0].Kill()
	workers[2].Kill()
}

// runsOutInJoin joins with as few descriptors as it can, until Join waits.
var runsOutInJoin = lab.NewRole("process that joins and may open no more descriptors", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	err = withFew("Join()", func() error { return q.Join(forever) })
	if got, pid := tells(err), c.Text("pid"); got.Error != "lost" || fmt.Sprint(got.PID) != pid {
		return fmt.Errorf("Join() when process %s was killed that had an item: expected a *LostError for it, and got: %v", pid, err)
	}
	return q.Close()
})

// withFew makes a call with room for no descriptor, then for one, and so on, until it is not
// EMFILE any more. What it returns then is the result.
func withFew(what string, call func() error) error {
	for free := range mostFree {
		room := leave(free)
		err := call()
		left := room.left()
		room.end()
		if !errors.Is(err, unix.EMFILE) {
			return err
		}
		if left != free {
			return fmt.Errorf("%s, with room for %d descriptors, has failed, and there is room for %d afterwards: what it had opened is still open", what, free, left)
		}
	}
	return fmt.Errorf("%s, with room for %d descriptors: %w", what, mostFree, unix.EMFILE)
}

var runsOut = lab.NewRole("process that may open no more descriptors", func(c *lab.Child) error {
	files, err := filesOf(c)
	if err != nil {
		return err
	}
	var emptyFiles []*os.File
	for i := range files {
		emptyFiles = append(emptyFiles, c.File(fmt.Sprint("empty ", i)))
	}
	empty, err := joinable.Attach(emptyFiles, 0, 0)
	if err != nil {
		return fmt.Errorf("Attach(): %w", err)
	}
	once, err := joinable.Create(1, 20) // what a process makes once is made now
	if err != nil {
		return fmt.Errorf("Create(): %w", err)
	}
	if err := once.Close(); err != nil {
		return fmt.Errorf("Close(): %w", err)
	}
	ctx, stop := context.WithTimeout(context.Background(), soon)
	defer stop()
	var q io.Closer
	for _, call := range []struct {
		what string
		does func() error
		also error // of one that needs no descriptor
	}{
		{"Create()", func() (err error) { q, err = closer(joinable.Create(3, 20)); return err }, nil},
		{"Attach()", func() error {
			a, err := joinable.Attach(files, 0, 0)
			if err != nil {
				return err
			}
			q = a
			return a.TryPut([]byte("2")) // is the maker taken for dead?
		}, nil},
		{"Get() with a context", func() error { _, err := empty.Get(ctx); return err }, joinable.ErrEmpty},
	} {
		var err error
		for free := range mostFree {
			q = nil
			room := leave(free)
			err = call.does()
			left := room.left()
			if q != nil {
				err = errors.Join(err, q.Close())
			}
			room.end()
			if !errors.Is(err, unix.EMFILE) {
				break
			}
			if left != free {
				return fmt.Errorf("%s, with room for %d descriptors, has failed, and there is room for %d afterwards: what it had opened is still open", call.what, free, left)
			}
		}
		if !errors.Is(err, call.also) {
			return fmt.Errorf("%s in a process that may open no more descriptors: expected EMFILE, and got: %v", call.what, err)
		}
	}
	return empty.Close()
})

func closer(q *joinable.Queue, err error) (io.Closer, error) {
	if err != nil {
		return nil, err
	}
	return q, nil
}

// mostFree is more than a queue may need, with one descriptor for each participant.
const mostFree = 300

// room is what keeps others from having a descriptor.
type room struct {
	taken  []int
	before unix.Rlimit
}

// leave lets this process open so many descriptors and no more.
func leave(free int) *room {
	time.AfterFunc(time.Hour, func() {}).Stop() // the runtime opens what it needs for its timers at the first one
	r := &room{}
	_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &r.before)
	now := r.before
	now.Cur = 3 * mostFree
	_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &now)
	r.fill()
	for _, fd := range r.taken[len(r.taken)-free:] {
		unix.Close(fd)
	}
	r.taken = r.taken[:len(r.taken)-free]
	return r
}

// fill takes all that there is, and says how many these were.
func (r *room) fill() (n int) {
	for {
		fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return n
		}
		r.taken = append(r.taken, fd)
		n++
	}
}

func (r *room) left() int { return r.fill() }

func (r *room) end() {
	for _, fd := range r.taken {
		unix.Close(fd)
	}
	_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &r.before)
}
