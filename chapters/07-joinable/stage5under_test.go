package joinable_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/lab"
)

// What steps 13 and 14 ask beside their own: what others do in the middle of Close, and Close in
// the middle of what others do.

// closesUnderACall holds one goroutine between any two calls of Get, Put, TaskDone and Join, and lets
// another one close the same Queue there.
func closesUnderACall(l *lab.Lab) {
	for _, what := range []string{"Get()", "Put()", "TaskDone()", "Join()"} {
		q := queue(l, 5, 20)
		if what == "Join()" {
			put(l, q, "1") // for which it waits
		}
		calls := l.Calls()
		p := l.Start(closesInBetween, handed(q, lab.Tell("call", what), calls.HandOver())...)
		calls.Alone()
		calls.Of(p)
		for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
			waits := l.Call("Join() of who waits meanwhile", func() error { return nil })
			if what == "TaskDone()" {
				put(l, q, "1")
			}
			require.Equal(l, "ready", reported[string](p), "what a process says that has attached")
			if what == "TaskDone()" {
				waits = l.Call("Join() of who waits for an item whose process closes its Queue", func() error { _ = q.Join(forever); return nil })
				waits.Blocks("an item is not done")
			}
			isHeld = calls.Hold(try)
			p.Go()
			p.Rests() // Close has returned, or waits for the call
			p.Go()
			require.Equal(l, "used again", reported[string](p), "what a process says that has opened other files")
			calls.Go()
			calls.Reports("both have returned", what+" of a Queue that another goroutine closes meanwhile: does Close() give back what a call still uses?")
			waits.ReturnsSoon(nil)
			for what == "Put()" && length(l, q) > 0 {
				take(l, q, "an item")
				done(l, q, 1)
			}
		}
		p.Kill()
	}
}

var closesInBetween = lab.NewRole("process that closes its Queue in the middle of a call", func(c *lab.Child) error {
	runtime.GOMAXPROCS(4) // a goroutine that is held may keep one of them
	files, err := filesOf(c)
	if err != nil {
		return err
	}
	if err := c.ShowCalls(); err != nil {
		return err
	}
	for range mostCalls {
		q, err := attachedBy(files)
		if err != nil {
			return err
		}
		if c.Text("call") == "TaskDone()" {
			if _, err := q.Get(forever); err != nil {
				return fmt.Errorf("Get(): %w", err)
			}
		}
		c.Report("ready")
		called, closed := make(chan error, 1), make(chan error, 1)
		c.Wait()
		go func() {
			var err error
			switch c.Text("call") {
			case "Get()":
				_, err = q.Get(forever)
			case "Put()":
				err = q.Put(forever, []byte("an item"))
			case "TaskDone()":
				err = q.TaskDone()
			case "Join()":
				err = q.Join(forever)
			}
			called <- err
		}()
		c.Wait()
		go func() { closed <- q.Close() }()
		c.Wait()
		// Whoever opens something gets the numbers that are free again.
		again, err := quietSockets()
		if err != nil {
			return err
		}
		c.Report("used again")
		err = <-called
		if err != nil && !errors.Is(err, os.ErrClosed) {
			return fmt.Errorf("%s of a Queue that another goroutine closes meanwhile: expected os.ErrClosed or no error, and got: %v", c.Text("call"), err)
		}
		if err := <-closed; err != nil {
			return fmt.Errorf("Close(): %w", err)
		}
		if err := areQuiet(again, c.Text("call")+" of a Queue that another goroutine closes meanwhile: it has used a descriptor that Close() had closed"); err != nil {
			return err
		}
		c.Report("both have returned")
	}
	return nil
})

// quietSockets are descriptors from which nothing will ever come. What is written into one of them can be
// read from its other end, whichever it is.
func quietSockets() (all []int, err error) {
	for range 20 {
		ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return all, err
		}
		all = append(all, ends[:]...)
	}
	return all, nil
}

// areQuiet is an error if somebody has written into one of them. It closes them.
func areQuiet(all []int, what string) error {
	for _, fd := range all {
		n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
		if err != nil {
			return err
		}
		if n != 0 {
			return fmt.Errorf("%s. The number belongs to a socket by now, and %d bytes were written into that", what, n)
		}
		unix.Close(fd)
	}
	return nil
}

// endsInBetween holds the maker between any two calls of Close. To others the queue has ended, or
// it has not yet: the maker lives, and closes it.
func endsInBetween(l *lab.Lab) {
	for try, isHeld := 0, true; isHeld && try < mostCalls; try++ {
		calls := l.Calls()
		q, maker := madeElsewhere(l, 2, calls.HandOver())
		calls.Of(maker)
		maker.Report(new(bool))
		waits := l.Call("Get() of who waits while the maker closes the queue", func() error { _, err := q.Get(forever); return err })
		waits.Blocks("the queue is empty")
		isHeld = calls.Hold(try)
		where := "while the maker is in Close(), " + calls.String()
		comes := l.Call("Get() of who comes "+where, func() error { _, err := q.Get(forever); return err })
		comes.SleepsOrReturns("the maker may have the lock")
		calls.Go()
		maker.Report(new(bool))
		for _, get := range []*lab.Call{waits, comes} {
			get.ReturnsSoon(io.EOF)
		}
		maker.Exit()
		require.NoError(l, q.Close(), "Close()")
	}
}
