package joinable_test

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// Step 22: a process that has the number of a dead one is another process: a worker's, or the maker's.
func TestNumbersOfTheDead(t *testing.T) {
	l := lab.New(t)
	q := queue(l, 20, 20)
	var ended []*lab.Process
	for range 5 {
		put(l, q, "an item")
		p := l.Start(holdsItems, handed(q, lab.Tell("items", "1"), lab.Tell("done", "0"))...)
		p.Report(new([]string))
		p.Kill()
		ended = append(ended, p)
	}
	again, of := l.SamePID(ended, waitsForever)
	require.Equal(l, ended[of].PID(), again.PID(), "the pid of a process, as the lab has made it")
	var lost []told
	for range ended {
		join := l.Call("Join(), when a process has the number of a dead worker: is its number all that is looked at?", func() error { lost = append(lost, tells(q.Join(forever))); return nil })
		join.ReturnsSoon(nil)
	}
	for _, t := range lost {
		require.Contains(l, []string{"", "lost"}, t.Error, "the error of Join(), when the number of a dead worker is that of another process, or of a thread: it is a *LostError, or none. What pidfd_open(2) says of such a number is no error of Join()")
	}
	missing := 0
	for n, p := range ended {
		if !slices.ContainsFunc(lost, func(t told) bool { return reflect.DeepEqual(t, toldOf(p, uint64(n+1))) }) {
			missing++
		}
	}
	require.Zero(l, missing, "workers, of five that were killed with an item each, of whom no Join() has told, with pid and item: is a place taken by a process that comes, before Join() has told of the dead one?")
	require.NoError(l, q.Join(forever), "Join() when all were told")
	again.Exit()

	// The same with a maker's number. The new process attaches.
	makers, more := severalMakers(l)
	for _, maker := range makers {
		maker.Kill()
	}
	again, of = l.SamePID(makers, findsNoMaker, more...)
	require.Equal(l, makers[of].PID(), again.PID(), "the pid of a process, as the lab has made it")
	again.Report(new(bool))
	comes := l.Start(getsFromTheDead, more...)
	end := l.Call("Get() of empty queues whose makers were killed, when another process has the number of one of them: is the number all that is looked at?", comes.Wait)
	end.ReturnsSoon(nil)
	again.Exit()

	// It does not become a daemon of a maker that is dead, nor takes itself for the maker.
	makers, more = severalMakers(l)
	knew := l.Start(wasThereBefore, more...)
	knew.Report(new(bool))
	for _, maker := range makers {
		maker.Kill()
	}
	again, of = l.SamePID(makers, isNoMaker, more...)
	require.Equal(l, makers[of].PID(), again.PID(), "the pid of a process, as the lab has made it")
	again.Report(new(bool))
	knew.Exit()
	again.Exit()
	diesUnderAnAttach(l)
}

// diesUnderAnAttach holds processes in Attach, just before they open a pidfd. The makers are killed there, and
// another process gets the number of one of them.
func diesUnderAnAttach(l *lab.Lab) {
	makers, more := severalMakers(l)
	var attach []*lab.Process
	var held []*lab.Calls
	for n := range makers {
		calls := l.Calls()
		p := l.Start(attachesMeanwhile, append(slices.Clone(more), lab.Tell("queue", strconv.Itoa(n)), calls.HandOver())...)
		calls.Of(p)
		for isHeld := calls.Hold(0); isHeld && !strings.HasPrefix(calls.String(), "held before pidfd_open"); {
			isHeld = calls.HoldNext()
		}
		attach, held = append(attach, p), append(held, calls)
	}
	for _, maker := range makers {
		maker.Kill()
	}
	again, of := l.SamePID(makers, waitsForever)
	require.Equal(l, makers[of].PID(), again.PID(), "the pid of a process, as the lab has made it")
	for n, p := range attach {
		held[n].Go()
		require.NoError(l, p.Wait(), "a process that was in Attach(), and about to open a pidfd, when its maker was killed and another process got the number of one of the makers")
	}
	again.Exit()
}

// attachesMeanwhile attaches to one of several queues, and each of its calls is seen.
var attachesMeanwhile = lab.NewRole("process that attaches while the maker dies", func(c *lab.Child) error {
	files, err := strconv.Atoi(c.Text("files"))
	if err != nil {
		return err
	}
	var own []*os.File
	for i := range files {
		own = append(own, c.File(fmt.Sprintf("file %d of queue %s", i, c.Text("queue"))))
	}
	runtime.LockOSThread()
	if err := c.ShowAllCalls(); err != nil {
		return err
	}
	c.Wait()
	q, err := joinable.Attach(own, 0, 0)
	if err != nil {
		return fmt.Errorf("Attach(): %w", err)
	}
	_, err = q.TryGet()
	return is(err, io.ErrUnexpectedEOF, "TryGet() of an empty queue whose maker was killed while a process attaches, and is its number another process's by now? Whether the maker is there was looked at first, and the pidfd was opened afterwards")
})

// waitsForever is a process that has nothing to do with the queue.
var waitsForever = lab.NewRole("stranger", func(c *lab.Child) error {
	c.Wait()
	return nil
})

// findsNoMaker has the number of one of the makers.
var findsNoMaker = lab.NewRole("process with the number of a dead maker", func(c *lab.Child) error {
	all, err := attachedToThese(c)
	if err != nil {
		return err
	}
	for _, q := range all {
		if err := is(q.TryPut([]byte("1")), unix.EPIPE, "TryPut() into a queue whose maker was killed, in a process that has the number of such a maker"); err != nil {
			return err
		}
		_, err := q.TryGet()
		if err := is(err, io.ErrUnexpectedEOF, "TryGet() of a queue whose maker was killed, in a process that has the number of such a maker"); err != nil {
			return err
		}
	}
	c.Report(true)
	c.Wait()
	return nil
})

// getsFromTheDead is another one that comes when the makers are dead.
var getsFromTheDead = lab.NewRole("consumer of queues whose makers are dead", func(c *lab.Child) error {
	all, err := attachedToThese(c)
	if err != nil {
		return err
	}
	for _, q := range all {
		_, err := q.Get(forever)
		if err := is(err, io.ErrUnexpectedEOF, "Get() of an empty queue whose maker was killed"); err != nil {
			return err
		}
	}
	return nil
})

// isNoMaker has the number of a maker that was killed.
var isNoMaker = lab.NewRole("process with the number of a dead maker, which would be a daemon", func(c *lab.Child) error {
	all, err := attachedToThese(c)
	if err != nil {
		return err
	}
	for _, q := range all {
		if err := is(q.Daemon(), unix.ESRCH, "Daemon() when the maker was killed, in a process that has the number of such a maker"); err != nil {
			return err
		}
	}
	c.Report(true)
	c.Wait()
	return nil
})

// wasThereBefore is attached before the makers are killed.
var wasThereBefore = lab.NewRole("process that knew the dead makers", func(c *lab.Child) error {
	all, err := attachedToThese(c)
	if err != nil {
		return err
	}
	c.Report(true)
	c.Wait()
	for _, q := range all {
		if err := is(q.Daemon(), unix.ESRCH, "Daemon() when the maker was killed, and its number may be another process's"); err != nil {
			return err
		}
	}
	return nil
})
