package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/verdict"
)

// How many processes a crowd has. The programs in C and Python that stand beside it
// (harness/judge/peers) have as many.
const (
	putters = 2
	takers  = 3
)

// A Queue is what a crowd shares, as the process sees it that waits until all is done.
type Queue interface {
	// Join returns when all that was put has been taken and marked as done.
	Join() error
	// Close gives up this process's part. When nobody is left who puts, who takes comes to the end.
	Close() error
}

// Crowd measures b.N messages through one queue: two processes put, each of them every second
// message, and three take. Their roles call [Child.Put] and [Child.Take]. All get what is handed
// over, which has to be there for each of them ([Give], [Tell]). The time counts from the word
// to go until Join has returned after the last message was put.
func (m *Bench) Crowd(put, take *Role, q Queue, handed ...Handed) {
	m.t.Helper()
	require.GreaterOrEqual(m, m.size, numberSize, "the size of a crowd's messages: they have a number in them")
	var putting, taking []*Process
	for range takers {
		taking = append(taking, m.Start(take, handed...))
	}
	for i := range putters {
		putting = append(putting, m.Start(put, append(handed[:len(handed):len(handed)], Tell("part", strconv.Itoa(i)))...))
	}
	for _, p := range append(taking, putting...) {
		var ready bool
		p.Report(&ready)
	}
	m.start = time.Since(m.begun)
	m.b.SetBytes(int64(m.size))
	used := make([]verdict.Usage, putters)
	m.twice(func() {
		for _, p := range putting {
			p.Go()
		}
		for i, p := range putting {
			p.Report(&used[i])
		}
		require.NoError(m, q.Join(), "Join() after the last message")
	})
	for i, p := range putting {
		m.measured.Usage = m.measured.Usage.Plus(used[i])
		p.Go()
		require.NoError(m, p.Wait(), "the process that puts")
	}
	require.NoError(m, q.Close(), "Close() of the queue, in the process that has waited for the others")
	m.allTaken(taking)
}

// allTaken expects that those who take have had each message once in each of the two turns.
func (m *Bench) allTaken(taking []*Process) {
	m.t.Helper()
	times := make([]int, m.b.N)
	for _, p := range taking {
		var t taken
		p.Report(&t)
		m.measured.Usage = m.measured.Usage.Plus(t.Usage)
		for i, n := range t.Times {
			times[i] += int(n)
		}
		require.NoError(m, p.Wait(), "the process that takes")
	}
	for i, n := range times {
		if n != 2 { // see Bench.twice
			require.FailNow(m, fmt.Sprintf("message %d was put twice, and was taken %d times", i, n), "what those that take had in all")
		}
	}
}

// taken is what a process reports that takes.
type taken struct {
	Times []byte        `json:"times"` // how often it had each message
	Usage verdict.Usage `json:"usage"` // for one turn
}

// Put says that it is ready, waits for the word to go, and sends its part of the messages. It
// does so two times, and closes at the next word.
func (c *Child) Put(w Sender) error {
	count, size, err := c.work()
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(c.Text("part"))
	if err != nil {
		return err
	}
	m := newPayload(size)
	c.Report(true)
	for range 2 { // see Bench.twice
		c.Wait()
		before := usage()
		for i := first; i < count; i += putters {
			if err := w.Send(m.number(i)); err != nil {
				return fmt.Errorf("Put() of message %d: %w", i, err)
			}
		}
		c.Report(usage().Minus(before))
	}
	c.Wait()
	return w.Close()
}

// Take says that it is ready, and receives until the end. Of each process that puts it has to get
// the messages in their order. RecvInto of r also marks as done what it returns.
func (c *Child) Take(r Receiver) error {
	count, size, err := c.work()
	if err != nil {
		return err
	}
	t := taken{Times: make([]byte, count)}
	want := newPayload(size)
	var last, turn [putters]int
	for i := range last {
		last[i] = -1
	}
	c.Report(true)
	before := usage()
	var message []byte
	for {
		message, err = r.RecvInto(message)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("Get(): %w", err)
		}
		i, ok := want.which(message)
		if !ok || i >= count {
			return fmt.Errorf("Get() returned %d bytes that nobody has put", len(message))
		}
		of := i % putters
		if i <= last[of] {
			if turn[of]++; turn[of] == 2 {
				return fmt.Errorf("Get(): message %d came after message %d of the same process", i, last[of])
			}
		}
		last[of] = i
		t.Times[i]++
	}
	t.Usage = usage().Minus(before).Half() // the turn that warmed up was the same work
	c.Report(t)
	return nil
}

// which is the number in a message that was received, and whether all of it is that message.
func (m payload) which(got []byte) (i int, ok bool) {
	if len(got) != len(m) {
		return 0, false
	}
	n := binary.BigEndian.Uint64(got)
	if n > uint64(1)<<62 {
		return 0, false
	}
	return int(n), m.is(int(n), got)
}
