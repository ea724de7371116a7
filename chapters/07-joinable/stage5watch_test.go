package joinable_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/lab"
)

// Step 21: daemons end with the maker's process, however it ends and whatever they are doing.
func TestDaemonsEndWithTheMaker(t *testing.T) {
	l := lab.New(t)
	l.RefusesCalls()
	for _, end := range []string{"is killed", "closes the queue, and ends later"} {
		q, maker := madeElsewhere(l, 2)
		maker.Report(new(bool))
		put(l, q, "an item") // which stays to be done: who joins waits
		take(l, q, "an item")
		daemons := []*lab.Process{}
		does := []string{"waits in Get()", "sleeps in code of its own", "has closed its Queue", "waits in Join()"}
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
			reason := "what tells it, also after a signal that has interrupted its calls?"
			if does[n] == "waits in Join()" {
				reason = "does the end wait until no call of its Queue runs? A daemon ends at once, whatever it is just doing"
			}
			gone := l.Call("a daemon that "+does[n]+", when its maker "+end+": "+reason, func() error { how = p.Ended(); return nil })
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
	second := another(l, q)
	require.ErrorIs(l, second.Daemon(), unix.EINVAL, "Daemon() of another Queue in the maker's process")
	p := l.Start(lateDaemon, handed(q)...)
	p.Report(new(bool))
	require.NoError(l, q.Close(), "Close()")
	require.ErrorIs(l, second.Daemon(), unix.EINVAL, "Daemon() of another Queue in the maker's process, when the maker's Queue is closed: that it is the maker's process comes first")
	p.Go()
	p.Report(new(bool))
	p.Exit()

	// Who comes too late is no daemon, also when the maker's process ends later.
	for _, end := range []string{"was killed", "has closed the queue"} {
		q, maker := madeElsewhere(l, 2)
		maker.Report(new(bool))
		p := l.Start(lateDaemon, handed(q)...)
		p.Report(new(bool))
		if end == "was killed" {
			maker.Kill()
		} else {
			maker.Go()
			maker.Report(new(bool))
		}
		p.Go()
		p.Report(new(bool))
		if end != "was killed" {
			maker.Exit()
		}
		p.Blocks("Daemon() was ESRCH, because its maker " + end + ", and the maker's process has ended: nothing ends this one")
		p.Exit()
	}

	// Where there is no descriptor for it, it is no daemon; and at last it is one.
	q, maker = madeElsewhere(l, 2)
	maker.Report(new(bool))
	few := l.Start(daemonWithFew, handed(q, lab.Dies())...)
	few.Report(new(bool))
	few.Blocks("its maker lives")
	maker.Kill()
	how := ""
	gone := l.Call("a daemon that was none as long as no descriptor was free, when its maker is killed: was Daemon() without an error, and nobody watches?", func() error { how = few.Ended(); return nil })
	gone.ReturnsSoon(nil)
	require.Equal(l, "exit status 1", how, "the end of a daemon that was none as long as no descriptor was free, when its maker is killed")

	// A process may be the daemon of several makers.
	makers, more := severalMakers(l)
	all := l.Start(daemonOfAll, append(more, lab.Dies())...)
	all.Report(new(bool))
	all.Blocks("all its makers live", lab.SleepsUntilWoken(all))
	last := makers[len(makers)-1]
	last.Kill()
	ends := l.Call("a daemon of several makers, when the last one of them is killed: is each of them watched?", func() error { how = all.Ended(); return nil })
	ends.ReturnsSoon(nil)
	require.Equal(l, "exit status 1", how, "the end of a daemon of several makers, when the last one of them is killed")
	for _, maker := range makers {
		maker.Kill()
	}
}

// daemonOfAll is the daemon of several makers.
var daemonOfAll = lab.NewRole("daemon of several makers", func(c *lab.Child) error {
	all, err := attachedToThese(c)
	if err != nil {
		return err
	}
	for _, q := range all {
		if err := q.Daemon(); err != nil {
			return fmt.Errorf("Daemon(): %w", err)
		}
	}
	c.Report(true)
	c.Wait()
	return nil
})

var daemonWithFew = lab.NewRole("daemon with few descriptors", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	if err := withFew("Daemon()", q.Daemon); err != nil {
		return fmt.Errorf("Daemon(): %w", err)
	}
	c.Report(true)
	c.Wait()
	return nil
})

var daemon = lab.NewRole("daemon", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	others, err := inherited()
	if err != nil {
		return err
	}
	if err := c.RefuseCloseOnExec(); err != nil {
		return err
	}
	once := belongings{}
	for n := range 3 { // three times is as once
		if err := q.Daemon(); err != nil {
			return fmt.Errorf("Daemon(), in a process whose calls fail that would make a descriptor close-on-exec afterwards: %w", err)
		}
		has, err := owned()
		if err != nil {
			return err
		}
		if n == 0 {
			once = has
		}
		if has.Descriptors > once.Descriptors || has.Goroutines > once.Goroutines {
			return fmt.Errorf("after the first Daemon() this process had %+v, and after one more it has %+v: is everything begun anew each time?", once, has)
		}
	}
	if err := asBefore(others, "Daemon(), in a process whose calls fail that would make a descriptor close-on-exec afterwards,"); err != nil {
		return err
	}
	c.Report(c.Text("does"))
	switch c.Text("does") {
	case "waits in Get()":
		_, err := q.Get(forever)
		if err != nil {
			select {}
		}
	case "waits in Join()":
		if err := q.Join(forever); err != nil {
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
	before, err := owned()
	if err != nil {
		return err
	}
	c.Report(true)
	c.Wait()
	for range 2 {
		if err := is(q.Daemon(), unix.ESRCH, "Daemon() when the maker was killed, or has closed the queue"); err != nil {
			return err
		}
	}
	after, err := owned()
	if err != nil {
		return err
	}
	if after.Descriptors != before.Descriptors {
		return fmt.Errorf("Daemon() was ESRCH twice. Before that this process had %d descriptors, and now it has %d", before.Descriptors, after.Descriptors)
	}
	c.Report(true)
	c.Wait()
	return q.Close()
})
