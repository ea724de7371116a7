package report_test

import (
	"math"
	"time"

	"ipcworkbook/harness/judge/gauge"
	"ipcworkbook/harness/verdict"
)

// nasty is what a learner's code may print.
const nasty = `<script>alert("gotcha")</script> & </style> <img src="http://example.com/x.png" onerror=alert(1)> {{.Name}}`

var machine = gauge.Machine{
	CPU: "AMD EPYC 7763 64-Core Processor", Cores: 2, Kernel: "Linux 6.18.1", Go: "go1.26.8",
	Python: "Python 3.11.2", C: "gcc 12.2.0",
}

// speeds are bytes per second, or for a ping-pong seconds there and back.
type speeds map[string]float64

// transfer is a benchmark as it comes out of a good run. spread is half the
// interval, as a part of the median.
func transfer(name string, size, messages int, of speeds, spread float64) gauge.Benchmark {
	seconds := speeds{}
	for c, s := range of {
		seconds[c] = float64(size) / s
	}
	return benchmark(gauge.Benchmark{Name: name, Kind: gauge.Transfer, Size: size, Messages: messages,
		Title: "messages from one process to another"}, seconds, spread)
}

func pingPong(name string, of speeds, spread float64) gauge.Benchmark {
	return benchmark(gauge.Benchmark{Name: name, Kind: gauge.PingPong, Size: 1, Messages: 2000,
		Title: "a message there and back"}, of, spread)
}

func benchmark(b gauge.Benchmark, seconds speeds, spread float64) gauge.Benchmark {
	b.Gate, b.Fast, b.Rounds, b.Verdict = 0.5, 0.9, 11, verdict.Pass
	b.SecondsPerOp, b.Measured = map[string]*float64{}, map[string]gauge.Measure{}
	reference := seconds[gauge.Reference]
	for c, s := range seconds {
		startUp := 0.011
		switch c {
		case gauge.Python:
			startUp = 0.074
		case gauge.C, gauge.Limit, gauge.Memcpy:
			startUp = 0.002
		}
		m := gauge.Measure{
			Median: s, Low: s * (1 - spread), High: s * (1 + spread),
			Whole: s*float64(b.Messages) + startUp, Samples: make([]float64, b.Rounds), Wholes: make([]float64, b.Rounds),
		}
		if reference > 0 {
			m.Ratio = reference / s
			m.RatioLow, m.RatioHigh = m.Ratio*(1-spread), m.Ratio*(1+spread)
		}
		if c == gauge.Memcpy {
			m.Whole = 0
		}
		b.SecondsPerOp[c], b.Measured[c] = &s, m
	}
	if mine := seconds[gauge.Yours]; mine > 0 && reference > 0 {
		b.Ratio = reference / mine
		b.Low, b.High = b.Ratio*(1-spread), b.Ratio*math.Min(1+spread, 2)
	}
	return b
}

// without takes a contestant out.
func without(b gauge.Benchmark, contestants ...string) gauge.Benchmark {
	for _, c := range contestants {
		b.SecondsPerOp[c] = nil
		delete(b.Measured, c)
	}
	return b
}

// ended is a benchmark that yours did not pass.
func ended(b gauge.Benchmark, v verdict.Verdict, message, file string, line int) gauge.Benchmark {
	b.Verdict, b.Message, b.File, b.Line = v, message, file, line
	if v != verdict.Slow {
		without(b, gauge.Yours)
		b.Ratio, b.Low, b.High = 0, 0, 0
	}
	return b
}

func at(hour, minute int) time.Time { return time.Date(2026, 11, 3, hour, minute, 0, 0, time.UTC) }

// sample is a book that is measured half: every kind of trouble, and good runs.
func sample() []gauge.Result {
	return []gauge.Result{sampleSocket(), samplePipe(), sampleFile(), sampleRing(), sampleBroken()}
}

func samplePipe() gauge.Result {
	return gauge.Result{
		Chapter: 1, Name: "pipe", Title: "A pipe between two processes", Verdict: verdict.Pass, Date: at(9, 12), Machine: machine,
		Notes: []string{
			"The cores are virtual: other guests of this machine take time from them.",
			"Both cores were busy with something else for 3 of 12 rounds.",
		},
		Benchmarks: []gauge.Benchmark{
			transfer("Transfer/64B", 64, 131072, speeds{gauge.Yours: 141e6, gauge.Reference: 152e6, gauge.Python: 9.1e6,
				gauge.C: 158e6, gauge.Limit: 2.4e9, gauge.Memcpy: 9.6e9}, 0.03),
			transfer("Transfer/1KiB", 1024, 8192, speeds{gauge.Yours: 1.213e9, gauge.Reference: 1.251e9, gauge.Python: 212e6,
				gauge.C: 1.318e9, gauge.Limit: 9.71e9, gauge.Memcpy: 13.4e9}, 0.04),
			transfer("Transfer/64KiB", 65536, 1024, speeds{gauge.Yours: 3.62e9, gauge.Reference: 3.38e9, gauge.Python: 1.42e9,
				gauge.C: 3.55e9, gauge.Limit: 11.2e9, gauge.Memcpy: 14.1e9}, 0.06),
			transfer("FIFO/1KiB", 1024, 8192, speeds{gauge.Yours: 0.74e9, gauge.Reference: 1.29e9, gauge.Python: 0.233e9,
				gauge.C: 1.36e9, gauge.Limit: 9.8e9, gauge.Memcpy: 13.4e9}, 0.09),
			pingPong("PingPong", speeds{gauge.Yours: 9.41e-6, gauge.Reference: 9.12e-6, gauge.Python: 21.3e-6, gauge.C: 7.98e-6,
				gauge.Limit: 0.213e-6, gauge.Memcpy: 0.7e-9}, 0.04),
		},
	}
}

// sampleFile was stopped, and has no Python and no C.
func sampleFile() gauge.Result {
	peers := []string{gauge.Python, gauge.C}
	r := gauge.Result{
		Chapter: 2, Name: "file", Title: "Messages through a file", Verdict: verdict.Slow, Date: at(9, 40), Machine: machine,
		Partial: "Interrupted with Ctrl-C after 4 of 12 rounds.",
		Missing: map[string]string{gauge.Python: "python3 is not in PATH", gauge.C: "cc is not in PATH"},
		Notes:   []string{"The file lies on overlayfs."},
	}
	slow := transfer("Transfer/64B", 64, 131072, speeds{gauge.Yours: 11e6, gauge.Reference: 61e6, gauge.Limit: 2.3e9}, 0.11)
	good := transfer("Transfer/1KiB", 1024, 8192, speeds{gauge.Yours: 0.402e9, gauge.Reference: 0.415e9, gauge.Limit: 9.6e9}, 0.17)
	good.Rounds = 3
	// Too few rounds for an interval.
	for c, m := range good.Measured {
		m.Low, m.High, m.RatioLow, m.RatioHigh = 0, 0, 0, 0
		good.Measured[c] = m
	}
	good.Low, good.High = 0, 0
	r.Benchmarks = []gauge.Benchmark{
		ended(without(slow, peers...), verdict.Slow,
			"0.18 of the reference's speed (0.16 to 0.20). The gate is 0.5.\nOne write(2) for each message of 64 bytes: gather them.", "/home/me/chapters/02-file/file.go", 44),
		without(good, peers...),
	}
	return r
}

// sampleSocket was judged with somebody else's code, on another machine.
func sampleSocket() gauge.Result {
	other := machine
	other.CPU, other.Cores, other.Kernel = "Ampere Altra", 4, "Linux 6.12.9"
	of := speeds{gauge.Yours: 0.8e9, gauge.Reference: 0.83e9, gauge.Python: 0.19e9, gauge.C: 0.86e9, gauge.Limit: 9e9}
	queue := ended(transfer("Datagram/64KiB", 65536, 1024, of, 0.02), verdict.Unsupported, "A datagram may have 8,192 bytes here (net.core.wmem_max).", "", 0)
	without(queue, gauge.Reference, gauge.Python, gauge.C)
	return gauge.Result{
		Chapter: 3, Name: "socket", Title: "AF_UNIX sockets", Impl: "wrong/two-writes", Verdict: verdict.Crashed, Date: at(11, 5), Machine: other,
		Benchmarks: []gauge.Benchmark{
			ended(transfer("Transfer/64B", 64, 131072, speeds{gauge.Reference: 97e6, gauge.Python: 8.3e6, gauge.C: 101e6}, 0.02), verdict.Wrong, nasty, "socket.go", 31),
			ended(transfer("Transfer/1KiB", 1024, 8192, of, 0.03), verdict.Hung,
				"2 s passed and the consumer was still waiting.\n\n  consumer (pid 4242) is blocked in read(3) at socket.go:58, (*Conn).Recv\n  fd 3 is socket:[98123]. Its peer is still open in\n    consumer (pid 4242) as fd 4      <- itself", "socket.go", 58),
			transfer("Seqpacket/1KiB", 1024, 8192, speeds{gauge.Yours: 0.79e9, gauge.Reference: 0.83e9, gauge.Python: 0.19e9, gauge.C: 0.86e9, gauge.Limit: 9e9}, 0.03),
			queue,
			ended(pingPong("PingPong", speeds{gauge.Reference: 11.4e-6, gauge.Python: 26.9e-6, gauge.C: 10.2e-6}, 0.02), verdict.Crashed,
				"panic: runtime error: index out of range [4] with length 4", "socket.go", 77),
			ended(pingPong("SeqpacketPingPong", speeds{gauge.Reference: 11.9e-6, gauge.Python: 25.9e-6, gauge.C: 10.9e-6}, 0.02), verdict.Todo,
				"Dial is not written yet", "socket.go", 20),
		},
	}
}

// sampleRing is so fast that it needs an axis of its own.
func sampleRing() gauge.Result {
	return gauge.Result{
		Chapter: 6, Name: "shm", Title: "Shared memory", Verdict: verdict.Pass, Date: at(12, 30), Machine: machine,
		Benchmarks: []gauge.Benchmark{
			transfer("Transfer/64B", 64, 131072, speeds{gauge.Yours: 2.31e9, gauge.Reference: 2.11e9, gauge.Python: 14e6, gauge.C: 2.6e9, gauge.Limit: 2.7e9}, 0.05),
			transfer("Transfer/1KiB", 1024, 8192, speeds{gauge.Yours: 8.31e9, gauge.Reference: 8.81e9, gauge.Python: 0.11e9, gauge.C: 9.6e9, gauge.Limit: 9.7e9}, 0.05),
			transfer("Semaphore/1KiB", 1024, 8192, speeds{gauge.Yours: 0.91e9, gauge.Reference: 0.98e9, gauge.Python: 0.11e9, gauge.C: 0.99e9, gauge.Limit: 9.7e9}, 0.02),
			pingPong("PingPong", speeds{gauge.Yours: 0.31e-6, gauge.Reference: 0.28e-6, gauge.Python: 18e-6, gauge.C: 0.24e-6, gauge.Limit: 0.22e-6}, 0.05),
		},
	}
}

func sampleBroken() gauge.Result {
	return gauge.Result{
		Chapter: 7, Name: "signal", Title: "Signals", Verdict: verdict.Broken, Date: at(12, 50), Machine: machine,
		Message: "chapters/07-signal/signal.go:12:2: undefined: unix.Signalfdd\nchapters/07-signal/signal.go:19:9: x declared and not used",
	}
}

// sampleSide has three mechanisms, of which the ring is far ahead, and lacks all but one work.
func sampleSide() gauge.Side {
	of := func(seconds, pipe float64) gauge.Measure {
		ratio := pipe / seconds
		return gauge.Measure{Median: seconds, Low: seconds * 0.95, High: seconds * 1.05, Ratio: ratio, RatioLow: ratio * 0.95, RatioHigh: ratio * 1.05}
	}
	works := []gauge.SideWork{{Name: "64 B", Size: 64}, {Name: "1 KiB", Size: 1 << 10}, {Name: "64 KiB", Size: 64 << 10}, {Name: "there and back", Size: 1}}
	pipe, socket := map[string]gauge.Measure{}, map[string]gauge.Measure{}
	for _, w := range works {
		pipe[w.Name], socket[w.Name] = of(1.024e-6, 1.024e-6), of(2.048e-6, 1.024e-6)
	}
	return gauge.Side{
		Date: time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC), Machine: machine, Rounds: 10, Works: works,
		Notes: []string{"All processes share one core."},
		Mechanisms: []gauge.SideMechanism{
			{Name: "pipe", Chapter: 1, Code: gauge.Reference, Measured: pipe, StartUp: 0.002},
			{Name: "socket", Chapter: 3, Code: gauge.Reference, Measured: socket, StartUp: 0.003},
			{Name: "ring", Chapter: 5, Code: gauge.Yours, Measured: map[string]gauge.Measure{"1 KiB": of(2.56e-8, 1.024e-6)}, StartUp: 0.003,
				Lacks: map[string]string{"64 B": "it does not build: oh", "64 KiB": "no", "there and back": "no"}},
		},
	}
}
