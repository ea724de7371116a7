package gauge_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/judge/book"
	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/judge/overlay"
	"ipcworkbook/harness/verdict"
)

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../..")
	require.NoError(t, err)
	return dir
}

func pipe(t *testing.T) book.Chapter {
	t.Helper()
	c, err := book.Find("pipe")
	require.NoError(t, err)
	return c
}

// plain is chapter 1's plain solution with edits.
func plain(t *testing.T, edits ...overlay.Edit) overlay.Impl {
	t.Helper()
	impl, err := overlay.Open(filepath.Join(root(t), pipe(t).Solution(), "testdata", "other", "plain"))
	require.NoError(t, err)
	files, err := impl.Read()
	require.NoError(t, err)
	if len(edits) > 0 {
		require.NoError(t, overlay.Apply(files, edits))
	}
	return overlay.Memory("learner", files)
}

// received makes an edit that puts code before RecvInto returns a message.
func received(code string) overlay.Edit {
	return overlay.Edit{File: "pipe.go", Old: "\treturn p, nil\n", New: code + "\n\treturn p, nil\n"}
}

// counting makes room for a counter in the Reader.
var counting = overlay.Edit{File: "pipe.go", Old: "type Reader struct {\n", New: "type Reader struct {\n\tn int\n"}

// measure runs the gauge in a folder for temporary files that has to be empty
// afterwards.
func measure(t *testing.T, o gauge.Options) gauge.Result {
	t.Helper()
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	o.Root, o.Chapter, o.From = root(t), pipe(t), root(t)
	r, err := gauge.Run(context.Background(), o)
	require.NoError(t, err)
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, left, "temporary files of the run")
	return r
}

const oneKiB = "Transfer/1KiB"

// A solution that does less than it is asked for is wrong, and has no figure.
func TestFastAndWrongIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		edits   []overlay.Edit
		verdict verdict.Verdict
		words   []string
	}{
		"skips a message": {[]overlay.Edit{counting, received("\tif r.n++; r.n == 6 {\n\t\treturn r.RecvInto(buf)\n\t}")},
			verdict.Wrong, []string{"message 6 came in the place of message 5"}},
		"gives one twice": {[]overlay.Edit{counting, {File: "pipe.go",
			Old: "func (r *Reader) RecvInto(buf []byte) ([]byte, error) {\n",
			New: "var last []byte\n\nfunc (r *Reader) RecvInto(buf []byte) ([]byte, error) {\n\tif r.n++; r.n == 6 {\n\t\treturn last, nil\n\t}\n"},
			received("\tlast = p")},
			verdict.Wrong, []string{"message 4 came in the place of message 5"}},
		"damages one": {[]overlay.Edit{counting, received("\tif r.n++; r.n == 6 {\n\t\tp[1000] ^= 1\n\t}")},
			verdict.Wrong, []string{"RecvInto() of message 5"}},
		"cuts one": {[]overlay.Edit{counting, received("\tif r.n++; r.n == 6 {\n\t\tp = p[:1000]\n\t}")},
			verdict.Wrong, []string{"RecvInto() of message 5"}},
		"invents the end": {[]overlay.Edit{counting, received("\tif r.n++; r.n == 6 {\n\t\treturn nil, io.EOF\n\t}")},
			verdict.Wrong, []string{"RecvInto() of message 5", "EOF"}},
		"prints figures of its own and stops": {[]overlay.Edit{counting, received(
			"\tif r.n++; r.n == 6 {\n\t\tfmt.Println(\"BenchmarkTransfer/1KiB-2 8192 1.0 ns/op\\nPASS\")\n\t\tos.Exit(0)\n\t}")},
			verdict.Crashed, []string{"os.Exit"}},
		"panics": {[]overlay.Edit{counting, received("\tif r.n++; r.n == 6 {\n\t\tpanic(\"six\")\n\t}")},
			verdict.Crashed, []string{"panic: six", "pipe.go"}},
		"hangs": {[]overlay.Edit{counting, received("\tif r.n++; r.n == 6 {\n\t\tselect {}\n\t}")},
			verdict.Hung, []string{"select", "pipe.go"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := measure(t, gauge.Options{Impl: plain(t, c.edits...), Benchmarks: []string{oneKiB}, Alone: true, Rounds: 2})
			require.Len(t, r.Benchmarks, 1)
			b := r.Benchmarks[0]
			require.Equal(t, c.verdict, b.Verdict, b.Message)
			require.Equal(t, c.verdict, r.Verdict)
			for _, word := range c.words {
				require.Contains(t, b.Message, word)
			}
			require.Equal(t, "learner/pipe.go", b.File)
			require.Nil(t, b.SecondsPerOp[gauge.Yours], "no figure")
			require.Zero(t, b.Ratio)
		})
	}
}

func TestAStubIsTodo(t *testing.T) {
	r := measure(t, gauge.Options{Impl: overlay.Memory("stub", pipe(t).Stub()), Alone: true, Rounds: 2})
	require.Equal(t, verdict.Todo, r.Verdict)
	require.Len(t, r.Benchmarks, len(pipe(t).Benchmarks))
	for _, b := range r.Benchmarks {
		require.Equal(t, verdict.Todo, b.Verdict, b.Message)
	}
}

func TestWhatDoesNotBuildIsBroken(t *testing.T) {
	r := measure(t, gauge.Options{Impl: plain(t, received("\tx := 1")), Alone: true, Rounds: 2})
	require.Equal(t, verdict.Broken, r.Verdict)
	require.Contains(t, r.Message, "declared and not used: x")
	for _, b := range r.Benchmarks {
		require.Equal(t, verdict.Broken, b.Verdict)
		require.Equal(t, "learner/pipe.go", b.File)
		require.Positive(t, b.Line)
	}
}

// One byte at a time: slow, and the message says what it does so often.
func TestASlowSolutionIsSlow(t *testing.T) {
	r := measure(t, gauge.Options{
		Impl: plain(t, overlay.Edit{File: "pipe.go",
			Old: "\t_, err := io.ReadFull(r.f, p)\n",
			New: "\tvar err error\n\tfor i := range p {\n\t\tif _, err = io.ReadFull(r.f, p[i:i+1]); err != nil {\n\t\t\tbreak\n\t\t}\n\t}\n"}),
		Benchmarks: []string{oneKiB}, Alone: true, Hasty: true,
	})
	b := r.Benchmarks[0]
	require.Equal(t, verdict.Slow, b.Verdict, b.Message)
	require.Less(t, b.High, b.Gate, "it is clear")
	require.Contains(t, b.Message, "read calls")
	require.InDelta(t, 1025, b.Measured[gauge.Yours].PerMessage.Reads, 2)
}

// wasMeasured asserts that a correct solution was measured. So few rounds say nothing of
// its speed: it may be judged slow, and no more.
func wasMeasured(t *testing.T, r gauge.Result) {
	t.Helper()
	require.Contains(t, []verdict.Verdict{verdict.Pass, verdict.Slow}, r.Verdict, r.Message)
}

func TestEverybodyTakesPart(t *testing.T) {
	var turns []gauge.Turn
	r := measure(t, gauge.Options{Impl: plain(t), Rounds: 6, Benchmarks: []string{oneKiB, "PingPong"},
		Progress: func(turn gauge.Turn) { turns = append(turns, turn) }})
	wasMeasured(t, r)
	for _, b := range r.Benchmarks {
		for _, name := range gauge.Contestants {
			m, there := b.Measured[name]
			if !there && name == gauge.Memcpy && b.Kind == gauge.PingPong {
				continue
			}
			if !there {
				assert.NotEmpty(t, r.Missing[name], "%s took no part in %s, and nothing says why", name, b.Name)
				assert.Nil(t, b.SecondsPerOp[name])
				continue
			}
			assert.GreaterOrEqual(t, len(m.Samples), 6, "%s in %s", name, b.Name)
			assert.LessOrEqual(t, m.Low, m.Median)
			assert.LessOrEqual(t, m.Median, m.High)
			assert.Positive(t, m.Low)
			assert.GreaterOrEqual(t, m.Whole, m.Median*float64(b.Messages)/2)
			assert.Equal(t, m.Median, *b.SecondsPerOp[name])
		}
		assert.Equal(t, 1.0, b.Measured[gauge.Reference].Ratio)
	}
	// Turns alternate: nobody has two in a row.
	for i := range turns[1:] {
		assert.NotEqual(t, turns[i].Contestant, turns[i+1].Contestant)
	}
	text, err := json.Marshal(r)
	require.NoError(t, err, "no figure is infinite")
	var contract struct {
		Chapter    int
		Verdict    string
		Benchmarks []struct {
			Name           string
			Gate, Ratio    float64
			Verdict        string
			SecondsPerOp   map[string]*float64 `json:"seconds_per_op"`
			RatioLow, High float64
		}
	}
	require.NoError(t, json.Unmarshal(text, &contract))
	require.Equal(t, string(r.Verdict), contract.Verdict)
	require.Equal(t, oneKiB, contract.Benchmarks[0].Name)
	for _, name := range []string{"yours", "reference", "python", "c", "limit"} {
		require.Contains(t, contract.Benchmarks[0].SecondsPerOp, name)
	}
}

// Without python3 and cc the columns say so, and the verdict is the same.
func TestWithoutPythonAndC(t *testing.T) {
	// Go itself has to be found, and nothing else.
	bin := t.TempDir()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if path := filepath.Join(dir, "go"); exists(path) {
			require.NoError(t, os.Symlink(path, filepath.Join(bin, "go")))
			break
		}
	}
	t.Setenv("PATH", bin)
	t.Setenv("CC", "")
	r := measure(t, gauge.Options{Impl: plain(t), Rounds: 2, Benchmarks: []string{"PingPong"}})
	wasMeasured(t, r)
	require.Contains(t, r.Missing[gauge.Python], "python3")
	require.Contains(t, r.Missing[gauge.C], "cc")
	require.Nil(t, r.Benchmarks[0].SecondsPerOp[gauge.Python])
	require.Nil(t, r.Benchmarks[0].SecondsPerOp[gauge.C])
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// What was measured before somebody stopped it is kept, and marked.
func TestStoppedInTheMiddle(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	r, err := gauge.Run(ctx, gauge.Options{
		Root: root(t), Chapter: pipe(t), From: root(t), Impl: plain(t), Alone: true, Rounds: 100,
		Progress: func(turn gauge.Turn) {
			if turn.Round == 3 && turn.Benchmark == "FIFO/1KiB" {
				stop()
			}
		},
	})
	require.NoError(t, err)
	require.Equal(t, "Stopped after 2 of 100 rounds.", r.Partial)
	var rounds []int
	for _, b := range r.Benchmarks {
		require.Positive(t, b.Ratio)
		rounds = append(rounds, b.Rounds)
	}
	require.Equal(t, []int{3, 3, 3, 3, 2, 2}, rounds)
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, left, "temporary files of the run")

	stop()
	r, err = gauge.Run(ctx, gauge.Options{Root: root(t), Chapter: pipe(t), From: root(t), Impl: plain(t)})
	require.NoError(t, err)
	require.NotEmpty(t, r.Partial)
	require.NotEqual(t, verdict.Pass, r.Verdict, "nothing was measured")
}

func TestUnknownBenchmark(t *testing.T) {
	_, err := gauge.Run(context.Background(), gauge.Options{Root: root(t), Chapter: pipe(t), Impl: plain(t), Benchmarks: []string{"Transfer/2KiB"}})
	require.ErrorContains(t, err, `no benchmark "Transfer/2KiB". Choose one of: Transfer/64B`)
}

// The processes run where the options say.
func TestWhereTheProcessesRun(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("there is one core, so there is nothing to choose")
	}
	at := func(t *testing.T, how int, function string) string {
		t.Helper()
		r := measure(t, gauge.Options{
			Impl: plain(t, overlay.Edit{File: "pipe.go", Old: function + " {\n", New: function + " {\n" +
				"\tstatus, _ := os.ReadFile(\"/proc/self/status\")\n" +
				"\t_, status, _ = bytes.Cut(status, []byte(\"Cpus_allowed_list:\"))\n" +
				"\tpanic(fmt.Sprintf(\"runs on %s.\", bytes.Fields(status)[0]))\n"},
				overlay.Edit{File: "pipe.go", Old: "import (\n", New: "import (\n\t\"bytes\"\n"}),
			Benchmarks: []string{oneKiB}, Alone: true, Rounds: 1, Cores: how,
		})
		m := regexp.MustCompile(`runs on (\S+)\.`).FindStringSubmatch(r.Benchmarks[0].Message)
		require.NotNil(t, m, r.Benchmarks[0].Message)
		return m[1]
	}
	const first, second = "func (r *Reader) RecvInto(buf []byte) ([]byte, error)", "func (w *Writer) Send(p []byte) error"
	shared := at(t, gauge.Shared, first)
	require.NotContains(t, shared, "-", "one core, no range")
	require.NotContains(t, shared, ",")
	require.Equal(t, shared, at(t, gauge.Shared, second))
	apart := at(t, gauge.Apart, second)
	require.NotEqual(t, shared, apart)
	require.NotContains(t, apart, "-")
	require.NotEqual(t, shared, at(t, gauge.Free, first))
}
