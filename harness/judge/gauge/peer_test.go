package gauge

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/verdict"
)

// What a peer does wrong takes it out, and no more.
func TestAPeerThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		script  string
		verdict verdict.Verdict
		words   string
	}{
		"well":           {`echo '{"messages":8,"seconds":1,"whole":2}'`, verdict.Pass, ""},
		"fails":          {`echo "message 5 is damaged" >&2; exit 1`, verdict.Crashed, "message 5 is damaged"},
		"is killed":      {`kill -SEGV $$`, verdict.Crashed, "139"},
		"prints nothing": {`exit 0`, verdict.Wrong, "8 messages were asked for"},
		"does less":      {`echo '{"messages":7,"seconds":1,"whole":2}'`, verdict.Wrong, "8 messages were asked for"},
		"took no time":   {`echo '{"messages":8,"seconds":0,"whole":2}'`, verdict.Wrong, "8 messages were asked for"},
		"cannot here":    {`echo "this needs two cores" >&2; exit 3`, verdict.Unsupported, "this needs two cores"},
		"hangs":          {`exec sleep 1000`, verdict.Hung, "still"},
	} {
		t.Run(name, func(t *testing.T) {
			p := program{argv: []string{"/bin/sh", "-c", c.script, "peer"}, tmp: t.TempDir()}
			turn, f, err := p.turn(context.Background(), book.Benchmark{Kind: Transfer, Size: 64}, 8, place(Shared, 0))
			require.NoError(t, err)
			require.Equal(t, c.verdict, f.Verdict, f.Message)
			require.Contains(t, f.Message, c.words)
			require.Equal(t, c.verdict == verdict.Pass, turn.Messages == 8)
		})
	}
}

func TestAPeerThatLeavesIsOut(t *testing.T) {
	r := &race{result: Result{Missing: map[string]string{}}}
	l := newLane(book.Benchmark{Name: "PingPong"}, cores{})
	l.turns[C] = []turn{{}}
	r.leaves(l, C, verdict.Finding{Verdict: verdict.Crashed, Message: "exit status 1"})
	require.True(t, l.out[C])
	require.False(t, l.done)
	require.Empty(t, l.turns)
	require.Equal(t, "PingPong: exit status 1", r.result.Missing[C])

	r.leaves(l, Reference, verdict.Finding{Verdict: verdict.Wrong, Message: "oh"})
	require.True(t, l.done)
	require.Equal(t, verdict.Fault, l.finding.Verdict)
}

func TestMedian(t *testing.T) {
	center, low, high := median([]float64{3, 1, 2})
	require.Equal(t, []float64{2, 1, 3}, []float64{center, low, high}, "too few for an interval")
	center, low, high = median([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 1000})
	require.Equal(t, 5.5, center)
	require.Equal(t, 2.0, low)
	require.Equal(t, 9.0, high, "one that is far out does not matter")
	for n := range 8 {
		values := make([]float64, n)
		center, low, high = median(values)
		require.False(t, math.IsInf(low, 0) || math.IsInf(high, 0) || math.IsNaN(center))
	}
	for n := 1; n <= LeastRounds; n++ {
		values := make([]float64, n)
		for i := range values {
			values[i] = float64(i)
		}
		_, low, high = median(values)
		require.Equal(t, []float64{0, float64(n - 1)}, []float64{low, high}, "n = %d", n)
	}
}

func TestWhoIsSlowSendsFewerUnlessTheBookSaysOtherwise(t *testing.T) {
	l := lane{Benchmark: book.Benchmark{Messages: 8192}, messages: map[string]int{Yours: 200}}
	require.Equal(t, 32, l.asked(Yours, 0), "the round that finds out")
	require.Equal(t, 200, l.asked(Yours, 1))
	l.Whole = true
	require.Equal(t, 8192, l.asked(Yours, 0))
	require.Equal(t, 8192, l.asked(Yours, 1))
}

func TestEnough(t *testing.T) {
	probe := func(messages int, seconds float64) turn {
		return turn{verdict.Measured{Messages: messages, Seconds: seconds}}
	}
	require.Equal(t, 8192, enough(probe(128, 0.001), 8192), "fast enough for all")
	require.Equal(t, 200, enough(probe(128, 0.064), 8192), "as many as fit into a tenth of a second")
	require.Equal(t, fewest, enough(probe(128, 10), 8192), "but not so few that one of them decides")
}

// What is named is what costs most, and not what follows from it.
func TestSlownessNamesTheCause(t *testing.T) {
	reference := PerMessage{Reads: 0.1, Writes: 1, Waits: 0.1, CPU: 2e-6, Memory: 1040}
	for name, c := range map[string]struct {
		yours PerMessage
		has   []string
		not   []string
	}{
		"byte by byte": {PerMessage{Reads: 1028, Writes: 1, Waits: 0.2, CPU: 300e-6, Memory: 1040},
			[]string{"1,030 read calls, the reference 0.10", "processor time"}, []string{"write calls", "allocated"}},
		"a large buffer": {PerMessage{Reads: 0.1, Writes: 1.2, Waits: 2.2, CPU: 200e-6, Memory: 1 << 20},
			[]string{"allocated 1,048,576 bytes, the reference 1,040"}, []string{"write calls"}},
		"sleeps": {PerMessage{Reads: 1, Writes: 1, Waits: 12, CPU: 9e-6, Memory: 1100},
			[]string{"waited 12.0 times, the reference 0.10"}, []string{"write calls", "allocated"}},
		"no more than the reference": {reference, nil, []string{"For each"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := moreOften("message", &c.yours, &reference)
			for _, word := range c.has {
				require.Contains(t, text, word)
			}
			for _, word := range c.not {
				require.NotContains(t, text, word)
			}
		})
	}
	require.Empty(t, moreOften("message", nil, &reference))
}

// Who measures side by side gets other cores, as far as there are any.
func TestPlaces(t *testing.T) {
	var may unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &may))
	seen := map[int]bool{}
	for n := range may.Count() {
		on := place(Shared, n)
		require.True(t, may.IsSet(on.first))
		require.Equal(t, on.first, on.second)
		seen[on.first] = true
		if on := place(Apart, n); may.Count() > 1 {
			require.NotEqual(t, on.first, on.second)
		}
	}
	require.Len(t, seen, may.Count())
	require.Equal(t, place(Shared, 0), place(Shared, may.Count()), "more than there are")
}
