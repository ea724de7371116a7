package pool_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	pool "ipcworkbook/chapters/08-pool"
	"ipcworkbook/harness/lab"
)

// BenchmarkEmpty measures tasks that do nothing, with two workers: each returns its number. All are
// submitted, and then all results are taken. The start of the pool is outside the measurement.
func BenchmarkEmpty(b *testing.B) {
	b.Run("2", func(b *testing.B) { measured(b, 2, 8, numbered) })
}

// BenchmarkAsync is what BenchmarkEmpty measures, too. The program in Python that stands beside it is
// multiprocessing.Pool.
func BenchmarkAsync(b *testing.B) {
	b.Run("2", func(b *testing.B) { measured(b, 2, 8, numbered) })
}

// BenchmarkResults measures tasks with results of each size. Every byte is compared.
func BenchmarkResults(b *testing.B) {
	for _, size := range lab.Sizes {
		b.Run(lab.SizeName(size), func(b *testing.B) { measured(b, 2, size, numbered) })
	}
}

// BenchmarkEach measures the same one by one: a task is submitted when the result of the last one
// is there.
func BenchmarkEach(b *testing.B) {
	l, p := benchmarkPool(b, 2, 8)
	l.Tasks(func(count int) error {
		for i := range count {
			if err := work(p, numbered, 8, i, 1); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(l, p.Shutdown(forever, false), "Shutdown()")
}

// BenchmarkBusy measures tasks that use the processor, with one worker and with two: the second one
// should take half of the time of the first one, where there are two cores.
func BenchmarkBusy(b *testing.B) {
	for _, workers := range []int{1, 2} {
		b.Run(strconv.Itoa(workers), func(b *testing.B) { measured(b, workers, 8, busy) })
	}
}

func measured(b *testing.B, workers, size int, task *pool.Task[[]byte, []byte]) {
	l, p := benchmarkPool(b, workers, size)
	l.Tasks(func(count int) error { return work(p, task, size, 0, count) })
	require.NoError(l, p.Shutdown(forever, false), "Shutdown()")
}

func benchmarkPool(b *testing.B, workers, size int) (*lab.Bench, *pool.Pool) {
	l := lab.NewBench(b, size)
	p, err := pool.New(forever, pool.Options{Workers: workers, Command: worker.Command()})
	require.NoError(l, err, "New() of a pool of %d", workers)
	return l, p
}

// work submits tasks from a number on, and then takes all their results.
func work(p *pool.Pool, task *pool.Task[[]byte, []byte], size, from, count int) (err error) {
	arg, want := make([]byte, 16), make([]byte, size)
	futures := make([]*pool.Future[[]byte], count)
	for i := range futures {
		binary.BigEndian.PutUint64(arg, uint64(from+i))
		binary.BigEndian.PutUint64(arg[8:], uint64(size))
		if futures[i], err = pool.Submit(p, task, arg); err != nil {
			return fmt.Errorf("Submit() of task %d: %w", from+i, err)
		}
	}
	for i, f := range futures {
		got, err := f.Result(forever)
		if err != nil {
			return fmt.Errorf("Result() of task %d: %w", from+i, err)
		}
		if !bytes.Equal(got, message(want, uint64(from+i))) {
			return fmt.Errorf("Result() of task %d: %s", from+i, lab.Difference(want, got))
		}
		futures[i] = nil
	}
	return nil
}

// message is that of the benchmarks of all chapters: its number, and then bytes that go up.
func message(b []byte, n uint64) []byte {
	if len(b) > 8 && b[len(b)-1] == 0 && b[len(b)-2] == 0 { // it is new
		for j := range b {
			b[j] = byte(j % 251)
		}
	}
	binary.BigEndian.PutUint64(b, n)
	return b
}

var answer []byte

var numbered = pool.NewTask("numbered", func(arg []byte) ([]byte, error) {
	if size := int(binary.BigEndian.Uint64(arg[8:])); len(answer) != size {
		answer = make([]byte, size)
	}
	return message(answer, binary.BigEndian.Uint64(arg)), nil
})

var block = make([]byte, 256<<10)

// busy hashes 256 KiB, and returns its number.
var busy = pool.NewTask("busy", func(arg []byte) ([]byte, error) {
	copy(block, arg[:8])
	sum := sha256.Sum256(block)
	if sum == [32]byte{} {
		return nil, fmt.Errorf("it cannot be")
	}
	return arg[:8], nil
})
