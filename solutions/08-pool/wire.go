package pool

import (
	"bufio"
	"encoding/binary"
	"io"
)

// What goes between a pool and its workers. A task goes to all of them at once, as one message
// of a socket that keeps boundaries (SOCK_SEQPACKET): the kernel gives it to one who is free, the
// oldest first. So nobody has to choose a worker, and tasks can be handed over before anybody
// has asked. An answer comes on the worker's own stream.
//
// The message of a task is its slot, the length of its name, the name, and the argument. If that is
// too large for a message there are only slot and length, with a mark, and the worker asks for name and
// argument on its own stream.
const (
	magic = "ipc-pool"

	own    = 3 // in a worker: the descriptor of its own stream
	queued = 4 // of the socket of the tasks
	states = 5 // of the memory with the slots' states

	slots   = 128     // so many tasks are handed over at most: those that run, and those that come next
	largest = 8 << 10 // of a message
	apart   = 1 << 31 // the mark of what does not fit
	shut    = slots   // behind the states: 1 when the pool has come to its end. Else its process has died
)

// The states of a slot. The pool and a worker both may want to change one: the pool to cancel, the
// worker to begin. A compare-and-swap decides who has it.
const (
	free = iota
	handedOver
	takenBack
	begun // plus the number of the worker
)

// The kinds of what comes from a worker.
const (
	good     = iota // the result
	failure         // the text of an error
	panicked        // what it has panicked with, and the stack
	badValue
	tooLarge // the size, as text
	unknown
	dropped // it was cancelled: the slot is free again
	wanted  // name and argument, please
	leaving // it has done enough, and ends
)

// answer is what comes from a worker.
type answer struct {
	kind  byte
	slot  uint32
	value []byte
	stack []byte
}

const answerHeader = 16

// append encodes an answer: slot, kind, and the lengths of the two parts, which follow.
func (a answer) append(b []byte) []byte {
	b = binary.NativeEndian.AppendUint32(b, a.slot)
	b = append(b, a.kind, 0, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, uint32(len(a.value)))
	b = binary.NativeEndian.AppendUint32(b, uint32(len(a.stack)))
	return append(append(b, a.value...), a.stack...)
}

func readAnswer(r *bufio.Reader) (a answer, err error) {
	header, err := r.Peek(answerHeader)
	if err != nil {
		return a, err
	}
	a.slot, a.kind = binary.NativeEndian.Uint32(header), header[4]
	value, stack := binary.NativeEndian.Uint32(header[8:]), binary.NativeEndian.Uint32(header[12:])
	_, _ = r.Discard(answerHeader)
	both := make([]byte, value+stack)
	_, err = io.ReadFull(r, both)
	a.value, a.stack = both[:value:value], both[value:]
	return a, err
}

func greeting() []byte {
	b := append(make([]byte, 0, GreetingSize), magic...)
	b = binary.NativeEndian.AppendUint32(b, Version)
	return append(b, 0, 0, 0, 0)
}

// settings is what the pool writes to a worker first.
type settings struct{ number, maxTasks, maxSize uint32 }

const settingsSize = 12

func (s settings) bytes() []byte {
	b := binary.NativeEndian.AppendUint32(nil, s.number)
	b = binary.NativeEndian.AppendUint32(b, s.maxTasks)
	return binary.NativeEndian.AppendUint32(b, s.maxSize)
}

func settingsOf(b []byte) settings {
	return settings{binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint32(b[4:]), binary.NativeEndian.Uint32(b[8:])}
}
