package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"time"
)

// perTurn is how many messages the area has room for.
func (r run) perTurn() int { return min(max(areaSize/r.size, 1), r.count) }

// consume is the first process.
func consume(r run) (result, error) {
	if err := stayOnLast(); err != nil { // the producer will be there too
		return result{}, err
	}
	own := make([]byte, r.perTurn()*r.size)
	want := newMessage(r.size)
	touch(own)

	begin := time.Now()
	p, err := start(len(own), "transfer", r)
	if err != nil {
		return result{}, err
	}
	var m result
	for i := 0; i < r.count; {
		n := min(r.perTurn(), r.count-i)
		if err := say(p.in); err != nil {
			return m, err
		}
		if err := hear(p.out); err != nil {
			return m, err
		}
		m.seconds += copyMessages(own, p.memory, r.size, n)
		m.whole = time.Since(begin)
		for k := range n {
			if err := check(own[k*r.size:][:r.size], want, i+k); err != nil {
				return m, err
			}
		}
		i += n
	}
	var sum [8]byte
	if _, err := io.ReadFull(p.out, sum[:]); err != nil {
		return m, fmt.Errorf("the producer's time: %w", err)
	}
	m.seconds += time.Duration(binary.BigEndian.Uint64(sum[:]))
	return m, p.wait()
}

// produce is the second process.
func produce(r run) error {
	// All messages of a turn are made before it.
	own := make([]byte, r.perTurn()*r.size)
	for k := range r.perTurn() {
		copy(own[k*r.size:], newMessage(r.size))
	}
	shared, err := mapShared(sharedFD, len(own))
	if err != nil {
		return err
	}
	if err := say(os.Stdout); err != nil {
		return err
	}
	var sum time.Duration
	for i := 0; i < r.count; {
		n := min(r.perTurn(), r.count-i)
		for k := range n {
			setNumber(own[k*r.size:][:r.size], i+k)
		}
		if err := hear(os.Stdin); err != nil {
			return err
		}
		sum += copyMessages(shared, own, r.size, n)
		if err := say(os.Stdout); err != nil {
			return err
		}
		i += n
	}
	_, err = os.Stdout.Write(binary.BigEndian.AppendUint64(nil, uint64(sum)))
	return err
}

// copyMessages copies n messages one by one, and returns what that took.
func copyMessages(to, from []byte, size, n int) time.Duration {
	begin := time.Now()
	for k := range n {
		copy(to[k*size:][:size], from[k*size:][:size])
	}
	return time.Since(begin)
}

// touch has the kernel provide memory now.
func touch(p []byte) {
	for i := range p {
		p[i] = 1
	}
}
