package lab

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/verdict"
)

// Sizes are the messages' sizes in every chapter's benchmarks, in bytes.
var Sizes = []int{64, 1 << 10, 64 << 10}

// SizeName is how a benchmark calls a size: "64B", "1KiB".
func SizeName(size int) string {
	if size >= 1<<10 && size%(1<<10) == 0 {
		return fmt.Sprintf("%dKiB", size>>10)
	}
	return fmt.Sprintf("%dB", size)
}

// Bench is the lab of a benchmark. The work is the same in every chapter, and in
// the programs in Python and C that stand beside it (harness/peers): b.N messages
// of one size. Each has its number in it, and every byte of each is compared. So
// a message that was lost, doubled or damaged is wrong, however fast it was.
type Bench struct {
	*Lab
	b     *testing.B
	size  int
	begun time.Time
}

// NewBench starts a benchmark. What comes from here on, before the word to go,
// counts as start-up: make the mechanism and start the second process.
func NewBench(b *testing.B, size int) *Bench {
	b.Helper()
	return &Bench{Lab: New(b), b: b, size: size, begun: time.Now()}
}

// Start starts a process as [Lab.Start] does, and tells it what to do. Its role
// calls [Child.Produce] or [Child.Echo].
func (m *Bench) Start(r *Role, handed ...Handed) *Process {
	m.t.Helper()
	return m.Lab.Start(r, append(handed, Tell("count", strconv.Itoa(m.b.N)), Tell("size", strconv.Itoa(m.size)))...)
}

// Transfer measures b.N messages from a process that calls [Child.Produce] to
// this one. After the last one the stream has to end.
func (m *Bench) Transfer(producer *Process, recv func() ([]byte, error)) {
	m.t.Helper()
	var ready bool
	producer.Report(&ready)
	want := newPayload(m.size)
	m.b.SetBytes(int64(m.size))
	m.measure(func() {
		producer.Go()
		for i := range m.b.N {
			message, err := recv()
			if err != nil || !want.is(i, message) {
				m.wrong(want, i, message, err)
			}
		}
	})
	_, err := recv()
	require.ErrorIs(m, err, io.EOF, "Recv() after the last message")
}

// PingPong measures b.N messages to a process that calls [Child.Echo], and back.
// After that the caller closes its end, and the other process ends.
func (m *Bench) PingPong(echo *Process, send func([]byte) error, recv func() ([]byte, error)) {
	m.t.Helper()
	var ready bool
	echo.Report(&ready)
	want := newPayload(m.size)
	m.measure(func() {
		for i := range m.b.N {
			if err := send(want.number(i)); err != nil {
				require.NoError(m, err, "Send() of message %d", i)
			}
			message, err := recv()
			if err != nil || !want.is(i, message) {
				m.wrong(want, i, message, err)
			}
		}
	})
}

// measure runs the measured part.
func (m *Bench) measure(run func()) {
	m.b.ResetTimer()
	start := time.Now()
	run()
	end := time.Now()
	m.b.StopTimer()
	m.measured = &verdict.Measured{
		Messages: m.b.N, Seconds: end.Sub(start).Seconds(), Whole: end.Sub(m.begun).Seconds(),
	}
}

// wrong ends the benchmark because of message i.
func (m *Bench) wrong(want payload, i int, got []byte, err error) {
	require.NoError(m, err, "Recv() of message %d", i)
	if len(got) == m.size && m.size >= numberSize {
		if n := binary.BigEndian.Uint64(got); n != uint64(i) && n < uint64(m.b.N) {
			require.FailNow(m, fmt.Sprintf("message %d came in the place of message %d", n, i), "Recv() of message %d", i)
		}
	}
	m.SameBytes(want.number(i), got, "Recv() of message %d", i)
}

// Produce says that it is ready, waits for the word to go, and sends what the
// benchmark asks for. Closing the end afterwards is the role's part.
func (c *Child) Produce(send func([]byte) error) error {
	count, size, err := c.work()
	if err != nil {
		return err
	}
	m := newPayload(size)
	c.Report(true)
	c.Wait()
	for i := range count {
		if err := send(m.number(i)); err != nil {
			return fmt.Errorf("Send() of message %d: %w", i, err)
		}
	}
	return nil
}

// Echo says that it is ready, and sends every message back that it receives, until
// the stream ends.
func (c *Child) Echo(recv func() ([]byte, error), send func([]byte) error) error {
	c.Report(true)
	for {
		message, err := recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("Recv(): %w", err)
		}
		if err := send(message); err != nil {
			return fmt.Errorf("Send(): %w", err)
		}
	}
}

func (c *Child) work() (count, size int, err error) {
	if count, err = strconv.Atoi(c.Text("count")); err != nil {
		return 0, 0, err
	}
	size, err = strconv.Atoi(c.Text("size"))
	return count, size, err
}

// payload is a message of a benchmark. A large one begins with its number. A small
// one has no room for it: each of its bytes is the number's lowest.
type payload []byte

const numberSize = 8

func newPayload(size int) payload {
	m := make(payload, size)
	for j := range m {
		m[j] = byte(j % 251)
	}
	return m
}

// number makes it message i.
func (m payload) number(i int) []byte {
	if len(m) >= numberSize {
		binary.BigEndian.PutUint64(m, uint64(i))
		return m
	}
	for j := range m {
		m[j] = byte(i)
	}
	return m
}

// is reports whether got is message i.
func (m payload) is(i int, got []byte) bool { return bytes.Equal(m.number(i), got) }
