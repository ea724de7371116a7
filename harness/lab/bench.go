package lab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

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
// the programs in Python and C that stand beside it (harness/judge/peers): b.N messages
// of one size. Each has its number in it, and every byte of each is compared. So
// a message that was lost, doubled or damaged is wrong, however fast it was.
type Bench struct {
	*Lab
	b     *testing.B
	size  int
	begun time.Time
	start time.Duration // how long it took to start up
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

// Sender is the end of a chapter's mechanism that sends.
type Sender interface {
	Send(message []byte) error
	Close() error
}

// Receiver is the end that receives. It receives into the same memory again, as
// the programs in C do.
type Receiver interface {
	RecvInto(buf []byte) ([]byte, error)
}

// Fresh receives each message into new memory, with Recv.
type Fresh struct {
	From interface{ Recv() ([]byte, error) }
}

// RecvInto leaves buf alone.
func (f Fresh) RecvInto([]byte) ([]byte, error) { return f.From.Recv() }

// Transfer measures b.N messages from a process that calls [Child.Produce] to
// this one. After the last one the stream has to end.
func (m *Bench) Transfer(producer *Process, r Receiver) {
	m.t.Helper()
	var ready bool
	producer.Report(&ready)
	m.start = time.Since(m.begun)
	want := newPayload(m.size)
	m.b.SetBytes(int64(m.size))
	var message []byte
	m.twice(func() {
		producer.Go()
		for i := range m.b.N {
			var err error
			message, err = r.RecvInto(message)
			if err != nil || !want.is(i, message) {
				m.wrong(want, i, message, err)
			}
		}
	})
	m.add(producer)
	producer.Go()
	m.end(r)
}

// PingPong measures b.N messages to a process that calls [Child.Echo], and back.
// Then it closes w, and the stream has to end.
func (m *Bench) PingPong(echo *Process, w Sender, r Receiver) {
	m.t.Helper()
	var ready bool
	echo.Report(&ready)
	m.start = time.Since(m.begun)
	want := newPayload(m.size)
	var message []byte
	m.twice(func() {
		for i := range m.b.N {
			err := w.Send(want.number(i))
			if err != nil {
				require.NoError(m, err, "Send() of message %d", i)
			}
			message, err = r.RecvInto(message)
			if err != nil || !want.is(i, message) {
				m.wrong(want, i, message, err)
			}
		}
	})
	require.NoError(m, w.Close(), "Close() of the end that sends")
	m.end(r)
	m.add(echo)
}

// Operations measures b.N times something that this process does alone.
func (m *Bench) Operations(do func() error) {
	m.t.Helper()
	m.start = time.Since(m.begun)
	m.twice(func() {
		for i := range m.b.N {
			if err := do(); err != nil {
				require.NoError(m, err, "operation %d", i)
			}
		}
	})
}

// twice runs all messages two times, and measures the second one. The first one
// warms up: the memory is there then, and the caches are full.
func (m *Bench) twice(run func()) {
	run()
	before := usage()
	m.b.ResetTimer()
	begun := time.Now()
	run()
	seconds := time.Since(begun).Seconds()
	m.b.StopTimer()
	m.measured = &verdict.Measured{
		Messages: m.b.N, Seconds: seconds, Whole: m.start.Seconds() + seconds,
		Usage: usage().Minus(before),
	}
}

// end expects the end of the stream.
func (m *Bench) end(r Receiver) {
	m.t.Helper()
	message, err := r.RecvInto(nil)
	if err == nil {
		require.FailNow(m, fmt.Sprintf("another message of %d bytes came", len(message)), "RecvInto() after the last message")
	}
	require.ErrorIs(m, err, io.EOF, "RecvInto() after the last message")
}

// add adds what the other process used.
func (m *Bench) add(other *Process) {
	m.t.Helper()
	var used verdict.Usage
	other.Report(&used)
	m.measured.Usage = m.measured.Usage.Plus(used)
}

// wrong ends the benchmark because of message i.
func (m *Bench) wrong(want payload, i int, got []byte, err error) {
	require.NoError(m, err, "RecvInto() of message %d", i)
	if len(got) == m.size && m.size >= numberSize {
		if n := binary.BigEndian.Uint64(got); n != uint64(i) && n < uint64(m.b.N) {
			require.FailNow(m, fmt.Sprintf("message %d came in the place of message %d", n, i), "RecvInto() of message %d", i)
		}
	}
	m.SameBytes(want.number(i), got, "RecvInto() of message %d", i)
}

// Produce says that it is ready, waits for the word to go, and sends what the
// benchmark asks for. It does so two times, and closes at the next word.
func (c *Child) Produce(w Sender) error {
	count, size, err := c.work()
	if err != nil {
		return err
	}
	m := newPayload(size)
	c.Report(true)
	var before verdict.Usage
	for range 2 { // see Bench.twice
		c.Wait()
		before = usage()
		for i := range count {
			if err := w.Send(m.number(i)); err != nil {
				return fmt.Errorf("Send() of message %d: %w", i, err)
			}
		}
	}
	c.Report(usage().Minus(before))
	// If it ended now, the kernel would count its calls as the test's too, which waits
	// for its end (proc_pid_io(5)).
	c.Wait()
	return w.Close()
}

// Echo says that it is ready, and sends every message back that it receives. It
// closes when the stream ends.
func (c *Child) Echo(r Receiver, w Sender) error {
	count, _, err := c.work()
	if err != nil {
		return err
	}
	before := usage()
	c.Report(true)
	var message []byte
	for i := 0; ; i++ {
		if i == count { // what came before warmed up; see Bench.twice
			before = usage()
		}
		message, err = r.RecvInto(message)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("RecvInto(): %w", err)
		}
		if err := w.Send(message); err != nil {
			return fmt.Errorf("Send(): %w", err)
		}
	}
	c.Report(usage().Minus(before))
	return w.Close()
}

// usage is what this process has used so far: getrusage(2) and proc_pid_io(5). A
// kernel that does not count leaves zeros.
func usage() (u verdict.Usage) {
	if text, err := os.ReadFile("/proc/self/io"); err == nil {
		fields := strings.Fields(string(text)) // name: number
		for i := 0; i+1 < len(fields); i += 2 {
			n, _ := strconv.Atoi(fields[i+1])
			switch fields[i] {
			case "syscr:":
				u.Reads = n
			case "syscw:":
				u.Writes = n
			}
		}
	}
	allocated := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(allocated)
	u.Memory = int(allocated[0].Value.Uint64())
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) == nil {
		u.Waits = int(r.Nvcsw)
		u.CPU = time.Duration(r.Utime.Nano() + r.Stime.Nano()).Seconds()
	}
	return u
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
