package screen_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"ipcworkbook/harness/desk/screen"
	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/verdict"
)

// took is what a contestant made of a benchmark, in seconds per message, beside
// a reference that took so long.
func took(median, reference float64) gauge.Measure {
	ratio := reference / median
	return gauge.Measure{
		Median: median, Low: 0.97 * median, High: 1.04 * median,
		Ratio: ratio, RatioLow: 0.96 * ratio, RatioHigh: 1.03 * ratio,
	}
}

// benchmark is one in which everybody took part. The reference takes so many
// seconds, yours that divided by the ratio.
func benchmark(name, title, kind string, size, messages int, reference, ratio float64) gauge.Benchmark {
	b := gauge.Benchmark{
		Name: name, Title: title, Kind: kind, Size: size, Messages: messages,
		Gate: 0.5, Fast: 0.85, Rounds: 10,
		Ratio: ratio, Low: 0.96 * ratio, High: 1.03 * ratio, Verdict: verdict.Pass,
		Measured: map[string]gauge.Measure{
			gauge.Yours:     took(reference/ratio, reference),
			gauge.Reference: took(reference, reference),
			gauge.Python:    took(4.5*reference, reference),
			gauge.C:         took(0.95*reference, reference),
			gauge.Limit:     took(0.05*reference, reference),
			gauge.Memcpy:    took(0.025*reference, reference),
		},
	}
	yours := b.Measured[gauge.Yours]
	yours.Whole = yours.Median*float64(messages) + 250e-6
	b.Measured[gauge.Yours] = yours
	return b
}

// measured is chapter 1, with everything there.
func measured() gauge.Result {
	r := gauge.Result{
		Chapter: 1, Name: "pipe", Title: "Pipes", Verdict: verdict.Pass,
		Date: time.Date(2026, 3, 1, 14, 2, 0, 0, time.UTC),
		Machine: gauge.Machine{
			CPU: "Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz", Cores: 2, Kernel: "Linux 6.18.1 x86_64",
			Go: "go1.26.8", Python: "Python 3.13.5", C: "gcc 14.2.0",
		},
		Benchmarks: []gauge.Benchmark{
			benchmark("Transfer/64B", "64 B messages from one process to another", gauge.Transfer, 64, 131072, 0.92e-6, 0.91),
			benchmark("Transfer/1KiB", "1 KiB messages from one process to another", gauge.Transfer, 1<<10, 8192, 2e-6, 0.97),
			benchmark("Transfer/64KiB", "64 KiB messages from one process to another", gauge.Transfer, 64<<10, 2048, 31e-6, 1.02),
			benchmark("FIFO/1KiB", "1 KiB messages through a FIFO, which has a name of its own", gauge.Transfer, 1<<10, 8192, 1.9e-6, 0.88),
			benchmark("PingPong", "1 B to another process and back", gauge.PingPong, 1, 10000, 9.8e-6, 0.79),
		},
	}
	// Shared memory is no faster for a large message than a pipe is, almost.
	large := r.Benchmarks[2].Measured
	large[gauge.Limit] = took(0.97*31e-6, 31e-6)
	large[gauge.Memcpy] = took(0.2*31e-6, 31e-6)
	return r
}

// without takes a contestant out.
func without(r gauge.Result, who, why string) gauge.Result {
	for _, b := range r.Benchmarks {
		delete(b.Measured, who)
	}
	if r.Missing == nil {
		r.Missing = map[string]string{}
	}
	r.Missing[who] = why
	return r
}

// failed lets yours fail in a late round: something was measured before.
func failed(b *gauge.Benchmark, v verdict.Verdict, message string, line int) {
	b.Verdict, b.Message, b.Ratio, b.Low, b.High = v, message, 0, 0, 0
	if line > 0 {
		b.File, b.Line = "chapters/01-pipe/pipe.go", line
	}
}

// slow makes yours slow.
func slow(r gauge.Result, ratio float64) gauge.Result {
	b := &r.Benchmarks[1]
	*b = benchmark(b.Name, b.Title, b.Kind, b.Size, b.Messages, 2e-6, ratio)
	r.Verdict, b.Verdict = verdict.Slow, verdict.Slow
	b.Message = fmt.Sprintf("For each message your code takes %.2f µs, the reference 2.00 µs: that is %.3g of its speed.\nAt least 0.50 is asked for.\n\n", 2/ratio, ratio) +
		"For each message it made 2.0 write calls, the reference 1.0.\nA system call costs more than the bytes that it moves: give it all that there is."
	b.File, b.Line = "chapters/01-pipe/pipe.go", 120
	return r
}

// onTerminal is what a terminal of so many columns gets.
func onTerminal(t *testing.T, columns int, show func(*os.File)) string {
	t.Helper()
	ours, theirs, err := pty.Open()
	require.NoError(t, err)
	defer ours.Close()
	require.NoError(t, pty.Setsize(theirs, &pty.Winsize{Rows: 24, Cols: uint16(columns)}))
	got := make(chan []byte)
	go func() {
		text, _ := io.ReadAll(ours) // ends with EIO once nobody has the other side
		got <- text
	}()
	show(theirs)
	require.NoError(t, theirs.Close())
	return string(<-got)
}

// terminal is what a screen shows on a terminal, without its line ends.
func terminal(t *testing.T, show func(screen.Screen)) string {
	t.Helper()
	text := onTerminal(t, 80, func(f *os.File) { show(screen.New(f, "task")) })
	return strings.ReplaceAll(text, "\r\n", "\n")
}

// locale is one in which a test does not depend on who runs it.
func locale(t *testing.T, name string) {
	t.Setenv("LC_ALL", name)
	t.Setenv("TERM", "xterm-256color")
	t.Setenv("NO_COLOR", "1")
}

func TestBenchmarksOnATerminal(t *testing.T) {
	locale(t, "C.UTF-8")
	results := map[string]func() gauge.Result{
		"pass": measured,
		"alone": func() gauge.Result {
			return without(without(measured(), gauge.Python, "python3 is not installed"), gauge.C, "cc is not installed")
		},
		"slow": func() gauge.Result { return slow(measured(), 0.41) },
		"wrong": func() gauge.Result {
			r := measured()
			r.Verdict = verdict.Hung
			failed(&r.Benchmarks[1], verdict.Wrong, "Recv(), message 17 of 8192\n  expected: the bytes that were sent, with number 17 in them\n  got:      number 18\n\nWas a message lost?", 120)
			failed(&r.Benchmarks[4], verdict.Hung, "2 s passed and nothing moved.\n\n  producer (pid 8) is blocked in write(2) at pipe.go:91, (*Writer).Send", 91)
			return r
		},
		"todo": func() gauge.Result {
			r := measured()
			r.Verdict = verdict.Todo
			for i := range r.Benchmarks {
				failed(&r.Benchmarks[i], verdict.Todo, "New()\n  expected: no error\n  got:      New is not written yet (pipe.go:86)", 86)
				r.Benchmarks[i].Measured, r.Benchmarks[i].Rounds = nil, 0
			}
			return r
		},
		"partial": func() gauge.Result {
			r := measured()
			r.Partial = "Stopped after 0 of 10 rounds."
			r.Notes = []string{"The machine was busy before: 1.7 processes wanted its 2 cores. Ratios hold, but spread more."}
			for i := range r.Benchmarks[2:] {
				b := &r.Benchmarks[i+2]
				b.Verdict, b.Message, b.Measured, b.Ratio, b.Rounds = verdict.Unsupported, "It was not measured.", nil, 0, 0
			}
			return r
		},
		"impl": func() gauge.Result {
			r := measured()
			r.Impl = "reference"
			return r
		},
		"fault": func() gauge.Result {
			return gauge.Result{Chapter: 1, Name: "pipe", Verdict: verdict.Fault, Message: "the workbook itself\n  building the reference: exit status 1"}
		},
		"broken": func() gauge.Result {
			return gauge.Result{Chapter: 1, Name: "pipe", Verdict: verdict.Broken, Message: "chapters/01-pipe/pipe.go:9:2: undefined: x"}
		},
	}
	for name, result := range results {
		t.Run(name, func(t *testing.T) {
			golden(t, "bench-"+name, terminal(t, func(s screen.Screen) {
				s.Options = map[string]string{"impl": "impl=reference"}[name]
				s.Bench(result())
			}))
		})
	}
}

func TestBenchmarksInALog(t *testing.T) {
	locale(t, "C.UTF-8")
	var b bytes.Buffer
	screen.To(&b, "task").Bench(slow(measured(), 0.496))
	golden(t, "bench-log", b.String())
	require.NotContains(t, b.String(), "█")
	require.Contains(t, b.String(), "0.496 (", "0.50 would not be less than 0.50")
}

func TestBenchmarksInALocaleWithoutUTF8(t *testing.T) {
	locale(t, "C")
	got := terminal(t, func(s screen.Screen) { s.Bench(slow(measured(), 0.41)) })
	golden(t, "bench-ascii", got)
	require.Equal(t, len(got), utf8.RuneCountInString(got), "a character that is not ASCII")
}

// Without its colours a screen says the same.
func TestColourCarriesNoMeaningOfItsOwn(t *testing.T) {
	locale(t, "C.UTF-8")
	show := func(s screen.Screen) { s.Bench(slow(measured(), 0.41)) }
	plain := terminal(t, show)
	require.NoError(t, os.Unsetenv("NO_COLOR"))
	colored := terminal(t, show)
	require.Contains(t, colored, "\x1b[31m")
	require.NotContains(t, plain, "\x1b")
	require.Equal(t, plain, withoutColors(colored))
}

func withoutColors(text string) string {
	for _, code := range []string{"0", "1", "2", "31", "32", "33", "35"} {
		text = strings.ReplaceAll(text, "\x1b["+code+"m", "")
	}
	return text
}

func TestAllOfItFitsTheScreen(t *testing.T) {
	files, err := filepath.Glob("testdata/bench-*.golden")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for i, line := range strings.Split(string(text), "\n") {
			assert.LessOrEqual(t, utf8.RuneCountInString(line), 80, "%s:%d", file, i+1)
			assert.Equal(t, strings.TrimRight(line, " "), line, "%s:%d ends in blanks", file, i+1)
		}
	}
}

// Figures of three digits never become four by rounding.
func TestFiguresHaveThreeDigits(t *testing.T) {
	for seconds, want := range map[float64]string{
		9.5e-8: "95.0 ns", 999.4e-9: "999 ns", 999.6e-9: "1.00 µs", 9.996e-6: "10.0 µs", 99.96e-6: "100 µs", 1.5e-3: "1.50 ms", 2: "2.00 s",
	} {
		var b bytes.Buffer
		locale(t, "C.UTF-8")
		ping := benchmark("PingPong", "there and back", gauge.PingPong, 1, 10, seconds, 1)
		screen.To(&b, "task").Bench(gauge.Result{Benchmarks: []gauge.Benchmark{ping}})
		assert.Contains(t, b.String(), " "+want+"\n", "of the reference, %v s", seconds)
	}
}
