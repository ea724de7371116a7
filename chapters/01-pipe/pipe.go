// Package pipe sends messages from one process to another through a pipe.
//
// A pipe is a byte stream: the kernel keeps no boundaries between writes. So
// every message travels in a frame:
//
//	4 bytes   the length n of the message, big-endian
//	n bytes   the message
//
// An empty message is a frame with n = 0. The frame is part of the
// specification: the tests read and write raw frames, and so may a program in
// another language.
//
// Each end is used by one goroutine at a time. Different ends, also those of one
// pipe, are used at the same time: what waits at one of them holds up no other.
//
// See pipe(2), pipe(7), fifo(7), read(2), write(2), fcntl(2).
package pipe

import (
	"errors"
	"os"
	"syscall"

	"ipcworkbook/harness/todo"
)

const (
	// HeaderSize is the size of a frame's header in bytes.
	HeaderSize = 4

	// MaxMessage is the largest message in bytes, without its header.
	MaxMessage = 1 << 20

	// PipeBuf is PIPE_BUF: a write of up to so many bytes is atomic, which
	// means that no other process's bytes come between its bytes (pipe(7)).
	PipeBuf = 4096
)

// ErrTooLarge is the error of a message that is larger than allowed. Find it
// with errors.Is.
var ErrTooLarge = errors.New("message too large")

// Reader is the read end of a pipe or of a FIFO.
type Reader struct {
	f *os.File
}

// Writer is the write end of a pipe or of a FIFO.
type Writer struct {
	f      *os.File
	shared bool // other writers write into the same pipe
}

// The first functions are given. The tests use them to hand your ends to other
// processes. Change them if your Reader and Writer look different.

// NewReader makes a Reader of a file that is the read end of a pipe, usually
// one that another process handed over. The Reader owns the file from then on:
// Close closes it, and it stays close-on-exec if it was.
//
// A Reader may read ahead, from now on and a bounded number of bytes: those are no
// longer in the pipe, and belong to this Reader alone.
//
// Neither this function nor any other one here changes the flags of a file that was
// given to it, such as O_NONBLOCK: they belong to all that share it.
func NewReader(f *os.File) *Reader { return &Reader{f: f} }

// NewWriter makes a Writer of a file that is the write end of a pipe. The
// Writer owns the file from then on, and has the pipe to itself.
func NewWriter(f *os.File) *Writer { return &Writer{f: f} }

// NewSharedWriter is NewWriter for a pipe that has other writers too.
func NewSharedWriter(f *os.File) *Writer { return &Writer{f: f, shared: true} }

// SyscallConn gives access to the descriptor. It implements [syscall.Conn].
func (r *Reader) SyscallConn() (syscall.RawConn, error) { return r.f.SyscallConn() }

// SyscallConn gives access to the descriptor. It implements [syscall.Conn].
func (w *Writer) SyscallConn() (syscall.RawConn, error) { return w.f.SyscallConn() }

// Close closes this process's copy of the read end. Afterwards the number of the
// descriptor may be somebody else's: no call uses it any more, also not a second
// Close.
func (r *Reader) Close() error { return r.f.Close() }

// Close closes this process's copy of the write end. The reader sees the end
// of the stream when the last copy, in whatever process, is closed. Afterwards no
// call uses the descriptor's number, as with the Reader.
func (w *Writer) Close() error { return w.f.Close() }

// The rest is yours.

// New makes a pipe and returns its two ends. Both are close-on-exec: a program
// that this process starts has neither, unless it is handed over on purpose
// (pipe2(2), O_CLOEXEC). They are so from their first moment. No later call makes
// them blocking, as File.Fd would.
//
// Where the kernel refuses, its error is returned (unix.EMFILE when no descriptor is
// free), and nothing stays open.
func New() (*Reader, *Writer, error) {
	return nil, nil, todo.Err("New")
}

// Send sends one message. It blocks while the pipe is full, and returns nil
// when the whole frame is in the pipe. It does not change p, nor the memory behind
// it, and the caller may change both afterwards. A Send that was refused changes
// nothing for the next one.
//
// Errors:
//   - ErrTooLarge, and nothing is sent, for a message of more than MaxMessage
//     bytes. For a shared Writer the limit is lower: header and message
//     together are at most PipeBuf bytes, and go out in one write(2), so that
//     messages of several writers never mix;
//   - unix.EPIPE when no process has the read end open any more, also when that
//     comes in the middle of the message. The
//     disposition of SIGPIPE is left as it was: it belongs to the whole
//     program, not to one pipe.
func (w *Writer) Send(p []byte) error {
	return todo.Err("Writer.Send")
}

// Recv receives one message. It blocks until the whole message is there. The
// slice belongs to the caller, with all of its capacity: a later Recv does not
// change it, and an append to it changes no later message. A call that a signal
// interrupts goes on.
//
// Errors:
//   - io.EOF when the last writer has closed and no byte is left: the clean
//     end of the stream;
//   - io.ErrUnexpectedEOF when the stream ends inside a message;
//   - ErrTooLarge, with MaxMessage in its text, for a header that claims more
//     than MaxMessage bytes. No memory is allocated for the claim. The stream
//     is of no use afterwards.
func (r *Reader) Recv() ([]byte, error) {
	return nil, todo.Err("Reader.Recv")
}

// RecvInto is Recv into memory that the caller brings. A message of up to
// cap(buf) bytes is put there, from the first byte on, and the slice that is
// returned is buf[:n], with all of buf's capacity, also for an empty message. A
// longer one gets new memory, as in Recv. So buf may be nil, and what its bytes were
// before does not matter. The Reader does not keep buf.
//
// A caller that is done with each message before the next one comes uses the same
// memory for all of them:
//
//	buf, err = r.RecvInto(buf)
//
// The errors are those of Recv.
func (r *Reader) RecvInto(buf []byte) ([]byte, error) {
	return nil, todo.Err("Reader.RecvInto")
}

// OpenReader opens the FIFO at path for reading. It makes the FIFO, with
// permissions 0600, when nothing is there yet; one that is there is used
// again, with the permissions that it has, also when it is made by the other side
// just now. It blocks until a writer has opened the FIFO too (fifo(7)). The end is
// close-on-exec, from its first moment.
//
// A path at which something else stands is an error, and what stands there is
// left as it was. Where the kernel refuses, its error is returned.
func OpenReader(path string) (*Reader, error) {
	return nil, todo.Err("OpenReader")
}

// OpenWriter opens the FIFO at path for writing, as OpenReader does for
// reading. It blocks until a reader has opened the FIFO too.
func OpenWriter(path string) (*Writer, error) {
	return nil, todo.Err("OpenWriter")
}

// Capacity returns how many bytes the pipe can hold (F_GETPIPE_SZ).
func (w *Writer) Capacity() (int, error) {
	return 0, todo.Err("Writer.Capacity")
}

// SetCapacity asks for a pipe that can hold n bytes and returns how many it
// can hold now: the kernel rounds up, to a power of two of pages
// (F_SETPIPE_SZ).
func (w *Writer) SetCapacity(n int) (int, error) {
	return 0, todo.Err("Writer.SetCapacity")
}
