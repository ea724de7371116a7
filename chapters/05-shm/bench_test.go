package shm_test

import (
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	shm "ipcworkbook/chapters/05-shm"
	"ipcworkbook/harness/lab"
)

// capacityFor is that of a benchmark's ring: room for four of the largest messages, and at
// least what a pipe has.
func capacityFor(size int) int {
	capacity := 64 << 10
	for capacity < 4*size {
		capacity *= 2
	}
	return capacity
}

// BenchmarkRing measures messages from a producer process to this one, through a ring. The
// start of the process is outside the measurement. Every message is checked.
func BenchmarkRing(b *testing.B) {
	for _, size := range lab.Sizes {
		b.Run(lab.SizeName(size), func(b *testing.B) { transfer(b, size, false) })
	}
}

// BenchmarkOneCore measures the same where both processes share a core.
func BenchmarkOneCore(b *testing.B) {
	const size = 1 << 10
	b.Run(lab.SizeName(size), func(b *testing.B) { transfer(b, size, false) })
}

// BenchmarkPipe is what BenchmarkOneCore measures, too. The programs in C and Python that stand
// beside it use a pipe.
func BenchmarkPipe(b *testing.B) {
	const size = 1 << 10
	b.Run(lab.SizeName(size), func(b *testing.B) { transfer(b, size, false) })
}

// BenchmarkRecv measures the same with Recv, which takes new memory for each message.
func BenchmarkRecv(b *testing.B) {
	const size = 1 << 10
	b.Run(lab.SizeName(size), func(b *testing.B) { transfer(b, size, true) })
}

func transfer(b *testing.B, size int, fresh bool) {
	l := lab.NewBench(b, size)
	r, name := benchmarkRing(l, size)
	p := l.Start(benchmarkProducer, lab.Tell("name", name))
	e := receiver(l.Lab, r)
	if fresh {
		l.Transfer(p, lab.Fresh{From: e})
		return
	}
	l.Transfer(p, e)
}

func benchmarkRing(l *lab.Bench, size int) (*shm.Region, string) {
	return region(l.Lab, ringAt+shm.RingSize(capacityFor(size)), func(r *shm.Region) error { return shm.NewRing(r, ringAt, capacityFor(size)) })
}

func childsSender(c *lab.Child, name string) (*shm.Sender, error) {
	r, err := shm.Attach(c.Text(name), 0)
	if err != nil {
		return nil, err
	}
	return shm.OpenSender(r, ringAt)
}

var benchmarkProducer = lab.NewRole("benchmark producer", func(c *lab.Child) error {
	s, err := childsSender(c, "name")
	if err != nil {
		return err
	}
	return c.Produce(s)
})

// BenchmarkPingPong measures a message of one byte to another process and back: through two
// rings, and through two bytes of shared memory, with a semaphore for each.
func BenchmarkPingPong(b *testing.B) {
	b.Run("Ring", func(b *testing.B) {
		l := lab.NewBench(b, 1)
		there, thereName := benchmarkRing(l, 1)
		back, backName := benchmarkRing(l, 1)
		p := l.Start(benchmarkEcho, lab.Tell("there", thereName), lab.Tell("back", backName))
		l.PingPong(p, sender(l.Lab, there), receiver(l.Lab, back))
	})
	b.Run("Semaphore", func(b *testing.B) {
		l := lab.NewBench(b, 1)
		there, thereName := benchmarkCell(l)
		back, backName := benchmarkCell(l)
		p := l.Start(benchmarkCellEcho, lab.Tell("there", thereName), lab.Tell("back", backName))
		l.PingPong(p, there, back)
	})
}

var benchmarkEcho = lab.NewRole("benchmark echo", func(c *lab.Child) error {
	back, err := childsSender(c, "back")
	if err != nil {
		return err
	}
	r, err := shm.Attach(c.Text("there"), 0)
	if err != nil {
		return err
	}
	there, err := shm.OpenReceiver(r, ringAt)
	if err != nil {
		return err
	}
	return c.Echo(there, back)
})

var benchmarkCellEcho = lab.NewRole("benchmark echo, semaphores", func(c *lab.Child) error {
	var cells [2]*cell
	for i, name := range []string{"there", "back"} {
		r, err := shm.Attach(c.Text(name), 0)
		if err != nil {
			return err
		}
		if cells[i], err = cellOf(r); err != nil {
			return err
		}
	}
	return c.Echo(cells[0], cells[1])
})

// cell is a byte in shared memory, and a semaphore that says that there is a new one. The end is
// said by a second byte. Its other direction has to wait for the answer, as a ping-pong does.
type cell struct {
	r    *shm.Region
	full *shm.Semaphore
}

func benchmarkCell(l *lab.Bench) (*cell, string) {
	r, name := region(l.Lab, 256, func(r *shm.Region) error { _, err := shm.NewSemaphore(r, 64, 0); return err })
	c, err := cellOf(r)
	if err != nil {
		l.FailNow()
	}
	return c, name
}

func cellOf(r *shm.Region) (*cell, error) {
	full, err := shm.OpenSemaphore(r, 64)
	return &cell{r, full}, err
}

func (c *cell) Send(p []byte) error {
	c.r.Bytes()[0] = p[0]
	return c.full.Post()
}

func (c *cell) Close() error {
	c.r.Bytes()[1] = 1
	return c.full.Post()
}

func (c *cell) RecvInto(buf []byte) ([]byte, error) {
	if err := c.full.Wait(never); err != nil {
		return nil, err
	}
	if c.r.Bytes()[1] != 0 {
		return nil, io.EOF
	}
	return append(buf[:0], c.r.Bytes()[0]), nil
}

// BenchmarkFree measures what a lock costs that nobody else wants, and a semaphore for which
// nobody waits.
func BenchmarkFree(b *testing.B) {
	b.Run("Lock", func(b *testing.B) {
		l := lab.NewBench(b, 1)
		r, _ := region(l.Lab, 64<<10, nil)
		lock, err := shm.NewLock(r, 64)
		require.NoError(l, err, "NewLock()")
		l.Operations(func() error {
			if err := lock.Lock(never); err != nil {
				return err
			}
			return lock.Unlock()
		})
	})
	b.Run("Semaphore", func(b *testing.B) { postAndTake(b) })
}

// BenchmarkSystemV is what BenchmarkFree/Semaphore and BenchmarkBuffer measure, too. The programs
// in C and Python that stand beside it use semaphores of System V, also as the lock.
func BenchmarkSystemV(b *testing.B) {
	b.Run("Semaphore", func(b *testing.B) { postAndTake(b) })
	b.Run("Buffer", func(b *testing.B) { throughBuffer(b, 1<<10) })
}

func postAndTake(b *testing.B) {
	l := lab.NewBench(b, 1)
	r, _ := region(l.Lab, 64<<10, nil)
	s, err := shm.NewSemaphore(r, 64, 0)
	require.NoError(l, err, "NewSemaphore()")
	l.Operations(func() error {
		if err := s.Post(); err != nil {
			return err
		}
		return s.Wait(never)
	})
}

// BenchmarkBuffer measures messages through a buffer of the textbooks: slots in shared memory, a
// lock around each copy, and two semaphores that count the free slots and the full ones.
func BenchmarkBuffer(b *testing.B) {
	const size = 1 << 10
	b.Run(lab.SizeName(size), func(b *testing.B) { throughBuffer(b, size) })
}

func throughBuffer(b *testing.B, size int) {
	l := lab.NewBench(b, size)
	r, name := region(l.Lab, slotsAt+slots*slotSize, func(r *shm.Region) error {
		_, free := shm.NewSemaphore(r, 0, slots)
		_, full := shm.NewSemaphore(r, 64, 0)
		_, lock := shm.NewLock(r, 128)
		return errors.Join(free, full, lock)
	})
	p := l.Start(benchmarkBufferProducer, lab.Tell("name", name))
	e, err := bufferOf(r)
	require.NoError(l, err, "opening the buffer")
	l.Transfer(p, e)
}

const (
	slots    = 64
	slotSize = 4 + 1<<10
	slotsAt  = 192
)

var benchmarkBufferProducer = lab.NewRole("benchmark producer, buffer", func(c *lab.Child) error {
	r, err := shm.Attach(c.Text("name"), 0)
	if err != nil {
		return err
	}
	e, err := bufferOf(r)
	if err != nil {
		return err
	}
	return c.Produce(e)
})

// buffer is one end of it. An empty message says that it ends.
type buffer struct {
	free, full *shm.Semaphore
	lock       *shm.Lock
	slots      []byte
	next       int
}

func bufferOf(r *shm.Region) (*buffer, error) {
	free, freeErr := shm.OpenSemaphore(r, 0)
	full, fullErr := shm.OpenSemaphore(r, 64)
	lock, lockErr := shm.OpenLock(r, 128)
	return &buffer{free: free, full: full, lock: lock, slots: r.Bytes()[slotsAt:]}, errors.Join(freeErr, fullErr, lockErr)
}

// in waits for one of the first, uses a slot under the lock, and gives one of the second.
func (e *buffer) in(first, second *shm.Semaphore, use func(slot []byte)) error {
	if err := first.Wait(never); err != nil {
		return err
	}
	if err := e.lock.Lock(never); err != nil {
		return err
	}
	at := e.next % slots * slotSize
	e.next++
	use(e.slots[at : at+slotSize])
	if err := e.lock.Unlock(); err != nil {
		return err
	}
	return second.Post()
}

func (e *buffer) Send(p []byte) error {
	return e.in(e.free, e.full, func(slot []byte) {
		binary.NativeEndian.PutUint32(slot, uint32(len(p)))
		copy(slot[4:], p)
	})
}

func (e *buffer) Close() error { return e.Send(nil) }

func (e *buffer) RecvInto(buf []byte) (p []byte, err error) {
	err = e.in(e.full, e.free, func(slot []byte) {
		p = append(buf[:0], slot[4:4+binary.NativeEndian.Uint32(slot)]...)
	})
	if err == nil && len(p) == 0 {
		err = io.EOF
	}
	return p, err
}
