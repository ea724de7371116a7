package pool

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Work has one goroutine that runs tasks, and one that reads what only this worker gets: large
// arguments, and the end of the pool's process.
func Work() error {
	kind, err := unix.GetsockoptInt(own, unix.SOL_SOCKET, unix.SO_TYPE)
	if err == nil && kind != unix.SOCK_STREAM {
		err = unix.ENOTSOCK
	}
	if err != nil {
		return fmt.Errorf("descriptor %d of a worker: %w", own, err)
	}
	for fd := own; fd <= states; fd++ {
		unix.CloseOnExec(fd)
	}
	w := &worker{arguments: make(chan []byte)}
	if err := w.write(greeting()); err != nil {
		return err
	}
	first := make([]byte, settingsSize)
	if !w.fill(first) {
		os.Exit(1)
	}
	w.settings = settingsOf(first)
	memory, err := unix.Mmap(states, 0, 4*(slots+1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return os.NewSyscallError("mmap", err)
	}
	w.states = (*[slots + 1]atomic.Uint32)(unsafe.Pointer(&memory[0]))
	go w.listen()
	return w.serve()
}

type worker struct {
	settings
	states    *[slots + 1]atomic.Uint32
	arguments chan []byte
}

// serve takes the oldest task that nobody has, until the pool shuts its end.
func (w *worker) serve() error {
	message := make([]byte, largest)
	for n := uint32(0); ; {
		length, _, err := unix.Recvfrom(queued, message, 0)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return os.NewSyscallError("recvfrom", err)
		case length == 0 && w.states[shut].Load() == 0:
			os.Exit(1) // nobody has shut it: the pool's process has ended
		case length == 0:
			return nil
		}
		slot := binary.NativeEndian.Uint32(message)
		if !w.states[slot].CompareAndSwap(handedOver, begun+w.number) {
			if err := w.write(answer{kind: dropped, slot: slot}.append(nil)); err != nil {
				return err
			}
			continue
		}
		a := w.run(slot, message[4:length])
		a.slot = slot
		if a.kind == good && len(a.value) > int(w.maxSize) {
			a = answer{kind: tooLarge, slot: slot, value: fmt.Append(nil, len(a.value))}
		}
		b := a.append(nil)
		if n++; n == w.maxTasks {
			b = answer{kind: leaving}.append(b)
		}
		if err := w.write(b); err != nil || n == w.maxTasks {
			return err
		}
	}
}

func (w *worker) run(slot uint32, task []byte) answer {
	length, both := binary.NativeEndian.Uint32(task), task[4:]
	if length&apart != 0 {
		if w.write(answer{kind: wanted, slot: slot}.append(nil)) != nil {
			os.Exit(1)
		}
		both = <-w.arguments
	} else {
		both = append([]byte(nil), both...) // the message's memory is used again
	}
	name, arg := both[:length&^apart], both[length&^apart:]
	run := taskOf(string(name))
	if run == nil {
		return answer{kind: unknown}
	}
	return run(arg)
}

// listen ends the process when the pool's has ended, whatever it is doing.
func (w *worker) listen() {
	for {
		length := make([]byte, 8)
		if !w.fill(length) {
			os.Exit(1)
		}
		arg := make([]byte, binary.NativeEndian.Uint64(length))
		if !w.fill(arg) {
			os.Exit(1)
		}
		w.arguments <- arg
	}
}

// fill reads from the worker's own stream. The descriptor blocks: nobody else has it.
func (w *worker) fill(b []byte) bool {
	for len(b) > 0 {
		n, err := unix.Read(own, b)
		if err == unix.EINTR {
			continue
		}
		if n <= 0 {
			return false
		}
		b = b[n:]
	}
	return true
}

func (w *worker) write(b []byte) error {
	for len(b) > 0 {
		n, err := unix.SendmsgN(own, b, nil, nil, unix.MSG_NOSIGNAL)
		switch {
		case err == unix.EINTR:
		case err == unix.EPIPE:
			os.Exit(1) // the pool's process has ended
		case err != nil:
			return os.NewSyscallError("sendmsg", err)
		default:
			b = b[n:]
		}
	}
	return nil
}
