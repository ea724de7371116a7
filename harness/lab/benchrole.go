package lab

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/verdict"
)

// Between measures b.N messages between two processes that the test has started, of which the
// first one calls [Child.PingPong] and the other one [Child.Echo]: for what the test's own
// process cannot do, since it was not started for it.
func (m *Bench) Between(first, echo *Process) {
	m.t.Helper()
	var ready bool
	echo.Report(&ready)
	first.Report(&ready)
	m.start = time.Since(m.begun)
	first.Go()
	var measured verdict.Measured
	first.Report(&measured)
	require.NoError(m, first.Wait(), "the process that measures")
	measured.Messages, measured.Whole = m.b.N, m.start.Seconds()+measured.Seconds
	m.measured = &measured
	m.add(echo)
	require.NoError(m, echo.Wait(), "the process that sends back")
}

// PingPong says that it is ready, waits for the word to go, and measures messages to a process
// that calls Echo, and back. Then it closes w, and the stream has to end.
func (c *Child) PingPong(w Sender, r Receiver) error {
	count, size, err := c.work()
	if err != nil {
		return err
	}
	want := newPayload(size)
	var message []byte
	c.Report(true)
	c.Wait()
	var before verdict.Usage
	var begun time.Time
	for range 2 { // see Bench.twice
		before, begun = usage(), time.Now()
		for i := range count {
			if err := w.Send(want.number(i)); err != nil {
				return fmt.Errorf("Send() of message %d: %w", i, err)
			}
			if message, err = r.RecvInto(message); err != nil {
				return fmt.Errorf("RecvInto() of message %d: %w", i, err)
			}
			if !want.is(i, message) {
				return fmt.Errorf("RecvInto() of message %d: %s", i, Difference(want.number(i), message))
			}
		}
	}
	c.Report(verdict.Measured{Seconds: time.Since(begun).Seconds(), Usage: usage().Minus(before)})
	if err := w.Close(); err != nil {
		return fmt.Errorf("Close(): %w", err)
	}
	if _, err := r.RecvInto(message); !errors.Is(err, io.EOF) {
		return fmt.Errorf("RecvInto() after the last message: expected io.EOF, and got: %w", err)
	}
	return nil
}
