package shm_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	shm "ipcworkbook/chapters/05-shm"
	"ipcworkbook/harness/lab"
)

// The ring of a step stands at 128. These are its places in the region.
const (
	ringAt   = 128
	ringHead = ringAt + 64
	ringTail = ringAt + 128
	ringFrom = ringAt + 192 // the sender's word
	ringTo   = ringAt + 256 // the receiver's word
	ringData = ringAt + 320
)

// ring makes a region with a ring in it, and room around it.
func ring(l *lab.Lab, capacity int) (*shm.Region, string) {
	return region(l, ringAt+shm.RingSize(capacity)+128, func(r *shm.Region) error { return shm.NewRing(r, ringAt, capacity) })
}

func sender(l *lab.Lab, r *shm.Region) *shm.Sender {
	s, err := shm.OpenSender(r, ringAt)
	require.NoError(l, err, "OpenSender()")
	return s
}

func receiver(l *lab.Lab, r *shm.Region) *shm.Receiver {
	e, err := shm.OpenReceiver(r, ringAt)
	require.NoError(l, err, "OpenReceiver()")
	return e
}

// expect receives one message and compares it.
func expect(e *shm.Receiver, want string) error {
	got, err := e.Recv()
	if err != nil {
		return err
	}
	return same(got, want)
}

// frame is how many bytes a message takes in a ring.
func frame(n int) int { return (n + 4 + 7) / 8 * 8 }

// Step 16: the ring: messages of all sizes arrive whole and in order, over many wrap-arounds.
func TestRingKeepsMessagesWhole(t *testing.T) {
	l := lab.New(t)
	const capacity = 256
	r, name := ring(l, capacity)
	v := viewOf(l, name)
	require.Equal(l, []uint32{ringKind, capacity}, []uint32{v.word(ringAt).Load(), v.word(ringAt + 4).Load()}, "the first numbers of a ring of %d bytes in the mapping: what it is, and its capacity", capacity)
	s, e := sender(l, r), receiver(l, r)
	for _, one := range []struct {
		what  string
		place int
	}{{"sender", ringFrom}, {"receiver", ringTo}} {
		what, place := one.what, one.place
		_, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", v.word(place).Load()))
		require.NoError(l, err, "the %s's word in the mapping, %d: is it the number of one of the threads of this process?", what, v.word(place).Load())
	}

	memory := append(make([]byte, 0, 32), "hello, caller"...)
	require.NoError(l, s.Send(memory[:5]), `Send("hello")`)
	require.Equal(l, "hello, caller", string(memory), `the caller's memory after Send("hello")`)
	require.Equal(l, 16, int(v.long(ringHead).Load()), `the head in the mapping, after Send("hello"): 4 bytes for the length, 5 for the message, up to a multiple of 8`)
	require.Equal(l, "\x05\x00\x00\x00hello", string(v.at(ringData)[:9]), `the frame in the mapping, after Send("hello")`)
	require.Zero(l, v.long(ringTail).Load(), "the tail in the mapping, before anything was received")
	copy(memory, "HELLO")
	require.NoError(l, expect(e, "hello"), "Recv()")
	require.Equal(l, 16, int(v.long(ringTail).Load()), "the tail in the mapping, after a message was received")
	require.NoError(l, s.Send(nil), "Send(nil)")
	require.Equal(l, 24, int(v.long(ringHead).Load()), "the head in the mapping, after Send(nil): an empty message is one")
	first, err := e.Recv()
	require.NoError(l, err, "Recv() of an empty message: 0 bytes are no error")
	require.Empty(l, first, "Recv() of an empty message")
	require.NoError(l, errors.Join(s.Send([]byte("one")), s.Send([]byte("two"))), "Send() of two messages")
	first, err = e.Recv()
	require.NoError(l, err, "Recv()")
	second, err := e.Recv()
	require.NoError(l, err, "Recv()")
	require.Equal(l, "two", string(second), "Recv()")
	_ = append(first, "and what the caller puts behind it"...)
	require.Equal(l, "two", string(second), "the second message, after the caller has appended to the first one: does that one's capacity reach into memory of later messages?")
	for range 40 { // the ring is written anew
		require.NoError(l, s.Send([]byte(strings.Repeat("x", 60))), "Send()")
		require.NoError(l, expect(e, strings.Repeat("x", 60)), "Recv()")
	}
	require.Equal(l, "one", string(first), "the first message, after the ring was written anew: is it the caller's, or still in the ring?")

	// Each size begins at each place.
	for start := 0; start < capacity; start += 8 {
		for _, size := range []int{0, 1, 3, 4, 5, 11, 12, 13, 100, capacity - 12, capacity - 5, capacity - 4} {
			p := pattern(size)
			require.NoError(l, s.Send(p), "Send() of %d bytes in a ring of %d", size, capacity)
			got, err := e.Recv()
			require.NoError(l, err, "Recv() of %d bytes", size)
			l.SameBytes(p, got, "a message of %d bytes, in a ring of %d, from a place that is %d from the begin", size, capacity, (int(v.long(ringHead).Load())-frame(size))%capacity)
		}
		require.NoError(l, s.Send(nil), "Send(nil)")
		require.NoError(l, expect(e, ""), "Recv()")
	}
	for _, size := range []int{capacity - 3, capacity, 1 << 20, 1<<32 + 5} {
		before := v.long(ringHead).Load()
		err := s.Send(unreadable(l, size))
		require.ErrorIs(l, err, unix.EMSGSIZE, "Send() of %d bytes to a ring of %d", size, capacity)
		require.Contains(l, lab.Numbers(err, name), capacity-4, "the numbers in the text of Send() of %d bytes to a ring of %d: it names the limit", size, capacity)
		require.Equal(l, int(before), int(v.long(ringHead).Load()), "the head, after Send() of %d bytes was refused", size)
	}
	fitsAnyBuffer(l, s, e)
	breaksOff(l)

	// Another process sends, and this one receives; and the other way round.
	ringTraffic(l, inTurns)

	for _, capacity := range []int{0, -1, -64, 1, 32, 63, 65, 96, 255, shm.MaxRing + 1, 2 * shm.MaxRing, 1 << 32, 1<<32 + 64, math.MaxInt, math.MinInt} {
		require.ErrorIs(l, shm.NewRing(r, 0, capacity), unix.EINVAL, "NewRing() with a capacity of %d", capacity)
	}
	small, _ := region(l, 64+shm.RingSize(64), nil)
	for _, offset := range []int{-64, 1, 192, 65, math.MaxInt, math.MaxInt - 63, math.MinInt} {
		require.ErrorIs(l, shm.NewRing(small, offset, 64), unix.EINVAL, "NewRing() at %d with a capacity of 64, in a region that has room for one at 64", offset)
		_, err := shm.OpenSender(small, offset)
		require.ErrorIs(l, err, unix.EINVAL, "OpenSender() at %d", offset)
		_, err = shm.OpenReceiver(small, offset)
		require.ErrorIs(l, err, unix.EINVAL, "OpenReceiver() at %d", offset)
	}
	require.ErrorIs(l, shm.NewRing(small, 128, 64), unix.EINVAL, "NewRing() at 128, in a region that has room for one at 64")
	require.ErrorIs(l, shm.NewRing(small, 64, 128), unix.EINVAL, "NewRing() with a capacity for which there is no room")
	_, err = shm.OpenSender(small, 64)
	require.ErrorIs(l, err, shm.ErrFormat, "OpenSender() where there is nothing")
	_, err = shm.OpenReceiver(small, 64)
	require.ErrorIs(l, err, shm.ErrFormat, "OpenReceiver() where there is nothing")
	require.NoError(l, shm.NewRing(small, 64, 64), "NewRing() at the end of a region")
	require.ErrorIs(l, shm.NewRing(small, 64, 64), unix.EEXIST, "NewRing() where there is one")
}

// fitsAnyBuffer receives into memory of many sizes.
func fitsAnyBuffer(l *lab.Lab, s *shm.Sender, e *shm.Receiver) {
	for _, size := range []int{0, 1, 20, 99, 252} {
		for _, room := range []int{0, 1, 19, 20, 21, 252, 300} {
			require.NoError(l, s.Send(pattern(size)), "Send()")
			memory := []byte(strings.Repeat("m", room+8))
			buf := memory[: room/2 : room]
			got, err := e.RecvInto(buf)
			require.NoError(l, err, "RecvInto() of %d bytes, with memory for %d", size, room)
			l.SameBytes(pattern(size), got, "RecvInto() of %d bytes, with memory for %d", size, room)
			require.Equal(l, "mmmmmmmm", string(memory[room:]), "memory behind the caller's, after RecvInto() of %d bytes", size)
			if size > room {
				copy(got, "changed")
				require.Equal(l, strings.Repeat("m", room), string(buf[:room]), "the caller's memory for %d bytes, after RecvInto() of %d: it gets new memory, and none of this", room, size)
				continue
			}
			require.Equal(l, room, cap(got), "capacity of what RecvInto() of %d bytes returned, with memory for %d: is it buf[:n]?", size, room)
			if room > 0 {
				require.Same(l, &memory[0], &got[:1][0], "where RecvInto() of %d bytes put them, with memory for %d: is it the caller's?", size, room)
			}
		}
	}
	kept := make([]byte, 5)
	require.NoError(l, errors.Join(s.Send([]byte("first")), s.Send([]byte("later")), s.Send([]byte("other"))), "Send()")
	kept, err := e.RecvInto(kept)
	require.NoError(l, err, "RecvInto()")
	require.NoError(l, expect(e, "later"), "Recv()")
	third, err := e.RecvInto(make([]byte, 2))
	require.NoError(l, err, "RecvInto()")
	require.NoError(l, s.Send([]byte("again")), "Send()")
	_, err = e.RecvInto(make([]byte, 2))
	require.NoError(l, err, "RecvInto()")
	require.Equal(l, "first", string(kept), "a message in the caller's memory, after later ones were received: does the Receiver keep what it was lent?")
	require.Equal(l, "other", string(third), "a message in new memory, after a later one was received: is that memory used again?")
}

// breaksOff has a fault in the middle of a copy: the caller's memory ends there. So it shows
// what stands in the mapping before the copy is done.
func breaksOff(l *lab.Lab) {
	page := os.Getpagesize()
	memory, err := unix.Mmap(-1, 0, 2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(l, err, "mmap() of the test's own")
	l.CloseAtEnd(unmapped(memory))
	require.NoError(l, unix.Mprotect(memory[page:], unix.PROT_NONE), "mprotect() of the test's own")
	half := memory[page-20 : page+20]
	r, name := ring(l, 256)
	v := viewOf(l, name)
	s, e := sender(l, r), receiver(l, r)
	debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(false)
	require.NotNil(l, panicOf(func() { _ = s.Send(half) }), "the panic of Send() of memory that ends in the middle")
	require.Zero(l, v.long(ringHead).Load(), "the head in the mapping, when Send() has copied a part of the message: it moves when the frame is whole there, and not before")
	send := l.Call("Send() after one that has ended in a panic: is something still locked?", func() error { return s.Send([]byte("hello, receiver")) })
	send.ReturnsSoon(nil)
	require.NotNil(l, panicOf(func() { _, _ = e.RecvInto(memory[page-5 : page-5 : page+20]) }), "the panic of RecvInto() with memory that ends in the middle")
	require.Zero(l, v.long(ringTail).Load(), "the tail in the mapping, when RecvInto() has copied a part of the message: it moves when all of it is copied, or the sender writes there")
	recv := l.Call("Recv() after one that has ended in a panic: is something still locked?", func() error { return expect(e, "hello, receiver") })
	recv.ReturnsSoon(nil)

	// The fault is where the message goes on at the ring's begin: 20 bytes fit in front of that.
	r, name = ring(l, 256)
	v = viewOf(l, name)
	s, e = sender(l, r), receiver(l, r)
	require.NoError(l, errors.Join(s.Send(pattern(228)), expect(e, string(pattern(228)))), "Send() and Recv() of a message whose frame has 232 bytes")
	require.NotNil(l, panicOf(func() { _ = s.Send(half) }), "the panic of Send() of memory that ends in the middle")
	require.Equal(l, 232, int(v.long(ringHead).Load()), "the head in the mapping, when Send() has copied the part of a message in front of the ring's end, and not that at its begin: it moves when the whole frame is there")
	require.NoError(l, s.Send(pattern(40)), "Send()")
	require.NotNil(l, panicOf(func() { _, _ = e.RecvInto(memory[page-20 : page-20 : page+20]) }), "the panic of RecvInto() with memory that ends in the middle")
	require.Equal(l, 232, int(v.long(ringTail).Load()), "the tail in the mapping, when RecvInto() has copied the part of a message in front of the ring's end, and not that at its begin: it moves when all of it is copied")
}

// unreadable is a message of n bytes in memory that nobody may read. It costs nothing,
// however large it is.
func unreadable(l *lab.Lab, n int) []byte {
	p, err := unix.Mmap(-1, 0, n, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil { // a limit of the process (RLIMIT_AS)
		return make([]byte, min(n, 1<<20))
	}
	l.CloseAtEnd(unmapped(p))
	return p
}

type unmapped []byte

func (m unmapped) Close() error { return unix.Munmap(m) }

// messages are those of a producer: many, of all sizes, and many times the capacity together.
func messages(seed uint64, capacity int) (all [][]byte) {
	random := rand.New(rand.NewPCG(seed, uint64(capacity)))
	for i := range 600 {
		p := pattern(random.IntN(min(capacity-3, 700)))
		if len(p) >= 4 {
			binary.NativeEndian.PutUint32(p, uint32(i))
		}
		all = append(all, p)
	}
	return all
}

// Two processes use a ring in turns, and nobody waits for room or for a message. Or at once.
const (
	inTurns = "in turns"
	atOnce  = "at once"
)

// portions are the messages of each turn: as many as there is room for.
func portions(all [][]byte, capacity int, how string) (turns [][][]byte) {
	if how == atOnce {
		return [][][]byte{all}
	}
	for len(all) > 0 {
		n, room := 0, capacity
		for ; n < len(all) && frame(len(all[n])) <= room; n++ {
			room -= frame(len(all[n]))
		}
		turns, all = append(turns, all[:n]), all[n:]
	}
	return turns
}

// ringTraffic has another process send to this one, and receive from it.
func ringTraffic(l *lab.Lab, how string) {
	l.Helper()
	for _, capacity := range []int{64, 256, 4096} {
		r, name := ring(l, capacity)
		producer := l.Start(produces, lab.Tell("name", name), lab.Tell("seed", "7"), lab.Tell("how", how))
		e := receiver(l, r)
		i := 0
		for _, turn := range portions(messages(7, capacity), capacity, how) {
			if how == inTurns {
				producer.Report(new(bool))
			}
			for _, p := range turn {
				i++
				got, err := e.Recv()
				require.NoError(l, err, "Recv() of message %d from another process, through a ring of %d bytes", i, capacity)
				l.SameBytes(p, got, "message %d from another process, through a ring of %d bytes", i, capacity)
			}
			producer.Go()
		}
		require.NoError(l, producer.Wait(), "the producer")

		r, name = ring(l, capacity)
		consumer := l.Start(consumes, lab.Tell("name", name), lab.Tell("seed", "8"), lab.Tell("how", how))
		s := sender(l, r)
		i = 0
		for _, turn := range portions(messages(8, capacity), capacity, how) {
			for _, p := range turn {
				i++
				require.NoError(l, s.Send(p), "Send() of message %d to another process, through a ring of %d bytes", i, capacity)
			}
			if how == inTurns {
				consumer.Go()
				consumer.Report(new(bool))
			}
		}
		require.NoError(l, consumer.Wait(), "the consumer")
	}
}

// childsRing attaches to the region of the ring in a role, and tells what messages it has in each turn.
func childsRing(c *lab.Child) (r *shm.Region, turns [][][]byte, err error) {
	if r, err = shm.Attach(c.Text("name"), 0); err != nil {
		return nil, nil, fmt.Errorf("Attach(): %w", err)
	}
	seed, err := strconv.ParseUint(c.Text("seed"), 10, 64)
	capacity := len(r.Bytes()) - ringData - 128
	return r, portions(messages(seed, capacity), capacity, c.Text("how")), err
}

var produces = lab.NewRole("producer", func(c *lab.Child) error {
	r, turns, err := childsRing(c)
	if err != nil {
		return err
	}
	s, err := shm.OpenSender(r, ringAt)
	if err != nil {
		return fmt.Errorf("OpenSender(): %w", err)
	}
	i := 0
	for _, turn := range turns {
		for _, p := range turn {
			i++
			if err := s.Send(p); err != nil {
				return fmt.Errorf("Send() of message %d: %w", i, err)
			}
			clear(p) // the message is the ring's by now
		}
		if c.Text("how") == inTurns {
			c.Report(true)
		}
		c.Wait()
	}
	return s.Close()
})

var consumes = lab.NewRole("consumer", func(c *lab.Child) error {
	r, turns, err := childsRing(c)
	if err != nil {
		return err
	}
	e, err := shm.OpenReceiver(r, ringAt)
	if err != nil {
		return fmt.Errorf("OpenReceiver(): %w", err)
	}
	var buf []byte
	i := 0
	for _, turn := range turns {
		if c.Text("how") == inTurns {
			c.Wait()
		}
		for _, p := range turn {
			i++
			if buf, err = e.RecvInto(buf); err == nil {
				err = same(buf, string(p))
			}
			if err != nil {
				return fmt.Errorf("RecvInto() of message %d: %w", i, err)
			}
		}
		if c.Text("how") == inTurns {
			c.Report(true)
		}
	}
	return e.Close()
})
