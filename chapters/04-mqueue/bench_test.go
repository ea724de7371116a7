package mqueue_test

import (
	"io"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	mqueue "ipcworkbook/chapters/04-mqueue"
	"ipcworkbook/harness/lab"
)

// sizes are those of the messages. The largest one is what the default limits of both
// kinds allow: 8,192 bytes, and no 64 KiB.
var sizes = []int{64, 1 << 10, 8 << 10}

// messages is how many wait in a POSIX queue, by default.
const messages = 10

// BenchmarkPOSIX measures messages from a producer process to this one, through a POSIX
// queue of 10 messages. The start of the process is outside the measurement. Every
// message is checked.
func BenchmarkPOSIX(b *testing.B) {
	for _, size := range sizes {
		b.Run(lab.SizeName(size), func(b *testing.B) {
			l := lab.NewBench(b, size)
			q, name := benchmarkQueue(l, size)
			p := l.Start(benchmarkProducer, lab.Tell("name", name))
			l.Transfer(p, ends{q})
		})
	}
}

var benchmarkProducer = lab.NewRole("benchmark producer", func(c *lab.Child) error {
	q, err := mqueue.Open(c.Text("name"), unix.O_WRONLY, 0, nil)
	if err != nil {
		return err
	}
	return c.Produce(sends{q})
})

// BenchmarkRecv measures the same with Recv, which takes new memory for each message.
func BenchmarkRecv(b *testing.B) {
	const size = 1 << 10
	b.Run(lab.SizeName(size), func(b *testing.B) {
		l := lab.NewBench(b, size)
		q, name := benchmarkQueue(l, size)
		p := l.Start(benchmarkProducer, lab.Tell("name", name))
		l.Transfer(p, lab.Fresh{From: ends{q}})
	})
}

// BenchmarkPipe is what BenchmarkPOSIX measures too. The programs in C and Python that
// stand beside it use a pipe.
func BenchmarkPipe(b *testing.B) {
	const size = 1 << 10
	b.Run(lab.SizeName(size), func(b *testing.B) {
		l := lab.NewBench(b, size)
		q, name := benchmarkQueue(l, size)
		p := l.Start(benchmarkProducer, lab.Tell("name", name))
		l.Transfer(p, ends{q})
	})
}

// BenchmarkSystemV measures the same through a System V queue of the default size, which
// is counted in bytes: 16,384.
func BenchmarkSystemV(b *testing.B) {
	for _, size := range sizes {
		b.Run(lab.SizeName(size), func(b *testing.B) {
			l := lab.NewBench(b, size)
			s, key := benchmarkSystem(l, size)
			p := l.Start(benchmarkSystemVProducer, lab.Tell("key", strconv.Itoa(key)))
			l.Transfer(p, endsSystemV{s})
		})
	}
}

var benchmarkSystemVProducer = lab.NewRole("benchmark producer, System V", func(c *lab.Child) error {
	s, err := openKey(c, "key")
	if err != nil {
		return err
	}
	return c.Produce(sendsToSystemV{s})
})

// BenchmarkPingPong measures a message of one byte to another process and back, over two
// queues of each kind.
func BenchmarkPingPong(b *testing.B) {
	b.Run("POSIX", func(b *testing.B) {
		l := lab.NewBench(b, 1)
		there, thereName := benchmarkQueue(l, 1)
		back, backName := benchmarkQueue(l, 1)
		p := l.Start(benchmarkEcho, lab.Tell("there", thereName), lab.Tell("back", backName))
		l.PingPong(p, sends{there}, ends{back})
	})
	b.Run("SystemV", func(b *testing.B) {
		l := lab.NewBench(b, 1)
		there, thereKey := benchmarkSystem(l, 1)
		back, backKey := benchmarkSystem(l, 1)
		p := l.Start(benchmarkSystemVEcho, lab.Tell("there", strconv.Itoa(thereKey)), lab.Tell("back", strconv.Itoa(backKey)))
		l.PingPong(p, sendsToSystemV{there}, endsSystemV{back})
	})
}

var benchmarkEcho = lab.NewRole("benchmark echo", func(c *lab.Child) error {
	there, err := mqueue.Open(c.Text("there"), unix.O_RDONLY, 0, nil)
	if err != nil {
		return err
	}
	back, err := mqueue.Open(c.Text("back"), unix.O_WRONLY, 0, nil)
	if err != nil {
		return err
	}
	return c.Echo(ends{there}, sends{back})
})

var benchmarkSystemVEcho = lab.NewRole("benchmark echo, System V", func(c *lab.Child) error {
	there, err := openKey(c, "there")
	if err != nil {
		return err
	}
	back, err := openKey(c, "back")
	if err != nil {
		return err
	}
	return c.Echo(endsSystemV{there}, sendsToSystemV{back})
})

func benchmarkQueue(l *lab.Bench, size int) (*mqueue.Queue, string) {
	atMost(l, size, "fs/mqueue/msgsize_max")
	return queue(l.Lab, messages, size)
}

func benchmarkSystem(l *lab.Bench, size int) (*mqueue.SysV, int) {
	atMost(l, size, "kernel/msgmax")
	return system(l.Lab)
}

// atMost leaves out a size that this machine does not allow.
func atMost(l *lab.Bench, size int, setting string) {
	if most := systemSetting(l.Lab, setting); size > most {
		l.Unsupported("a message has %d bytes at most here (/proc/sys/%s)", most, setting)
	}
}

func openKey(c *lab.Child, name string) (*mqueue.SysV, error) {
	key, err := strconv.Atoi(c.Text(name))
	if err != nil {
		return nil, err
	}
	return mqueue.Get(key, 0)
}

// A queue has no end. So here an empty message says so, since no other one is empty. It
// has the priority of the others: a higher one would overtake them.

type sends struct{ *mqueue.Queue }

func (s sends) Close() error {
	if err := s.Send(nil); err != nil {
		return err
	}
	return s.Queue.Close()
}

type ends struct{ *mqueue.Queue }

func (e ends) RecvInto(buf []byte) ([]byte, error) {
	p, err := e.Queue.RecvInto(buf)
	if err == nil && len(p) == 0 {
		return nil, io.EOF
	}
	return p, err
}

func (e ends) Recv() ([]byte, error) {
	p, err := e.Queue.Recv()
	if err == nil && len(p) == 0 {
		return nil, io.EOF
	}
	return p, err
}

type sendsToSystemV struct{ *mqueue.SysV }

func (s sendsToSystemV) Close() error { return s.Send(nil) }

type endsSystemV struct{ *mqueue.SysV }

func (e endsSystemV) RecvInto(buf []byte) ([]byte, error) {
	p, err := e.SysV.RecvInto(buf)
	if err == nil && len(p) == 0 {
		return nil, io.EOF
	}
	return p, err
}
