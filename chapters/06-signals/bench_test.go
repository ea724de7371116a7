package signals_test

import (
	"fmt"
	"io"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	signals "ipcworkbook/chapters/06-signals"
	"ipcworkbook/harness/lab"
)

// The signals of the benchmarks: a message, and the end.
const (
	aMessage = real0
	theEnd   = real1
)

// BenchmarkPingPong measures one signal to another process and one back. Inbox sends a byte as
// the number of a queued signal. Listener sends no byte: os/signal shows none. Pipe is what Inbox
// measures, too; the programs in C and Python that stand beside it use two pipes.
func BenchmarkPingPong(b *testing.B) {
	b.Run("Inbox", func(b *testing.B) { pingPong(b, "inbox", lab.Blocked(aMessage, theEnd)) })
	b.Run("Listener", func(b *testing.B) { pingPong(b, "listener") })
	b.Run("Pipe", func(b *testing.B) { pingPong(b, "inbox", lab.Blocked(aMessage, theEnd)) })
}

func pingPong(b *testing.B, by string, handed ...lab.Handed) {
	l := lab.NewBench(b, 1)
	r, w := aPipe(l.Lab)
	handed = append(handed, lab.Tell("by", by))
	first := l.Start(asks, append(handed, lab.HandOver("peer", r))...)
	echo := l.Start(answers, append(handed, lab.Tell("peer", strconv.Itoa(first.PID())))...)
	_, err := fmt.Fprintln(w, echo.PID())
	require.NoError(l, err, "telling one process of the other one")
	l.Between(first, echo)
}

// asks learns last who answers.
var asks = lab.NewRole("benchmark process that asks", func(c *lab.Child) error {
	r, err := receiverBy(c)
	if err != nil {
		return err
	}
	var peer int
	if _, err := fmt.Fscanln(c.File("peer"), &peer); err != nil {
		return err
	}
	return c.PingPong(senderBy(c, peer), r)
})

var answers = lab.NewRole("benchmark process that answers", func(c *lab.Child) error {
	r, err := receiverBy(c)
	if err != nil {
		return err
	}
	peer, err := strconv.Atoi(c.Text("peer"))
	if err != nil {
		return err
	}
	return c.Echo(r, senderBy(c, peer))
})

func senderBy(c *lab.Child, peer int) lab.Sender {
	if c.Text("by") == "inbox" {
		return queuer{peer}
	}
	return killer{peer}
}

func receiverBy(c *lab.Child) (lab.Receiver, error) {
	if c.Text("by") == "inbox" {
		b, err := signals.OpenInbox(aMessage, theEnd)
		return fromInbox{b}, err
	}
	count, err := strconv.Atoi(c.Text("count"))
	if err != nil {
		return nil, err
	}
	s, err := signals.Listen(unix.SIGUSR1, unix.SIGUSR2)
	return &fromListener{s, count, 0}, err
}

type queuer struct{ peer int }

func (q queuer) Send(message []byte) error { return signals.Queue(q.peer, aMessage, int(message[0])) }
func (q queuer) Close() error              { return signals.Queue(q.peer, theEnd, 0) }

type fromInbox struct{ *signals.Inbox }

func (f fromInbox) RecvInto(buf []byte) ([]byte, error) {
	info, err := f.Recv()
	if err == nil && info.Signal == theEnd {
		err = io.EOF
	}
	return append(buf[:0], byte(info.Value)), err
}

type killer struct{ peer int }

func (k killer) Send([]byte) error { return signals.Send(k.peer, unix.SIGUSR1) }
func (k killer) Close() error      { return signals.Send(k.peer, unix.SIGUSR2) }

// fromListener counts, since a signal says nothing: the messages of a turn begin with 0.
type fromListener struct {
	s        *signals.Listener
	count, n int
}

func (f *fromListener) RecvInto(buf []byte) ([]byte, error) {
	sig, err := f.s.Wait(forever)
	if err == nil && sig == unix.SIGUSR2 {
		err = io.EOF
	}
	buf = append(buf[:0], byte(f.n))
	f.n = (f.n + 1) % f.count
	return buf, err
}
