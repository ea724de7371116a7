package main

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A channel is a slot for a message and the counter of the messages that were put
// into it. The counter has a cache line of its own, and the one beside it, which
// many processors fetch together with it.
const lineSize = 128

type channel struct {
	counter *atomic.Uint64
	slot    []byte
	next    uint64 // what the counter is after the next message
}

// channels finds both channels in the shared memory: to the second process and
// back.
func channels(memory []byte, size int) (there, back *channel) {
	half := len(memory) / 2
	at := func(p []byte) *channel {
		return &channel{
			counter: (*atomic.Uint64)(unsafe.Pointer(&p[0])),
			slot:    p[lineSize:][:size],
			next:    1,
		}
	}
	return at(memory[:half]), at(memory[half:])
}

// channelsSize is rounded up to whole lines.
func channelsSize(size int) int {
	slot := (size + lineSize - 1) / lineSize * lineSize
	return 2 * (lineSize + slot)
}

// send needs no answer that the slot is free: in ping-pong it is.
func (c *channel) send(p []byte) {
	copy(c.slot, p)
	c.counter.Store(c.next)
	c.next++
}

func (c *channel) receive(p []byte) {
	// That many tries take about a millisecond. Most of the time the message is
	// here long before. If it is not, the other process has lost its core to
	// somebody else. Then this one gives its own away, too. To do so earlier is
	// worse on a busy machine: each would wait for the other's turn with every
	// message.
	const tries = 1_000_000
	for i := 1; c.counter.Load() != c.next; i++ {
		if i%tries == 0 {
			unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		}
	}
	c.next++
	copy(p, c.slot)
}

// ping is the first process.
func ping(r run) (result, error) {
	if runtime.NumCPU() == 1 {
		return result{}, fmt.Errorf("%w: two processes that watch the same memory need two cores, and there is one", errCannot)
	}
	message, want, out := newMessage(r.size), newMessage(r.size), newMessage(r.size)

	begin := time.Now()
	p, err := start(channelsSize(r.size), "pingpong", r)
	if err != nil {
		return result{}, err
	}
	if err := stayOnFirst(); err != nil {
		return result{}, err
	}
	there, back := channels(p.memory, r.size)
	// Nobody comes to an end of file here. So the end of the second process is
	// waited for at the same time, by a thread that costs nothing until then.
	ended := make(chan error)
	go func() {
		err := p.wait()
		if err != nil {
			end(err)
		}
		close(ended)
	}()
	if err := say(p.in); err != nil {
		return result{}, err
	}
	starting := time.Since(begin)
	var started time.Time
	for range 2 { // the first turn warms up
		started = time.Now()
		for i := range r.count {
			setNumber(out, i)
			there.send(out)
			back.receive(message)
			if err := check(message, want, i); err != nil {
				return result{}, err
			}
		}
	}
	m := result{seconds: time.Since(started)}
	m.whole = starting + m.seconds
	return m, <-ended
}

// pong is the second process. It sends back what it receives.
func pong(r run) error {
	if err := stayOnLast(); err != nil {
		return err
	}
	memory, err := mapShared(sharedFD, channelsSize(r.size))
	if err != nil {
		return err
	}
	there, back := channels(memory, r.size)
	message := newMessage(r.size)
	if err := say(os.Stdout); err != nil {
		return err
	}
	if err := hear(os.Stdin); err != nil {
		return err
	}
	for range 2 * r.count {
		there.receive(message)
		back.send(message)
	}
	return nil
}
