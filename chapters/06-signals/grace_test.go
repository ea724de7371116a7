package signals_test

import (
	"errors"
	"fmt"
	"math"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	signals "ipcworkbook/chapters/06-signals"
	"ipcworkbook/harness/lab"
)

const long = 10000 * time.Hour

// Step 19: at SIGTERM the work in flight is finished, and no new work begins.
func TestDrainFinishesTheWork(t *testing.T) {
	l := lab.New(t)
	_, err := signals.NewDrain(-1, unix.SIGUSR1)
	require.ErrorIs(l, err, unix.EINVAL, "NewDrain() with a negative grace")
	for _, sigs := range [][]syscall.Signal{nil, {unix.SIGKILL}, {unix.SIGUSR1, 65}} {
		_, err := signals.NewDrain(long, sigs...)
		require.ErrorIs(l, err, signals.ErrSignal, "NewDrain() for the signals %v", numbers(sigs))
	}
	p := started(l, drains, lab.Ignored(unix.SIGHUP))
	p.Blocks("no signal was sent")
	require.NoError(l, unix.Kill(p.PID(), unix.SIGHUP), "kill(2)")
	p.Blocks("only SIGHUP was sent, which was ignored when the process began", lab.Ignores(p, unix.SIGHUP))
	require.NoError(l, unix.Kill(p.PID(), unix.SIGTERM), "kill(2)")
	require.Equal(l, "SIGTERM: ErrDraining", said(p), "the signal that began the shutdown, and the error of Begin() then, with two pieces of work in flight: is new work refused, by an error for errors.Is? Drain.Wait() must not return yet.")
	p.Blocks("two pieces of work are in flight")
	p.Go()
	require.Equal(l, "the first one ends", said(p), "what happens next, with two pieces of work in flight: Drain.Wait() must not return.")
	p.Blocks("one of two pieces of work is in flight, and the end of the other one was told twice")
	p.Go()
	require.Equal(l, "the second one ends", said(p), "what happens next, with one piece of work in flight and the end of the other one told twice: Drain.Wait() must not return. Does work have a number that an earlier one had, which has ended?")
	for range 2 {
		require.Equal(l, "wait: <nil>", said(p), "what Drain.Wait() returned, twice, when all work had ended")
	}
	require.Equal(l, "wait: <nil>", said(p), "what Drain.Wait() returned that was called later")
	require.NoError(l, p.Wait(), "the process")

	for _, grace := range []time.Duration{long, 0} {
		idle := started(l, hasNoWork, lab.Tell("grace", grace.String()))
		idle.Blocks("no signal was sent")
		require.NoError(l, unix.Kill(idle.PID(), unix.SIGINT), "kill(2)")
		require.Equal(l, "wait: <nil>", said(idle), "what Drain.Wait() returned where there was no work, with a grace of %v: it is the work that must not take longer than grace.", grace)
		nothingIsLeft(l, idle, "Close()")
	}

	slow := started(l, drainsTooLong)
	require.NoError(l, unix.Kill(slow.PID(), unix.SIGTERM), "kill(2)")
	text := said(slow)
	require.Contains(l, text, "ErrGrace: ", "what Drain.Wait() returned where the work took longer than grace: is it an error for errors.Is?")
	require.Regexp(l, `\b2\b`, text, "what Drain.Wait() returned where two pieces of work took longer than grace, and a third one ended after the signal: does it say how many there are now, and not how many there were at the signal?")
	require.Equal(l, "as long as grace: not each", said(slow), "how long 50 calls of Drain.Wait() took, after grace was over: it counts from the first signal on.")
	require.NoError(l, slow.Wait(), "the process")

	late := started(l, waitsLate)
	require.NoError(l, unix.Kill(late.PID(), unix.SIGTERM), "kill(2)")
	for range 2 {
		require.Equal(l, "wait: <nil>", said(late), "what Drain.Wait() returned that was called when grace was over, where all work had ended before: it is the work that must not take longer than grace.")
	}
	require.NoError(l, late.Wait(), "the process")

	closed := started(l, closesDrain, lab.Dies())
	require.Equal(l, "wait: file already closed, begin: file already closed, close: file already closed, signal: 0", said(closed), "what Wait(), Begin() and Close() returned after Close(), and Signal()")
	require.NoError(l, unix.Kill(closed.PID(), unix.SIGUSR1), "kill(2)")
	require.Equal(l, "SIGUSR1", said(closed), "what a Listener got after Close() of a Drain that had the same signal: signal.Reset would take it away from everybody.")
	require.NoError(l, unix.Kill(closed.PID(), unix.SIGTERM), "kill(2)")
	l.Until("a process that got SIGTERM after Close(), and after NewDrain() with a negative grace", lab.IsGone(closed))
	require.Equal(l, "killed by SIGTERM", closed.Ended(), "how a process ended that got SIGTERM after Close()")

	begun := started(l, closesInTheMiddle, lab.Dies())
	require.NoError(l, unix.Kill(begun.PID(), unix.SIGTERM), "kill(2)")
	require.Equal(l, "close: <nil>, begin: file already closed", said(begun), "what Close() returned while the shutdown was under way, and Begin() then")
	begun.Blocks("Close() was called when the shutdown had begun, and there is work in flight")
	begun.Go()
	require.Equal(l, "all ends, and waited: false", said(begun), "whether Drain.Wait() had returned that was called after Close(), with work in flight: once the shutdown has begun, Wait() waits for the work, also after Close().")
	require.Equal(l, "wait: <nil>", said(begun), "what Drain.Wait() returned that was called after Close(), when all work had ended")
	require.NoError(l, unix.Kill(begun.PID(), unix.SIGTERM), "kill(2)")
	l.Until("a process that got SIGTERM after Close() in the middle of the shutdown", lab.IsGone(begun))
	require.Equal(l, "killed by SIGTERM", begun.Ended(), "how a process ended that got SIGTERM after Close() in the middle of the shutdown")
}

// working is a Drain with two pieces of work in flight.
func working(grace time.Duration) (d *signals.Drain, first, second func(), err error) {
	d, err = signals.NewDrain(grace, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("NewDrain(): %w", err)
	}
	ended, err := d.Begin()
	if err == nil {
		first, err = d.Begin()
	}
	if err == nil {
		ended() // before the signal comes, and before the next one begins
		second, err = d.Begin()
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("Begin(): %w", err)
	}
	return d, first, second, nil
}

func waited(c *lab.Child, d *signals.Drain) { c.Report("wait: " + inTime(bare(d.Wait()))) }

var drains = lab.NewRole("process that drains", func(c *lab.Child) error {
	d, first, second, err := working(math.MaxInt64) // later than what nanoseconds since 1970 have room for
	if err != nil {
		return err
	}
	if sig := d.Signal(); sig != 0 {
		return fmt.Errorf("Signal() is %d before any signal", sig)
	}
	done := make(chan bool)
	for range 2 {
		go func() { waited(c, d); done <- true }()
	}
	c.Report("ready")
	<-d.Draining()
	_, err = d.Begin()
	if errors.Is(err, signals.ErrDraining) {
		err = errors.New("ErrDraining")
	}
	c.Report(fmt.Sprintf("%s: %v", called(d.Signal()), err))
	c.Wait()
	c.Report("the first one ends")
	first()
	first()
	c.Wait()
	c.Report("the second one ends")
	second()
	<-done
	<-done
	waited(c, d)
	return d.Close()
})

var hasNoWork = lab.NewRole("process without work", func(c *lab.Child) error {
	grace, err := time.ParseDuration(c.Text("grace"))
	if err != nil {
		return err
	}
	d, first, second, err := working(grace)
	if err != nil {
		return err
	}
	first()
	second()
	c.Report("ready")
	waited(c, d)
	if err := d.Close(); err != nil {
		return err
	}
	leftNothing(c)
	return nil
})

var drainsTooLong = lab.NewRole("process whose work takes too long", func(c *lab.Child) error {
	const grace = 20 * time.Millisecond
	d, _, _, err := working(grace)
	if err != nil {
		return err
	}
	third, err := d.Begin()
	if err != nil {
		return fmt.Errorf("Begin(): %w", err)
	}
	c.Report("ready")
	<-d.Draining()
	third()
	waited(c, d)
	each := "each"
	for range 50 { // one may be slow: but each is, if it counts anew
		begun := time.Now()
		_ = d.Wait()
		if time.Since(begun) < grace {
			each = "not each"
			break
		}
	}
	c.Report("as long as grace: " + each)
	return d.Close()
})

// waitsLate has a Drain whose work ended before the signal, and another one that tells when grace is
// over: its shutdown begins later, and its work never ends.
var waitsLate = lab.NewRole("process that waits when grace is over", func(c *lab.Child) error {
	const grace = 20 * time.Millisecond
	d, first, second, err := working(grace)
	if err != nil {
		return err
	}
	first()
	second()
	clock, err := signals.NewDrain(grace, unix.SIGUSR2)
	if err != nil {
		return fmt.Errorf("NewDrain(): %w", err)
	}
	if _, err := clock.Begin(); err != nil {
		return fmt.Errorf("Begin(): %w", err)
	}
	c.Report("ready")
	<-d.Draining()
	if err := unix.Kill(os.Getpid(), unix.SIGUSR2); err != nil {
		return err
	}
	if err := clock.Wait(); !errors.Is(err, signals.ErrGrace) {
		return fmt.Errorf("Drain.Wait() of a Drain whose work does not end returned the error %v, and not ErrGrace", err)
	}
	waited(c, d)
	waited(c, d)
	return errors.Join(d.Close(), clock.Close())
})

var closesDrain = lab.NewRole("process that closes its Drain", func(c *lab.Child) error {
	s, err := signals.Listen(unix.SIGUSR1)
	if err != nil {
		return fmt.Errorf("Listen(): %w", err)
	}
	if _, err := signals.NewDrain(-1, unix.SIGTERM); err == nil {
		return errors.New("NewDrain() with a negative grace returned no error")
	}
	d, _, _, err := working(long)
	if err != nil {
		return err
	}
	c.Report("ready")
	waits := make(chan error)
	go func() { waits <- d.Wait() }()
	if err := d.Close(); err != nil {
		return fmt.Errorf("Close(): %w", err)
	}
	_, begun := d.Begin()
	c.Report(fmt.Sprintf("wait: %v, begin: %v, close: %v, signal: %d", bare(<-waits), bare(begun), bare(d.Close()), d.Signal()))
	sig, err := s.Wait(forever)
	c.Report(called(sig))
	c.Wait() // it is killed here
	return err
})

var closesInTheMiddle = lab.NewRole("process that closes its Drain in the middle", func(c *lab.Child) error {
	d, first, second, err := working(long)
	if err != nil {
		return err
	}
	c.Report("ready")
	<-d.Draining()
	closed := d.Close()
	_, err = d.Begin()
	c.Report(fmt.Sprintf("close: %v, begin: %v", closed, bare(err)))
	waits := make(chan error, 1)
	go func() { waits <- d.Wait() }()
	c.Wait()
	c.Report(fmt.Sprintf("all ends, and waited: %v", len(waits) > 0))
	first()
	second()
	c.Report(fmt.Sprint("wait: ", <-waits))
	c.Wait() // it is killed here
	return nil
})

// Step 20: a second signal ends the process at once, whatever it was to finish.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	l := lab.New(t)
	for _, one := range []struct {
		first, second syscall.Signal
		how           string
	}{
		{unix.SIGTERM, unix.SIGTERM, "killed by SIGTERM"},
		{unix.SIGTERM, unix.SIGINT, "killed by SIGINT"},
		{unix.SIGINT, unix.SIGHUP, "killed by SIGHUP"},
		{unix.SIGTERM, unix.SIGUSR1, "exit status 138"},
		{unix.SIGUSR1, unix.SIGTERM, "killed by SIGTERM"},
		{unix.SIGTERM, unix.SIGQUIT, "exit status 131"},
		{unix.SIGTERM, unix.SIGTSTP, "exit status 148"},
		{unix.SIGTERM, unix.SIGABRT, "exit status 134"},
		{unix.SIGTERM, unix.SIGALRM, "exit status 142"},
		{unix.SIGTERM, unix.SIGXCPU, "exit status 152"},
	} {
		p := started(l, neverDone, lab.Dies())
		require.NoError(l, unix.Kill(p.PID(), one.first), "kill(2)")
		require.Equal(l, called(one.first), said(p), "the signal that began the shutdown")
		p.Blocks("its work never ends, and only one signal was sent")
		require.NoError(l, unix.Kill(p.PID(), one.second), "kill(2)")
		l.Until(fmt.Sprintf("a process that got %s and then %s, while work is in flight: a Go program does nothing at SIGUSR1 by default, and is stopped by SIGTSTP. This one has a Listener for SIGHUP, too: what it does must not keep the process.", called(one.first), called(one.second)), lab.IsGone(p))
		require.Equal(l, one.how, p.Ended(), "how a process ended that got %s and then %s: SIGHUP, SIGINT and SIGTERM end it by their default action, so that the parent can tell; at all others it is 128 plus the number.", called(one.first), called(one.second))
	}
}

var neverDone = lab.NewRole("process whose work never ends", func(c *lab.Child) error {
	d, err := signals.NewDrain(long, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGQUIT, unix.SIGTSTP, unix.SIGABRT, unix.SIGALRM, unix.SIGXCPU)
	if err != nil {
		return fmt.Errorf("NewDrain(): %w", err)
	}
	if _, err := d.Begin(); err != nil {
		return fmt.Errorf("Begin(): %w", err)
	}
	if _, err := signals.Listen(unix.SIGHUP); err != nil {
		return fmt.Errorf("Listen(): %w", err)
	}
	c.Report("ready")
	<-d.Draining()
	c.Report(called(d.Signal()))
	return fmt.Errorf("Wait() returned while work was in flight, with the error %v", d.Wait())
})
