package pipe_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	pipe "ipcworkbook/chapters/01-pipe"
	"ipcworkbook/harness/lab"
)

// BenchmarkTransfer measures messages from a producer process to this one. The
// start of the process is outside the measurement. Every message is checked.
func BenchmarkTransfer(b *testing.B) {
	for _, size := range lab.Sizes {
		b.Run(lab.SizeName(size), func(b *testing.B) {
			l := lab.NewBench(b, size)
			r, w := open(l.Lab)
			p := l.Start(benchmarkProducer, lab.HandOver("w", w))
			l.Transfer(p, r)
		})
	}
}

var benchmarkProducer = lab.NewRole("benchmark producer", func(c *lab.Child) error {
	return c.Produce(pipe.NewWriter(c.File("w")))
})

// BenchmarkRecv measures the same with Recv, which takes new memory for each
// message.
func BenchmarkRecv(b *testing.B) {
	const size = 1 << 10
	b.Run(lab.SizeName(size), func(b *testing.B) {
		l := lab.NewBench(b, size)
		r, w := open(l.Lab)
		p := l.Start(benchmarkProducer, lab.HandOver("w", w))
		l.Transfer(p, lab.Fresh{From: r})
	})
}

// BenchmarkFIFO measures the same through a FIFO, which has a name. The producer
// opens it by that name. And a message of one byte there and back, over two FIFOs.
func BenchmarkFIFO(b *testing.B) {
	for _, size := range lab.Sizes {
		b.Run(lab.SizeName(size), func(b *testing.B) {
			l := lab.NewBench(b, size)
			path := l.Path("fifo")
			p := l.Start(benchmarkFIFOProducer, lab.Tell("path", path))
			l.Transfer(p, openFIFO(l, path))
		})
	}
	b.Run("PingPong", func(b *testing.B) {
		l := lab.NewBench(b, 1)
		there, back := l.Path("there"), l.Path("back")
		p := l.Start(benchmarkFIFOEcho, lab.Tell("there", there), lab.Tell("back", back))
		w, err := pipe.OpenWriter(there)
		require.NoError(l, err, "OpenWriter()")
		l.CloseAtEnd(w)
		l.PingPong(p, w, openFIFO(l, back))
	})
}

func openFIFO(l *lab.Bench, path string) *pipe.Reader {
	r, err := pipe.OpenReader(path)
	require.NoError(l, err, "OpenReader()")
	l.CloseAtEnd(r)
	return r
}

var benchmarkFIFOProducer = lab.NewRole("benchmark FIFO producer", func(c *lab.Child) error {
	w, err := pipe.OpenWriter(c.Text("path"))
	if err != nil {
		return err
	}
	return c.Produce(w)
})

var benchmarkFIFOEcho = lab.NewRole("benchmark echo, FIFO", func(c *lab.Child) error {
	r, err := pipe.OpenReader(c.Text("there"))
	if err != nil {
		return err
	}
	w, err := pipe.OpenWriter(c.Text("back"))
	if err != nil {
		return err
	}
	return c.Echo(r, w)
})

// BenchmarkPingPong measures a message of one byte to another process and back,
// over two pipes.
func BenchmarkPingPong(b *testing.B) {
	l := lab.NewBench(b, 1)
	r, theirW := open(l.Lab)
	theirR, w := open(l.Lab)
	p := l.Start(benchmarkEcho, lab.HandOver("r", theirR), lab.HandOver("w", theirW))
	l.PingPong(p, w, r)
}

var benchmarkEcho = lab.NewRole("benchmark echo", func(c *lab.Child) error {
	return c.Echo(pipe.NewReader(c.File("r")), pipe.NewWriter(c.File("w")))
})
