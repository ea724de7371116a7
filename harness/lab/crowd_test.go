package lab

import (
	"encoding/json"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/verdict"
)

// What is put into the queue of these tests, in each turn. Message 5 has something wrong where a
// fault is asked for.
const crowdSize, crowdCount, theFaulty = 64, 12, 5

// A queue of a crowd is a socket here, which keeps messages apart, and a pipe with a byte for each one
// that is done.
var putsInCrowd = NewRole("puts in a crowd", func(c *Child) error {
	return c.Put(&crowdEnd{c.File("in"), c.File("done"), c.Text("fault")})
})

var takesInCrowd = NewRole("takes in a crowd", func(c *Child) error {
	if err := c.File("in").Close(); err != nil { // or the end would never come
		return err
	}
	return c.Take(&crowdEnd{c.File("out"), c.File("done"), c.Text("fault")})
})

// crowdEnd is the end of a process that puts, or of one that takes.
type crowdEnd struct {
	messages, done *os.File
	fault          string
}

func (e *crowdEnd) Send(message []byte) error {
	if message[7] == theFaulty {
		switch e.fault {
		case "loses one":
			_, err := e.done.Write([]byte{1})
			return err
		case "puts one twice":
			if _, err := e.messages.Write(message); err != nil {
				return err
			}
		case "changes one":
			message[crowdSize-1]++
			defer func() { message[crowdSize-1]-- }()
		case "cuts one":
			message = message[:crowdSize-1]
		case "refuses one":
			return unix.EPIPE
		}
	}
	_, err := e.messages.Write(message)
	return err
}

func (e *crowdEnd) Close() error { return e.messages.Close() }

func (e *crowdEnd) RecvInto(buf []byte) ([]byte, error) {
	message := make([]byte, 2*crowdSize)
	n, err := e.messages.Read(message)
	if err != nil {
		return nil, err
	}
	if _, err := e.done.Write([]byte{1}); err != nil {
		return nil, err
	}
	if e.fault == "cannot take one" && message[7] == theFaulty {
		return nil, unix.EIO
	}
	return append(buf[:0], message[:n]...), nil
}

// crowdHost waits until all is done.
type crowdHost struct {
	done  *os.File
	in    []*os.File
	fault string
}

func (h crowdHost) Join() error {
	if h.fault == "cannot wait" {
		return unix.EIO
	}
	_, err := io.ReadFull(h.done, make([]byte, crowdCount))
	return err
}

func (h crowdHost) Close() error {
	if h.fault == "cannot close" {
		return unix.EIO
	}
	for _, f := range h.in {
		if err := f.Close(); err != nil {
			return err
		}
	}
	return nil
}

// refused is a test that notes whether it has failed, and ends.
type refused struct {
	testing.TB
	failed bool
}

func (r *refused) Helper()  {}
func (r *refused) Fail()    { r.failed = true }
func (r *refused) FailNow() { r.failed = true; runtime.Goexit() }

// crowd is what a benchmark of this kind says of a queue with a fault: "" where it passes.
func crowd(t *testing.T, fault string) string {
	l := New(t)
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	in, out := os.NewFile(uintptr(ends[0]), "in"), os.NewFile(uintptr(ends[1]), "out")
	done, tellsDone := pipe(t, l)
	l.CloseAtEnd(in, out)
	judge := &refused{TB: t}
	l.t = judge
	m := &Bench{Lab: l, b: &testing.B{N: crowdCount}, size: crowdSize}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		m.Crowd(putsInCrowd, takesInCrowd, crowdHost{done, []*os.File{in}, fault},
			Give("in", in), Give("out", out), Give("done", tellsDone), Tell("fault", fault))
	}()
	<-ended
	l.t = t
	if !judge.failed {
		require.Equal(t, crowdCount, m.measured.Messages)
		require.Positive(t, m.measured.Seconds)
		return ""
	}
	require.NotEmpty(t, l.failures)
	text := l.failures[0].text()
	for _, p := range l.processes {
		p.Kill()
	}
	l.failures = nil
	return text
}

func TestACrowdThatIsRightPasses(t *testing.T) { require.Empty(t, crowd(t, "")) }

func TestACrowdsFaultIsTold(t *testing.T) {
	for fault, says := range map[string][]string{
		"loses one":       {"message 5 was put twice, and was taken 0 times"},
		"puts one twice":  {"message 5 was put twice, and was taken 4 times", " of the same process"},
		"changes one":     {"Get() returned 64 bytes that nobody has put"},
		"cuts one":        {"Get() returned 63 bytes that nobody has put"},
		"refuses one":     {"Put() of message 5: broken pipe"},
		"cannot wait":     {"Join() after the last message"},
		"cannot close":    {"Close() of the queue"},
		"cannot take one": {"Get(): input/output error"},
	} {
		t.Run(fault, func(t *testing.T) {
			text := crowd(t, fault)
			for _, words := range says {
				if strings.Contains(text, words) {
					return
				}
			}
			t.Errorf("%q should be told in words like %q, and it says:\n%s", fault, says, text)
		})
	}
}

// What several have taken is added up: each message was put in both turns.
func TestWhatAllTakersHadTogether(t *testing.T) {
	for _, c := range []struct {
		had  [][]byte
		says string
	}{
		{[][]byte{{2, 1, 0}, {0, 1, 0}, {0, 0, 2}}, ""},
		{[][]byte{{2, 1, 0}, {0, 1, 0}, {0, 0, 1}}, "message 2 was put twice, and was taken 1 times"},
		{[][]byte{{2, 1, 0}, {0, 1, 1}, {0, 1, 1}}, "message 1 was put twice, and was taken 3 times"},
		{[][]byte{{0, 1, 0}, {0, 1, 1}, {0, 0, 1}}, "message 0 was put twice, and was taken 0 times"},
	} {
		l := New(t)
		judge := &refused{TB: t}
		l.t = judge
		m := &Bench{Lab: l, b: &testing.B{N: 3}, size: crowdSize}
		m.measured = &verdict.Measured{}
		var taking []*Process
		for _, times := range c.had {
			report, err := json.Marshal(taken{Times: times})
			require.NoError(t, err)
			p := &Process{lab: l, reports: make(chan json.RawMessage, 1), ended: make(chan struct{})}
			p.reports <- report
			close(p.ended)
			taking = append(taking, p)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			m.allTaken(taking)
		}()
		<-ended
		l.t = t
		require.Equal(t, c.says != "", judge.failed, "%v", c.had)
		if judge.failed {
			require.Contains(t, l.failures[0].text(), c.says)
			l.failures = nil
		}
	}
}

// scripted receives what a test has written down, and then the end.
type scripted [][]byte

func (s *scripted) RecvInto([]byte) ([]byte, error) {
	if len(*s) == 0 {
		return nil, io.EOF
	}
	message := (*s)[0]
	*s = (*s)[1:]
	return message, nil
}

// Who takes sees no other process's messages: what it has to notice alone is shown alone. Even
// numbers are of one process that puts, odd ones of the other one, and both begin twice.
func TestWhatOneTakerHasToNotice(t *testing.T) {
	for _, c := range []struct {
		gets []int
		says string
	}{
		{[]int{0, 1, 2, 3, 0, 1, 2, 3}, ""},
		{[]int{1, 3, 5, 0, 2, 4, 1, 0}, ""},
		{[]int{4, 0, 2}, ""},
		{nil, ""},
		{[]int{2, 0, 4, 2}, "message 2 came after message 4 of the same process"},
		{[]int{3, 3, 3}, "message 3 came after message 3 of the same process"},
		{[]int{1, 0, 5, 3, 1}, "message 1 came after message 3 of the same process"},
		{[]int{crowdCount}, "nobody has put"},
		{[]int{1 << 40}, "nobody has put"},
		{[]int{-1}, "nobody has put"},
	} {
		var messages scripted
		for _, i := range c.gets {
			messages = append(messages, newPayload(crowdSize).number(i))
		}
		r, w, err := os.Pipe()
		require.NoError(t, err)
		child := &Child{line: newLine(w), given: given{Texts: map[string]string{"count": strconv.Itoa(crowdCount), "size": strconv.Itoa(crowdSize)}}}
		err = child.Take(&messages)
		require.NoError(t, w.Close())
		reports, readErr := io.ReadAll(r)
		require.NoError(t, readErr)
		require.NoError(t, r.Close())
		if c.says != "" {
			require.ErrorContains(t, err, c.says, "%v", c.gets)
			continue
		}
		require.NoError(t, err, "%v", c.gets)
		require.Equal(t, 2, strings.Count(string(reports), "\n"), "it is ready, and what it has taken: %s", reports)
	}
}
