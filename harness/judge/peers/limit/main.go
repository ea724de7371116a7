// Limit shows what no way of sending can beat by much: what the bytes alone
// cost, through memory that two processes share. It has the command line and the
// output of a peer (package peers), and one benchmark more:
//
//	limit transfer SIZE COUNT
//	limit pingpong SIZE COUNT
//	limit memcpy SIZE COUNT
//
// # Transfer
//
// Two processes map the same memory, an area of 64 KiB, or of one message if
// that is more. They take turns. The producer copies messages into the area, one
// after the other, until it is full. Then the consumer copies them out, one
// after the other, into memory of its own. So it goes on until all messages are
// through.
//
// Seconds is the sum of the two copying times. The turns are not in it: how one
// process tells the other that it is done is what the mechanisms of the chapters
// differ in. Making the messages and checking them are not in it either: both are
// done between the turns. What is left is two copies of every byte.
//
// Both processes are kept on the same core, and the area has the size of a pipe.
// So the bytes are still in a cache when they are copied out, as they are in a
// pipe, which uses the same 64 KiB again and again. Through a larger area, or from
// core to core, the same copies take two to four times as long. That would be no
// limit: a pipe would beat it.
//
// # Pingpong
//
// Each process has a slot for a message in the shared memory, and a counter
// beside it. To send is to copy the message into the slot and to count up. The
// other process waits in a loop that reads the counter. No system call is made,
// so this is the time that a cache line needs from one core to another and back,
// and the copies. The two processes are kept on two cores. Where there is only
// one, it cannot be measured: then the exit status is 3.
//
// It is a limit for small messages. With large ones most of the time goes into
// bringing the bytes from one core to the other, and there a mechanism whose two
// processes share a core can be faster.
//
// # Memcpy
//
// One process copies each message once, from one area to another of the same
// size: the half of what the transfer does. Both areas together are larger than
// the first cache of most cores.
package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"time"
)

// areaSize is explained above. areaSize/SIZE messages are copied in one turn.
const areaSize = 64 << 10

// errCannot is for a machine on which the benchmark means nothing.
var errCannot = errors.New("cannot be measured here")

// run is what the command line asks for.
type run struct {
	size, count int
}

// result is what is measured. whole has the start of the second process.
type result struct {
	seconds, whole time.Duration
}

// The second process is the same program, started with the same command line and
// this word before it.
const secondWord = "second"

var benchmarks = map[string]struct {
	first  func(run) (result, error)
	second func(run) error
}{
	"transfer": {consume, produce},
	"pingpong": {ping, pong},
	"memcpy":   {memcpy, nil},
}

// The kernel ends the second process when the thread that started it ends. So
// main stays on the first thread, which ends last.
func init() { runtime.LockOSThread() }

func main() {
	args := os.Args[1:]
	second := len(args) == 4 && args[0] == secondWord
	if second {
		args = args[1:]
	}
	if len(args) != 3 {
		usage()
	}
	b, ok := benchmarks[args[0]]
	if !ok || second && b.second == nil {
		usage()
	}
	r := run{size: number(args[1], math.MaxInt32), count: number(args[2], math.MaxInt64)}

	if second {
		end(b.second(r))
	}
	m, err := b.first(r)
	if err != nil {
		end(err)
	}
	_, err = fmt.Printf("{\"messages\":%d,\"seconds\":%.9f,\"whole\":%.9f}\n",
		r.count, m.seconds.Seconds(), m.whole.Seconds())
	end(err)
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: limit transfer|pingpong|memcpy SIZE COUNT")
	os.Exit(2)
}

func number(text string, limit uint64) int {
	n, err := strconv.ParseUint(text, 10, strconv.IntSize-1)
	if err != nil || n < 1 || n > limit {
		usage()
	}
	return int(n)
}

func end(err error) {
	switch {
	case err == nil:
		os.Exit(0)
	case errors.Is(err, errCannot):
		fmt.Fprintln(os.Stderr, "limit:", err)
		os.Exit(3)
	default:
		fmt.Fprintln(os.Stderr, "limit:", err)
		os.Exit(1)
	}
}
