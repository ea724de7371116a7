package joinable_test

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/lab"
)

// What steps 3, 7 and 12 ask beside their own: a call that has returned does nothing when its context
// ends later.

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
