package gauge_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/verdict"
)

func result(impl string, date time.Time) gauge.Result {
	return gauge.Result{
		Chapter: 1, Name: "pipe", Impl: impl, Verdict: verdict.Pass, Date: date,
		Machine: gauge.Machine{CPU: "some processor", Cores: 2, Kernel: "Linux 6.18"},
		Benchmarks: []gauge.Benchmark{{
			Name: oneKiB, Kind: gauge.Transfer, Size: 1024, Messages: 8192, Rounds: 2, Verdict: verdict.Pass,
			Measured: map[string]gauge.Measure{
				gauge.Yours: {Samples: []float64{2e-6, 3e-6}, Wholes: []float64{0.02, 0.03}},
				gauge.C:     {Samples: []float64{1e-6, 1e-6}, Wholes: []float64{0.01, 0.01}},
			},
		}},
	}
}

// The file is read by what reads Go benchmarks.
func TestBenchmarkFormat(t *testing.T) {
	var text bytes.Buffer
	require.NoError(t, gauge.WriteBench(&text, result("", time.Unix(0, 0))))
	r := benchfmt.NewReader(&text, "text")
	var seen []string
	for r.Scan() {
		line, is := r.Result().(*benchfmt.Result)
		require.True(t, is, "%v", r.Result())
		seconds, has := line.Value("sec/op")
		require.True(t, has)
		seen = append(seen, line.GetConfig("contestant")+" "+line.Name.String())
		require.InDelta(t, 2e-6, seconds, 1.1e-6)
		rate, _ := line.Value("B/s")
		require.InEpsilon(t, 1024/seconds, rate, 0.001)
	}
	require.NoError(t, r.Err())
	require.Equal(t, []string{"yours " + oneKiB, "yours " + oneKiB, "c " + oneKiB, "c " + oneKiB}, seen)
}

func TestKept(t *testing.T) {
	root, c := t.TempDir(), pipe(t)
	chapters := []book.Chapter{c}
	results, err := gauge.Kept(root, chapters)
	require.NoError(t, err)
	require.Empty(t, results, "nothing was measured")

	old, young := time.Unix(1000, 0).UTC(), time.Unix(2000, 0).UTC()
	kept := func(rs ...gauge.Result) gauge.Result {
		for _, r := range rs {
			require.NoError(t, gauge.Keep(root, c, r))
		}
		results, err := gauge.Kept(root, chapters)
		require.NoError(t, err)
		require.Len(t, results, 1)
		return results[0]
	}
	require.Equal(t, "other/a b", kept(result("reference", old), result("other/a b", young)).Impl, "the newest")
	require.Equal(t, "", kept(result("", old)).Impl, "the learner's own comes first")
	require.Equal(t, result("", young), kept(result("", young)), "as it was")
	nothing := result("", young.Add(time.Hour))
	nothing.Benchmarks = nil
	require.Equal(t, result("", young), kept(nothing), "a result without figures replaces none")

	asJSON, _ := gauge.Paths(root, c, "")
	require.NoError(t, os.WriteFile(asJSON, []byte(`{"chapter":`), 0o644))
	_, err = gauge.Kept(root, chapters)
	require.ErrorContains(t, err, asJSON)
}
