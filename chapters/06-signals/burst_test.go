package signals_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	signals "ipcworkbook/chapters/06-signals"
	"ipcworkbook/harness/lab"
)

// quiet are signals that a Go program has no default action for: whoever gets one by mistake
// goes on.
var quiet = []syscall.Signal{unix.SIGUSR1, unix.SIGUSR2, unix.SIGIO, real0, real1, real2, signals.MaxSignal}

// toOneself sends a signal to this process, by the kernel's own call, and waits until the
// runtime has it: so the next one is another one, and does not become one with it.
func toOneself(l *lab.Lab, sigs ...syscall.Signal) {
	for _, sig := range sigs {
		seen := make(chan os.Signal, 1)
		signal.Notify(seen, sig)
		require.NoError(l, unix.Kill(os.Getpid(), sig), "kill(2) of this process")
		<-seen
		signal.Stop(seen)
	}
}

// Step 5: one of each kind is kept, however many others come first and nobody takes them.
func TestNoKindIsLost(t *testing.T) {
	l := lab.New(t)
	s, err := signals.Listen(quiet...)
	require.NoError(l, err, "Listen() for %d signals", len(quiet))
	for range 200 {
		toOneself(l, unix.SIGUSR1)
	}
	toOneself(l, quiet[1:]...)
	missing := map[syscall.Signal]bool{}
	for _, sig := range quiet {
		missing[sig] = true
	}
	for len(missing) > 0 {
		var sig syscall.Signal
		wait := l.Call(fmt.Sprintf("Listener.Wait(), where 200 SIGUSR1 came and then one each of %d other kinds; %d kinds are missing: what does signal.Notify do when the channel is full?", len(quiet)-1, len(missing)),
			func() (err error) { sig, err = s.Wait(forever); return err })
		wait.ReturnsSoon(nil)
		delete(missing, sig)
	}
	require.NoError(l, s.Close(), "Listener.Close()")

	// Two that listen for the same get it both.
	a, err := signals.Listen(unix.SIGUSR1)
	require.NoError(l, err, "Listen()")
	b, err := signals.Listen(unix.SIGUSR2, unix.SIGUSR1, unix.SIGUSR1)
	require.NoError(l, err, "a second Listen() for the same signal, which it names twice")
	toOneself(l, unix.SIGUSR1)
	for _, s := range []*signals.Listener{a, b} {
		l.Call("Listener.Wait() of one of two that listen for the same signal", func() error { return waitFor(s, unix.SIGUSR1) }).ReturnsSoon(nil)
		require.NoError(l, s.Close(), "Listener.Close()")
	}

	// Who is named twice comes once.
	for _, sigs := range [][]syscall.Signal{{unix.SIGUSR1, unix.SIGUSR1, unix.SIGUSR2}, {unix.SIGUSR1, unix.SIGUSR2, unix.SIGUSR1}} {
		s, err = signals.Listen(sigs...)
		require.NoError(l, err, "Listen() for signals of which it names one twice")
		toOneself(l, unix.SIGUSR1)
		require.NoError(l, waitFor(s, unix.SIGUSR1), "Listener.Wait()")
		for range sigs { // each look begins behind the last one: so it comes by all of them
			toOneself(l, unix.SIGUSR2)
			require.NoError(l, waitFor(s, unix.SIGUSR2), "Listener.Wait() of SIGUSR2, where SIGUSR1 was sent once before, and Listen() has named it twice among %d: is it found twice, also where another one stands in between?", len(sigs))
		}
		require.NoError(l, s.Close(), "Listener.Close()")
	}

	// Who comes again and again does not hide the others.
	for _, sigs := range [][]syscall.Signal{{unix.SIGUSR1, unix.SIGUSR2}, {unix.SIGUSR2, unix.SIGUSR1}} {
		for _, again := range sigs {
			s, err := signals.Listen(sigs...)
			require.NoError(l, err, "Listen()")
			toOneself(l, sigs...)
			l.Rests()
			var others []syscall.Signal
			for turn := 0; turn < 100 && len(others) == 0; turn++ {
				sig, err := s.Wait(forever)
				require.NoError(l, err, "Listener.Wait()")
				if sig == again {
					toOneself(l, again)
				} else {
					others = append(others, sig)
				}
			}
			require.NotEmpty(l, others, "the other signals that 100 calls of Listener.Wait() returned, where %s and one other had come, and %[1]s comes again and again: does each look begin with the same kind?", called(again))
			require.NoError(l, s.Close(), "Listener.Close()")
		}
	}

	// Nor do two that both come again and again hide the third one.
	three := []syscall.Signal{unix.SIGUSR1, unix.SIGUSR2, unix.SIGIO}
	for n, once := range three {
		again := []syscall.Signal{three[(n+1)%3], three[(n+2)%3]}
		s, err := signals.Listen(three...)
		require.NoError(l, err, "Listen()")
		toOneself(l, once)
		l.Rests()
		came := false
		for turn := 0; turn < 200 && !came; turn++ {
			toOneself(l, again...)
			sig, err := s.Wait(forever)
			require.NoError(l, err, "Listener.Wait()")
			came = sig == once
		}
		require.True(l, came, "whether 200 calls of Listener.Wait() returned %s, which had come, where %s and %s come before each call: is it only the last one that stands back, and not each in its turn?", called(once), called(again[0]), called(again[1]))
		require.NoError(l, s.Close(), "Listener.Close()")
	}

	// Several wait on one Listener: each signal goes to one of them.
	s, err = signals.Listen(unix.SIGUSR1, unix.SIGUSR2)
	require.NoError(l, err, "Listen()")
	first := l.Call("Listener.Wait(), one of two at once", func() error { _, err := s.Wait(forever); return err })
	second := l.Call("Listener.Wait(), the other one of two", func() error { _, err := s.Wait(forever); return err })
	first.Blocks("no signal was sent")
	toOneself(l, unix.SIGUSR1)
	toOneself(l, unix.SIGUSR2)
	first.ReturnsSoon(nil)
	second.ReturnsSoon(nil)
	require.NoError(l, s.Close(), "Listener.Close()")
}

// Step 6: a context and Close end a Wait; after Close the signal does what it usually does.
func TestListenerEnds(t *testing.T) {
	l := lab.New(t)
	for _, sigs := range [][]syscall.Signal{nil, {unix.SIGKILL}, {unix.SIGUSR1, unix.SIGSTOP}, {0}, {unix.SIGUSR1, 65}, {1<<32 + unix.SIGUSR1}, {32}, {34}} {
		_, err := signals.Listen(sigs...)
		require.ErrorIs(l, err, signals.ErrSignal, "Listen() for the signals %v: an empty list means all to signal.Notify, and nobody catches SIGKILL and SIGSTOP.", numbers(sigs))
	}
	s, err := signals.Listen(unix.SIGUSR1, unix.SIGUSR2)
	require.NoError(l, err, "Listen()")
	ctx, cancel := context.WithCancelCause(forever)
	beside := l.Call("Listener.Wait() without an end, beside others", func() error { return waitFor(s, unix.SIGUSR1) })
	beside.Blocks("no signal was sent")
	wait := l.Call("Listener.Wait() whose context ends, while another one waits", func() error { _, err := s.Wait(ctx); return err })
	wait.Blocks("no signal was sent, and the context has not ended")
	cancel(errors.New("the context's cause"))
	wait.ReturnsSoon(context.Canceled) // its error, and not the cause
	beside.Blocks("no signal was sent, and only the other one's context has ended")
	toOneself(l, unix.SIGUSR1)
	beside.ReturnsSoon(nil)
	late, stop := context.WithTimeout(forever, 0)
	defer stop()
	l.Call("Listener.Wait() whose deadline has passed", func() error { _, err := s.Wait(late); return err }).ReturnsSoon(context.DeadlineExceeded)
	for _, sig := range []syscall.Signal{unix.SIGUSR1, unix.SIGUSR2} {
		toOneself(l, sig)
		l.Rests()
		for range 10 {
			l.Call("Listener.Wait() of a signal that has come already, with a context that has ended: select takes either one.", func() error {
				got, err := s.Wait(ctx)
				if err == nil && got != sig {
					err = fmt.Errorf("it returned %s, not %s", called(got), called(sig))
				}
				return err
			}).ReturnsSoon(nil)
			toOneself(l, sig)
			l.Rests()
		}
		require.NoError(l, waitFor(s, sig), "Listener.Wait()")
	}
	waits := []*lab.Call{}
	for range 2 {
		waits = append(waits, l.Call("Listener.Wait() while Close() is called", func() error { _, err := s.Wait(forever); return err }))
	}
	waits[0].Blocks("no signal was sent")
	require.NoError(l, s.Close(), "Listener.Close()")
	for _, wait := range waits {
		wait.ReturnsSoon(os.ErrClosed)
	}
	require.ErrorIs(l, s.Close(), os.ErrClosed, "Listener.Close(), the second time")
	_, err = s.Wait(forever)
	require.ErrorIs(l, err, os.ErrClosed, "Listener.Wait() after Close()")
	kept, err := signals.Listen(unix.SIGUSR1, unix.SIGUSR2)
	require.NoError(l, err, "Listen()")
	toOneself(l, unix.SIGUSR1)
	l.Rests()
	require.NoError(l, kept.Close(), "Listener.Close()")
	_, err = kept.Wait(forever)
	require.ErrorIs(l, err, os.ErrClosed, "Listener.Wait() after Close(), where a signal had come before Close() and was not taken: it is lost.")

	seesBoth(l)
	single, err := signals.Listen(real1)
	require.NoError(l, err, "Listen() for one signal")
	wait = l.Call("Listener.Wait() for one signal while Close() is called", func() error { _, err := single.Wait(forever); return err })
	wait.Blocks("no signal was sent")
	require.NoError(l, single.Close(), "Listener.Close()")
	wait.ReturnsSoon(os.ErrClosed)
	_, err = single.Wait(ctx)
	require.ErrorIs(l, err, os.ErrClosed, "Listener.Wait() after Close(), with a context that has ended")

	l.Rests()
	require.Empty(l, inPackage(), "the goroutines that are left when all Listeners are closed")

	for _, sig := range []syscall.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP} {
		p := started(l, listensTwice, lab.Dies())
		require.NoError(l, unix.Kill(p.PID(), unix.SIGTERM), "kill(2)")
		require.Equal(l, "SIGTERM", said(p), "what the other Listener gets when one was closed")
		p.Go()
		said(p)
		require.NoError(l, unix.Kill(p.PID(), sig), "kill(2)")
		l.Until(fmt.Sprintf("a process that got %s after both were closed: each kind is given back.", called(sig)), lab.IsGone(p))
		require.Equal(l, "killed by "+called(sig), p.Ended(), "how a process ended that got %s after both were closed: each kind is given back.", called(sig))
	}
}

// seesBoth lets a signal come and a context end at one moment.
func seesBoth(l *lab.Lab) {
	ctx, cancel := context.WithCancel(forever)
	cancel()
	for _, sigs := range [][]syscall.Signal{{unix.SIGUSR1}, {unix.SIGUSR1, unix.SIGUSR2}} {
		both, err := signals.Listen(sigs...)
		require.NoError(l, err, "Listen()")
		for range 20 {
			ended := endsWith{ctx, sync.OnceFunc(func() { toOneself(l, unix.SIGUSR1); l.Rests() })}
			_, err := both.Wait(ended)
			require.NoError(l, err, "Listener.Wait() of a signal that comes when the context has ended, before Wait() can see that: select takes either one. Is there a second look at the signals, when it has taken the context?")
		}
		require.NoError(l, both.Close(), "Listener.Close()")
	}
}

// endsWith is a context that has ended. Something happens before who asks can learn that.
type endsWith struct {
	context.Context
	happens func()
}

func (c endsWith) Done() <-chan struct{} {
	c.happens()
	return c.Context.Done()
}

var listensTwice = lab.NewRole("process that closes what listens", func(c *lab.Child) error {
	first, err := signals.Listen(unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	if err != nil {
		return fmt.Errorf("Listen(): %w", err)
	}
	second, err := signals.Listen(unix.SIGTERM)
	if err != nil {
		return fmt.Errorf("Listen(): %w", err)
	}
	if err := first.Close(); err != nil {
		return fmt.Errorf("Listener.Close(): %w", err)
	}
	c.Report("listens")
	sig, err := second.Wait(forever)
	if err != nil {
		return fmt.Errorf("Listener.Wait(): %w", err)
	}
	c.Report(called(sig))
	c.Wait()
	if err := second.Close(); err != nil {
		return fmt.Errorf("Listener.Close(): %w", err)
	}
	c.Report("closed")
	c.Wait() // it is killed here
	return nil
})

func numbers(sigs []syscall.Signal) (n []int) {
	for _, sig := range sigs {
		n = append(n, int(sig))
	}
	return n
}

// Step 7: a signal that was ignored at the start stays ignored, as nohup(1) wants it.
func TestIgnoredStaysIgnored(t *testing.T) {
	l := lab.New(t)
	p := started(l, listens, lab.Ignored(unix.SIGHUP))
	require.NoError(l, unix.Kill(p.PID(), unix.SIGHUP), "kill(2) of a process that was started with SIGHUP ignored")
	require.NoError(l, unix.Kill(p.PID(), unix.SIGUSR1), "kill(2)")
	require.Equal(l, "SIGUSR1", said(p), "what Listener.Wait() returned first, after SIGHUP, which was ignored when the process began, and SIGUSR1: signal.Notify takes it back.")
	p.Blocks("only SIGHUP and SIGUSR1 were sent", lab.Ignores(p, unix.SIGHUP))
	require.NoError(l, unix.Kill(p.PID(), unix.SIGUSR2), "kill(2)")
	require.Equal(l, "SIGUSR2", said(p), "what Listener.Wait() returned")
	require.NoError(l, p.Wait(), "the process that listens")

	// All that it listens for is ignored.
	for _, deaf := range []*lab.Process{
		started(l, listensForIgnored, lab.Ignored(unix.SIGHUP, unix.SIGINT), lab.Tell("itself", "")), started(l, listensForIgnored, lab.Tell("itself", "ignores")),
	} {
		for _, sig := range []syscall.Signal{unix.SIGHUP, unix.SIGINT} {
			require.NoError(l, unix.Kill(deaf.PID(), sig), "kill(2)")
		}
		deaf.Blocks("all signals of Listen() were ignored when it was called, by who started the process or by signal.Ignore in it", lab.Ignores(deaf, unix.SIGHUP, unix.SIGINT))
		deaf.Kill()
	}

	// One that was not ignored arrives.
	other := started(l, listens)
	require.NoError(l, unix.Kill(other.PID(), unix.SIGHUP), "kill(2) of a process that does not ignore SIGHUP")
	require.Equal(l, "SIGHUP", said(other), "what Listener.Wait() returned")
	other.Kill()
}

var listensForIgnored = lab.NewRole("process that ignores all", func(c *lab.Child) error {
	if c.Text("itself") != "" {
		signal.Ignore(unix.SIGHUP, unix.SIGINT)
	}
	s, err := signals.Listen(unix.SIGHUP, unix.SIGINT)
	if err != nil {
		return fmt.Errorf("Listen(): %w", err)
	}
	c.Report("listens")
	sig, err := s.Wait(forever)
	return fmt.Errorf("Listener.Wait() returned %s, which was ignored when Listen() was called, and the error %v", called(sig), err)
})
