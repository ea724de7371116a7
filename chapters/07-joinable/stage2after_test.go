package joinable_test

import (
	"context"
	"fmt"
	"runtime"

	"github.com/stretchr/testify/require"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// What steps 3, 7 and 12 ask beside their own: a call that has returned does nothing when its context
// ends later, or has ended just then.

// endsAfterTheCall lets a process wait in a call, which then returns, and ends the call's context
// afterwards. By then other files have the numbers of what the call had opened.
func endsAfterTheCall(l *lab.Lab, what string) {
	q := queue(l, 1, 20)
	why := "the queue is empty"
	if what != "Get()" {
		put(l, q, "1")
		why = map[string]string{"Put()": "the queue is full", "Join()": "an item is not done"}[what]
	}
	p := l.Start(outlivesItsCall, handed(q, lab.Tell("call", what))...)
	p.Blocks(why+", and its context has not ended", lab.SleepsUntilWoken(p))
	if what == "Get()" {
		put(l, q, "1")
	} else {
		take(l, q, "1")
		done(l, q, 1)
	}
	require.Equal(l, "its context has ended", reported[string](p), "what a process says that has ended the context of a call that had returned")
	p.Rests() // what the end of the context begins has come to its end
	p.Go()
	require.NoError(l, p.Wait(), "a process that ends the context of %s after that has returned", what)
}

var outlivesItsCall = lab.NewRole("process that ends a context after the call", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	switch c.Text("call") {
	case "Get()":
		_, err = q.Get(ctx)
	case "Put()":
		err = q.Put(ctx, []byte("2"))
	case "Join()":
		err = q.Join(ctx)
	}
	if err != nil {
		return fmt.Errorf("%s with a context: %w", c.Text("call"), err)
	}
	again, err := quietSockets() // they get the numbers that are free again
	if err != nil {
		return err
	}
	cancel()
	c.Report("its context has ended")
	c.Wait()
	if err := areQuiet(again, c.Text("call")+" had returned when its context ended, and the end was told to a descriptor that the call had closed. context.AfterFunc has to be stopped first"); err != nil {
		return err
	}
	return q.Close()
})

// endsWhileItReturns holds who tells a Get that its context has ended, and lets an item wake the Get. So it may
// return now, and if it does, whoever is held would go on after it.
func endsWhileItReturns(l *lab.Lab) {
	q := queue(l, 1, 20)
	calls := l.Calls()
	p := l.Start(returnsUnderTheEnd, handed(q, calls.HandOver())...)
	calls.Alone()
	calls.Of(p)
	p.Blocks("the queue is empty, and its context has not ended")
	calls.Arm(0)
	p.Go()
	calls.Held() // or Get has returned by itself
	put(l, q, "1")
	l.Rests() // Get has returned, or it waits for who is held
	calls.Go()
	l.Rests()
	p.Go()
	require.NoError(l, p.Wait(), "a process whose Get() returns while its context ends")
}

var returnsUnderTheEnd = lab.NewRole("process whose call returns while its context ends", func(c *lab.Child) error {
	runtime.GOMAXPROCS(4) // a goroutine that is held may keep one of them
	q, err := attachedInSight(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	returned := make(chan error, 1)
	go func() {
		_, err := q.Get(ctx)
		returned <- err
	}()
	c.Wait()
	cancel()
	if err := <-returned; err != nil && both(err, joinable.ErrEmpty, context.Canceled) != nil {
		return fmt.Errorf("Get() whose context ends while an item comes: %w", err)
	}
	again, err := quietSockets() // they get the numbers that are free again
	if err != nil {
		return err
	}
	c.Wait()
	if err := areQuiet(again, "Get() had returned while its context ended, and a goroutine that it had begun still runs: it has told of the end to a descriptor that the call had closed. Where stop() of context.AfterFunc returns false, the function has begun, and is to be waited for"); err != nil {
		return err
	}
	return q.Close()
})
