package joinable_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/lab"
)

// Step 22: daemons end with the maker's process, however it ends and whatever they are doing.
func TestDaemonsEndWithTheMaker(t *testing.T) {
	l := lab.New(t)
	for _, end := range []string{"is killed", "closes the queue, and ends later"} {
		q, maker := madeElsewhere(l, 2)
		maker.Report(new(bool))
		daemons := []*lab.Process{}
		does := []string{"waits in Get()", "sleeps in code of its own", "has closed its Queue"}
		for _, what := range does {
			p := l.Start(daemon, handed(q, lab.Tell("does", what), lab.Dies())...)
			require.Equal(l, what, reported[string](p), "what a daemon is about to do")
			daemons = append(daemons, p)
		}
		for n, p := range daemons {
			p.Blocks("its maker lives, and it " + does[n])
			p.Interrupt(1)
		}
		if end == "closes the queue, and ends later" {
			maker.Go()
			maker.Report(new(bool))
			for n, p := range daemons {
				p.Blocks("its maker has closed the queue, and lives, and this one " + does[n])
			}
		}
		if end == "is killed" {
			maker.Kill()
		} else {
			maker.Exit()
		}
		for n, p := range daemons {
			how := ""
			gone := l.Call("a daemon that "+does[n]+", when its maker "+end+": what tells it, also after a signal that has interrupted its calls?", func() error { how = p.Ended(); return nil })
			gone.ReturnsSoon(nil)
			require.Equal(l, "exit status 1", how, "the end of a daemon that %s, when its maker %s", does[n], end)
		}
	}

	// One that never calls anything ends, too.
	q, maker := madeElsewhere(l, 2)
	maker.Report(new(bool))
	busy := l.Start(daemon, handed(q, lab.Tell("does", "computes"), lab.Dies())...)
	require.Equal(l, "computes", reported[string](busy), "what a daemon is about to do")
	maker.Kill()
	require.Equal(l, "exit status 1", busy.Ended(), "the end of a daemon that computes, when its maker is killed")

	// Who is none.
	q = queue(l, 2, 20)
	require.ErrorIs(l, q.Daemon(), unix.EINVAL, "Daemon() of the maker")
	require.ErrorIs(l, another(l, q).Daemon(), unix.EINVAL, "Daemon() of another Queue in the maker's process")
	p := l.Start(lateDaemon, handed(q)...)
	p.Report(new(bool))
	require.NoError(l, q.Close(), "Close()")
	p.Exit()
}

var daemon = lab.NewRole("daemon", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	for range 2 { // twice is as once
		if err := q.Daemon(); err != nil {
			return fmt.Errorf("Daemon(): %w", err)
		}
	}
	c.Report(c.Text("does"))
	switch c.Text("does") {
	case "waits in Get()":
		_, err := q.Get(forever)
		if err != nil {
			select {}
		}
	case "has closed its Queue":
		if err := q.Close(); err != nil {
			return fmt.Errorf("Close(): %w", err)
		}
	case "computes":
		for n := 0; ; n++ {
			if n < 0 {
				return nil
			}
		}
	}
	c.Wait()
	return nil
})

var lateDaemon = lab.NewRole("process that is too late to be a daemon", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	c.Report(true)
	c.Wait()
	if err := q.Daemon(); !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("Daemon() when the maker has closed the queue: expected ESRCH, and got: %w", err)
	}
	return q.Close()
})
