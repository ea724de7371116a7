package report

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"

	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/judge/gauge/figure"
)

func TestNumbersHaveThreeDigitsAndTheRightUnit(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{formatInterval(0.97e6, 1.01e6, figure.Rates), "970 KB/s – 1.01 MB/s"},
		{formatSize(64), "64 B"},
		{formatSize(1 << 10), "1 KiB"},
		{formatSize(64 << 10), "64 KiB"},
		{formatSize(1500), "1,500 B"},
		{formatRatio(0.9666), "0.97"},
		{formatRatio(0.0123), "0.012"},
		{formatRatio(9.996), "10.0"},
		{formatRatio(142.4), "142"},
		{formatRatio(0), "–"},
		{formatRatio(math.NaN()), "–"},
		{formatRatio(0.4991, 0.5), "0.499"}, // not "0.50": the gate is 0.5
		{formatRatio(0.4999, 0.5), "0.499"},
		{formatRatio(0.5001, 0.5), "0.50"},
	} {
		assert.Equal(t, c.want, c.got)
	}
}

func TestAxisHasAFewRoundParts(t *testing.T) {
	for _, top := range []float64{1, 1.01, 1.36, 4.9, 5, 5.1, 7.77, 9.99, 10, 0.0312, 3.3e9} {
		s := newScale(top, inUnit(figure.Rates))
		parts := len(s.Ticks) - 1
		assert.GreaterOrEqual(t, s.max, top*(1-1e-9), "%v fits", top)
		assert.LessOrEqual(t, s.max, top*1.6, "%v is not lost on its axis", top)
		assert.GreaterOrEqual(t, parts, 2, "%v", top)
		assert.LessOrEqual(t, parts, 5, "%v", top)
		assert.Equal(t, "0", s.Ticks[0].Label)
	}
}

func TestMechanismsFarApartHaveAxesOfTheirOwn(t *testing.T) {
	assert.Equal(t, [][]int{{0, 2}, {1}}, split([]float64{100, 3000, 60}))
	assert.Equal(t, [][]int{{0}, {1}}, split([]float64{30, 0.3}), "in the order of the chapters")
	assert.Equal(t, [][]int{{0, 1}}, split([]float64{0, 7}), "what has no figure needs no axis")
	assert.Nil(t, split(nil))
}

func TestMechanismIsTheNameWithoutKindAndSize(t *testing.T) {
	for name, want := range map[string]string{
		"Transfer/1KiB": "", "FIFO/1KiB": "FIFO", "PingPong": "", "SeqpacketPingPong": "Seqpacket",
		"Transfer/1024B": "", "Ring/1KiB/futex": "Ring, futex", "Transfer": "",
	} {
		assert.Equal(t, want, mechanism(gauge.Benchmark{Name: name, Size: 1024}), name)
	}
}

func TestJudgedCodeHasItsOwnName(t *testing.T) {
	for impl, want := range map[string]string{
		"": "yours", "reference": "reference, judged", "wrong/x": "wrong/x", "/home/me/submissions/alice": "alice",
	} {
		assert.Equal(t, want, run{Result: gauge.Result{Impl: impl}}.contestant(gauge.Yours), impl)
	}
}

// TestOddFiguresAreDrawnOrLeftOut: what a run that was stopped leaves may be
// zero, or not a number.
func TestOddFiguresAreDrawnOrLeftOut(t *testing.T) {
	s := scale{max: 10}
	assert.Nil(t, newBar(s, "c", 5, 0, 0).Whisker)
	assert.Nil(t, newBar(s, "c", 5, math.Inf(-1), math.Inf(1)).Whisker)
	assert.Equal(t, "1.2 × the scale", newBar(s, "c", 12, 11, 13).Cut)
	assert.Equal(t, &whisker{Place: "left:80.000%;width:20.000%", Open: true}, newBar(s, "c", 9, 8, 13).Whisker, "it goes on beyond the axis")
	assert.Equal(t, &whisker{Place: "left:80.000%;width:15.000%"}, newBar(s, "c", 9, 8, 9.5).Whisker)

	_, there := measure(gauge.Benchmark{Measured: map[string]gauge.Measure{gauge.C: {Median: math.NaN()}}}, gauge.C)
	assert.False(t, there)
	half := 0.5
	m, there := measure(gauge.Benchmark{SecondsPerOp: map[string]*float64{gauge.C: &half}}, gauge.C)
	assert.True(t, there)
	assert.Equal(t, half, m.Median)
}
