package joinable_test

import (
	"io"
	"testing"

	joinable "ipcworkbook/chapters/07-joinable"
	"ipcworkbook/harness/lab"
)

// benchmarkBound is the bound of all queues here, and of the programs in C and Python beside them.
const benchmarkBound = 128

// BenchmarkOneToOne measures items from a producer process to this one, which marks each as done.
// The start of the process is outside the measurement. Every item is checked.
func BenchmarkOneToOne(b *testing.B) {
	for _, size := range lab.Sizes {
		b.Run(lab.SizeName(size), func(b *testing.B) { transfer(b, size) })
	}
}

// BenchmarkPingPong measures an item of one byte to another process and back, through two queues.
func BenchmarkPingPong(b *testing.B) {
	l := lab.NewBench(b, 1)
	there, back := queue(l.Lab, benchmarkBound, 1), queue(l.Lab, benchmarkBound, 1)
	p := l.Start(benchmarkEcho, append(handedAs("there", there), handedAs("back", back)...)...)
	l.PingPong(p, putter{there}, taker{back})
}

var benchmarkEcho = lab.NewRole("benchmark echo", func(c *lab.Child) error {
	there, err := attachedAs("there", c)
	if err != nil {
		return err
	}
	back, err := attachedAs("back", c)
	if err != nil {
		return err
	}
	return c.Echo(taker{there}, putter{back})
})

// BenchmarkTwoToThree measures items from two producers to three consumers, until Join has
// returned.
func BenchmarkTwoToThree(b *testing.B) {
	for _, size := range []int{64, 1 << 10} {
		b.Run(lab.SizeName(size), func(b *testing.B) {
			l := lab.NewBench(b, size)
			q := queue(l.Lab, benchmarkBound, size)
			l.Crowd(benchmarkPutter, benchmarkTaker, crowded{q}, handed(q)...)
		})
	}
}

// BenchmarkPipe, BenchmarkRing and BenchmarkFutex are what BenchmarkOneToOne measures, too. The
// programs in C and Python that stand beside them use a pipe, a ring in shared memory, and a
// queue whose lock is a futex.
func BenchmarkPipe(b *testing.B)  { b.Run("1KiB", func(b *testing.B) { transfer(b, 1<<10) }) }
func BenchmarkRing(b *testing.B)  { b.Run("1KiB", func(b *testing.B) { transfer(b, 1<<10) }) }
func BenchmarkFutex(b *testing.B) { b.Run("1KiB", func(b *testing.B) { transfer(b, 1<<10) }) }

func transfer(b *testing.B, size int) {
	l := lab.NewBench(b, size)
	q := queue(l.Lab, benchmarkBound, size)
	l.Transfer(l.Start(benchmarkProducer, handed(q)...), taker{q})
}

var benchmarkProducer = lab.NewRole("benchmark producer", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	return c.Produce(putter{q})
})

var benchmarkPutter = lab.NewRole("benchmark producer of two", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	return c.Put(crowdPutter{putter{q}})
})

var benchmarkTaker = lab.NewRole("benchmark consumer of three", func(c *lab.Child) error {
	q, err := attached(c)
	if err != nil {
		return err
	}
	return c.Take(taker{q})
})

// putter puts what is sent. An empty item says that it was the last one.
type putter struct{ q *joinable.Queue }

func (p putter) Send(item []byte) error { return p.q.Put(forever, item) }

func (p putter) Close() error {
	if err := p.q.Put(forever, []byte{}); err != nil {
		return err
	}
	return p.q.Close()
}

// crowdPutter says nothing of the end: the maker's Close does.
type crowdPutter struct{ putter }

func (p crowdPutter) Close() error { return p.q.Close() }

// taker takes, and marks each item as done.
type taker struct{ q *joinable.Queue }

func (t taker) RecvInto(buf []byte) ([]byte, error) {
	item, err := t.q.GetInto(forever, buf)
	if err != nil {
		return nil, err
	}
	if err := t.q.TaskDone(); err != nil {
		return nil, err
	}
	if len(item) == 0 {
		return nil, io.EOF
	}
	return item, nil
}

// crowded is the queue as the process sees it that waits until all is done.
type crowded struct{ q *joinable.Queue }

func (c crowded) Join() error  { return c.q.Join(forever) }
func (c crowded) Close() error { return c.q.Close() }
