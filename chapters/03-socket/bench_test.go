package socket_test

import (
	"testing"

	socket "ipcworkbook/chapters/03-socket"
	"ipcworkbook/harness/lab"
)

// BenchmarkTransfer measures messages from a producer process to this one, through a
// stream socket. The start of the process is outside the measurement. Every message is
// checked.
func BenchmarkTransfer(b *testing.B) {
	for _, size := range lab.Sizes {
		b.Run(lab.SizeName(size), func(b *testing.B) {
			l := lab.NewBench(b, size)
			ours, theirs := pair(l.Lab)
			p := l.Start(benchmarkProducer, lab.HandOver("conn", theirs))
			l.Transfer(p, ours)
		})
	}
}

var benchmarkProducer = lab.NewRole("benchmark producer", func(c *lab.Child) error {
	return c.Produce(socket.NewConn(c.File("conn")))
})

// BenchmarkRecv measures the same with Recv, which takes new memory for each
// message.
func BenchmarkRecv(b *testing.B) {
	const size = 1 << 10
	b.Run(lab.SizeName(size), func(b *testing.B) {
		l := lab.NewBench(b, size)
		ours, theirs := pair(l.Lab)
		p := l.Start(benchmarkProducer, lab.HandOver("conn", theirs))
		l.Transfer(p, lab.Fresh{From: ours})
	})
}

// BenchmarkPacket measures the same through a SOCK_SEQPACKET socket, where the kernel
// keeps the boundaries and there is no frame; and a packet of one byte there and back.
func BenchmarkPacket(b *testing.B) {
	for _, size := range lab.Sizes {
		b.Run(lab.SizeName(size), func(b *testing.B) {
			l := lab.NewBench(b, size)
			ours, theirs := packetPair(l.Lab)
			p := l.Start(benchmarkPacketProducer, lab.HandOver("conn", theirs))
			l.Transfer(p, ours)
		})
	}
	b.Run("PingPong", func(b *testing.B) {
		l := lab.NewBench(b, 1)
		w, there := packetPair(l.Lab)
		r, back := packetPair(l.Lab)
		p := l.Start(benchmarkPacketEcho, lab.HandOver("there", there), lab.HandOver("back", back))
		l.PingPong(p, w, r)
	})
}

var benchmarkPacketEcho = lab.NewRole("benchmark echo of packets", func(c *lab.Child) error {
	return c.Echo(socket.NewPacketConn(c.File("there")), socket.NewPacketConn(c.File("back")))
})

var benchmarkPacketProducer = lab.NewRole("benchmark producer of packets", func(c *lab.Child) error {
	return c.Produce(socket.NewPacketConn(c.File("conn")))
})

// BenchmarkTCP measures your frames through TCP on 127.0.0.1, and a message of one byte
// there and back.
func BenchmarkTCP(b *testing.B) {
	for _, size := range lab.Sizes {
		b.Run(lab.SizeName(size), func(b *testing.B) {
			l := lab.NewBench(b, size)
			ours, theirs := tcpPair(l.Lab)
			p := l.Start(benchmarkProducer, lab.HandOver("conn", theirs))
			l.Transfer(p, ours)
		})
	}
	b.Run("PingPong", func(b *testing.B) {
		l := lab.NewBench(b, 1)
		ours, theirs := tcpPair(l.Lab)
		p := l.Start(benchmarkEcho, lab.HandOver("conn", theirs))
		l.PingPong(p, sendingSide{ours}, ours)
	})
}

// BenchmarkPingPong measures a message of one byte to another process and back, over
// one stream socket.
func BenchmarkPingPong(b *testing.B) {
	l := lab.NewBench(b, 1)
	ours, theirs := pair(l.Lab)
	p := l.Start(benchmarkEcho, lab.HandOver("conn", theirs))
	l.PingPong(p, sendingSide{ours}, ours)
}

var benchmarkEcho = lab.NewRole("benchmark echo", func(c *lab.Child) error {
	conn := socket.NewConn(c.File("conn"))
	return c.Echo(conn, conn)
})

// sendingSide is the direction in which a Conn sends. It can be closed alone.
type sendingSide struct{ *socket.Conn }

func (s sendingSide) Close() error { return s.CloseWrite() }
