package pipe_test

import (
	"fmt"
	"io"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	pipe "ipcworkbook/chapters/01-pipe"
	"ipcworkbook/harness/lab"
)

// BenchmarkTransfer measures messages from a producer process to this one. The
// start of the process is outside the measurement: the producer waits until it
// is told to go. Every message is counted, and its bytes are compared.
func BenchmarkTransfer(b *testing.B) {
	for _, size := range []int{64, 1 << 10, 64 << 10} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			l := lab.New(b)
			r, w := open(l)
			p := l.Start(sendsWhenTold, lab.HandOver("w", w),
				lab.Tell("count", strconv.Itoa(b.N)), lab.Tell("size", strconv.Itoa(size)))
			var ready bool
			p.Report(&ready)
			want := string(pattern(size))
			b.SetBytes(int64(size))
			b.ResetTimer()

			p.Go()
			for range b.N {
				message, err := r.Recv()
				if err != nil || string(message) != want {
					require.NoError(l, err, "Recv()")
					l.SameBytes([]byte(want), message, "Recv() of %d bytes", size)
				}
			}
			b.StopTimer()
			_, err := r.Recv()
			require.ErrorIs(l, err, io.EOF, "Recv() after the last message")
		})
	}
}

var sendsWhenTold = lab.NewRole("benchmark producer", func(c *lab.Child) error {
	w := pipe.NewWriter(c.File("w"))
	count, err := strconv.Atoi(c.Text("count"))
	if err != nil {
		return err
	}
	size, err := strconv.Atoi(c.Text("size"))
	if err != nil {
		return err
	}
	message := pattern(size)
	c.Report(true)
	c.Wait()
	for range count {
		if err := w.Send(message); err != nil {
			return fmt.Errorf("Send(): %w", err)
		}
	}
	return w.Close()
})

// BenchmarkPingPong measures a message of one byte to another process and back,
// over two pipes.
func BenchmarkPingPong(b *testing.B) {
	l := lab.New(b)
	r, theirs := open(l)
	theirR, w := open(l)
	p := l.Start(echo, lab.HandOver("r", theirR), lab.HandOver("w", theirs))
	var ready bool
	p.Report(&ready)
	b.ResetTimer()

	for range b.N {
		err := w.Send([]byte{42})
		if err == nil {
			err = expect(r, "*")
		}
		if err != nil {
			require.NoError(l, err, "a message there and back")
		}
	}
	b.StopTimer()
	require.NoError(l, w.Close(), "Close() of the Writer")
	_, err := r.Recv()
	require.ErrorIs(l, err, io.EOF, "Recv() after the other process has ended")
}

var echo = lab.NewRole("echo", func(c *lab.Child) error {
	r, w := pipe.NewReader(c.File("r")), pipe.NewWriter(c.File("w"))
	c.Report(true)
	for {
		message, err := r.Recv()
		if err == io.EOF {
			return w.Close()
		}
		if err != nil {
			return fmt.Errorf("Recv(): %w", err)
		}
		if err := w.Send(message); err != nil {
			return fmt.Errorf("Send(): %w", err)
		}
	}
})
