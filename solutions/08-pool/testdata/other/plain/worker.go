package pool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// What goes over: the pool writes the limit, and then tasks. A task is two parts, its name and its
// argument. A name of no bytes says goodbye. The worker writes an answer for each: a kind and two
// parts. A part is its length and its bytes.

func putPart(to, part []byte) []byte {
	return append(binary.NativeEndian.AppendUint64(to, uint64(len(part))), part...)
}

func readPart(r io.Reader) ([]byte, error) {
	n, err := readNumber(r)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	return b, err
}

func readNumber(r io.Reader) (uint64, error) {
	b := make([]byte, 8)
	_, err := io.ReadFull(r, b)
	return binary.NativeEndian.Uint64(b), err
}

func readAnswer(r io.Reader) (a answer, err error) {
	kind, err := readNumber(r)
	if err != nil {
		return a, err
	}
	a.kind = uint32(kind)
	value, one := readPart(r)
	stack, two := readPart(r)
	a.value, a.stack = value, stack
	return a, errors.Join(one, two)
}

func greeting(version uint32) []byte {
	return append(binary.NativeEndian.AppendUint32([]byte("ipc-pool"), version), 0, 0, 0, 0)
}

func Work() error {
	kind, err := unix.GetsockoptInt(3, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return err
	}
	if kind != unix.SOCK_STREAM {
		return unix.ENOTSOCK
	}
	unix.CloseOnExec(3)
	stream := os.NewFile(3, "the pool")
	if _, err := stream.Write(greeting(Version)); err != nil {
		os.Exit(1)
	}
	limit, err := readNumber(stream)
	if err != nil {
		os.Exit(1)
	}
	tasks := make(chan func() answer)
	go func() { // it reads always: so it sees the end of the pool's process
		defer close(tasks)
		for {
			name, err := readPart(stream)
			if err == nil && len(name) == 0 {
				return
			}
			arg, errArg := readPart(stream)
			if err != nil || errArg != nil {
				os.Exit(1)
			}
			run := known[string(name)]
			if run == nil {
				run = func([]byte) answer { return answer{kind: isUnknown} }
			}
			tasks <- func() answer { return run(arg) }
		}
	}()
	for task := range tasks {
		a := task()
		if a.kind == isResult && uint64(len(a.value)) > limit {
			a = answer{kind: isTooLarge, value: fmt.Append(nil, len(a.value))}
		}
		b := binary.NativeEndian.AppendUint64(nil, uint64(a.kind))
		if _, err := stream.Write(putPart(putPart(b, a.value), a.stack)); err != nil {
			os.Exit(1)
		}
	}
	return nil
}
