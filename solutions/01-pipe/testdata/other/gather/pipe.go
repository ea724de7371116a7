// Package pipe is chapter 1 with a Writer that copies no large message: writev(2)
// takes header and message from where they are. It is no step of the way to the
// reference. The copy that it saves is small beside the rest.
// The specification is in the stub, chapters/01-pipe/pipe.go.
package pipe

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	HeaderSize = 4
	MaxMessage = 1 << 20
	PipeBuf    = 4096
)

var ErrTooLarge = errors.New("message too large")

// readAhead is as much as a pipe holds as a rule: one read(2) can empty it.
const readAhead = 64 << 10

// Reader is the read end of a pipe or of a FIFO. What it has read ahead lives as
// long as the Reader does, so that no byte of a later message is lost.
type Reader struct {
	f  *os.File
	in *bufio.Reader
}

// Writer is the write end of a pipe or of a FIFO.
type Writer struct {
	f     *os.File
	limit int
	small []byte // a small frame; used again by every Send
}

func NewReader(f *os.File) *Reader {
	return &Reader{f: f, in: bufio.NewReaderSize(f, readAhead)}
}

func NewWriter(f *os.File) *Writer       { return &Writer{f: f, limit: MaxMessage} }
func NewSharedWriter(f *os.File) *Writer { return &Writer{f: f, limit: PipeBuf - HeaderSize} }

func (r *Reader) SyscallConn() (syscall.RawConn, error) { return r.f.SyscallConn() }
func (w *Writer) SyscallConn() (syscall.RawConn, error) { return w.f.SyscallConn() }

func (r *Reader) Close() error { return r.f.Close() }
func (w *Writer) Close() error { return w.f.Close() }

// New makes the pipe non-blocking, so that both files use the runtime's poller.
func New() (*Reader, *Writer, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	return NewReader(os.NewFile(uintptr(fds[0]), "pipe")), NewWriter(os.NewFile(uintptr(fds[1]), "pipe")), nil
}

// Send copies what fits into one atomic write. A larger frame, which no other
// writer can disturb, goes out from where it is.
func (w *Writer) Send(p []byte) error {
	if len(p) > w.limit {
		return fmt.Errorf("%w: %d bytes where %d are allowed", ErrTooLarge, len(p), w.limit)
	}
	w.small = binary.BigEndian.AppendUint32(w.small[:0], uint32(len(p)))
	if HeaderSize+len(p) <= PipeBuf {
		w.small = append(w.small, p...)
		_, err := w.f.Write(w.small)
		return err
	}
	return w.gather(w.small, p)
}

// gather is writev(2) until everything is written. Not net.Buffers: for an
// os.File that is a write for each part.
func (w *Writer) gather(parts ...[]byte) error {
	conn, err := w.f.SyscallConn()
	if err != nil {
		return err
	}
	var writeErr error
	err = conn.Write(func(fd uintptr) bool {
		for len(parts) > 0 {
			var n int
			n, writeErr = unix.Writev(int(fd), parts)
			switch writeErr {
			case nil:
				parts = rest(parts, n)
			case unix.EINTR:
			case unix.EAGAIN:
				return false // the poller waits, and calls again
			default:
				return true
			}
		}
		return true
	})
	if err != nil {
		return err
	}
	return os.NewSyscallError("writev", writeErr)
}

// rest is what is left of parts after their first n bytes.
func rest(parts [][]byte, n int) [][]byte {
	for len(parts) > 0 && n >= len(parts[0]) {
		n -= len(parts[0])
		parts = parts[1:]
	}
	if len(parts) > 0 {
		parts[0] = parts[0][n:]
	}
	return parts
}
func (r *Reader) Recv() ([]byte, error) { return r.RecvInto(nil) }

func (r *Reader) RecvInto(buf []byte) ([]byte, error) {
	// Peek takes nothing, so a header that is cut short can still be told from
	// one that is not there.
	header, err := r.in.Peek(HeaderSize)
	switch {
	case err == io.EOF && len(header) > 0:
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	}
	size := binary.BigEndian.Uint32(header)
	if size > MaxMessage {
		return nil, fmt.Errorf("%w: %d bytes are announced, and %d are the limit", ErrTooLarge, size, MaxMessage)
	}
	if _, err := r.in.Discard(HeaderSize); err != nil {
		return nil, err
	}
	message := slices.Grow(buf[:0], int(size))[:size]
	switch _, err := io.ReadFull(r.in, message); err {
	case nil:
		return message, nil
	case io.EOF:
		return nil, io.ErrUnexpectedEOF
	default:
		return nil, err
	}
}

func OpenReader(path string) (*Reader, error) {
	f, err := openFIFO(path, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return NewReader(f), nil
}

func OpenWriter(path string) (*Writer, error) {
	f, err := openFIFO(path, unix.O_WRONLY)
	if err != nil {
		return nil, err
	}
	return NewWriter(f), nil
}

// openFIFO looks first and makes what is missing. Another process may do the same
// at that moment, so whoever made it, what is there then is looked at.
func openFIFO(path string, flag int) (*os.File, error) {
	var st unix.Stat_t
	err := unix.Stat(path, &st)
	if err == unix.ENOENT {
		if err := unix.Mkfifo(path, 0o600); err != nil && err != unix.EEXIST {
			return nil, &os.PathError{Op: "mkfifo", Path: path, Err: err}
		}
		err = unix.Stat(path, &st)
	}
	if err != nil {
		return nil, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return nil, &os.PathError{Op: "open FIFO", Path: path, Err: errors.New("what stands there is no FIFO")}
	}
	for {
		fd, err := unix.Open(path, flag|unix.O_CLOEXEC, 0)
		if err == unix.EINTR {
			continue // a signal came while it waited for the other side
		}
		if err != nil {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
		return os.NewFile(uintptr(fd), path), nil
	}
}

func (w *Writer) Capacity() (int, error) { return w.ask(unix.F_GETPIPE_SZ, 0) }

func (w *Writer) SetCapacity(n int) (int, error) { return w.ask(unix.F_SETPIPE_SZ, n) }

func (w *Writer) ask(cmd, arg int) (size int, err error) {
	conn, err := w.f.SyscallConn()
	if err != nil {
		return 0, err
	}
	if controlErr := conn.Control(func(fd uintptr) {
		size, err = unix.FcntlInt(fd, cmd, arg)
	}); controlErr != nil {
		return 0, controlErr
	}
	if err != nil {
		return 0, os.NewSyscallError("fcntl", err)
	}
	return size, nil
}
